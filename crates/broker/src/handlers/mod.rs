//! The APIs that the broker serves, one file an API. A handler decodes its request, changes the cluster, and gives an
//! answer; queueing, parking and sending are `cluster`'s.
mod api_versions;
mod call;
mod create_topics;
mod delete_topics;
mod dispatch;
mod fetch;
mod fetch_answer;
mod fetch_waiting;
mod find_coordinator;
mod group_replies;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;

#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod tests;

pub(crate) use call::{Answer, Attempt, Call, Handled, Reply};
pub(crate) use dispatch::{SERVED, abandon, handle, served};
pub(crate) use fetch_waiting::Waiting;
