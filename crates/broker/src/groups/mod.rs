//! The group coordinator for the classic protocol, after Kafka 4.4's: a machine of its own that knows no frames. A
//! request comes as the protocol's message with the node that it reached; JoinGroup and SyncGroup are answered by
//! ticket, at once or when the group is ready. Time is an argument.
//!
//! ```text
//!          JoinGroup                 all joined, or           leader's SyncGroup
//!  Empty ------------> Preparing ---- time is up ---> Completing -----------------> Stable
//!    ^                 Rebalance                      Rebalance                       |
//!    |                  |  ^  ^                          |                            |
//!    +--- none left ----+  |  +---- member comes or goes +                            |
//!                          +------------ member comes, goes, or joins again ----------+
//! ```
//!
//! Every node of the cluster shares one [`Groups`]; which of them coordinates a group is [`placement`]'s. What a new
//! coordinator knows of a group is what Kafka would have written: the last complete generation, and all offsets.

mod commit;
mod coordinator;
mod group;
mod join;
mod leave;
mod member;
mod offsets;
mod placement;
mod rebalance;
mod reply;
mod snapshot;
mod state;
mod sync;
#[cfg(test)]
mod tests;

pub use commit::Commit;
pub use coordinator::{GroupSettings, Groups};
pub use offsets::{CommittedOffset, Offsets};
pub use placement::CoordinatorType;
pub use reply::{Answer, Caller, JoinReply, JoinedMember, LeaveReply, Reply, SyncReply, Ticket};
pub use snapshot::{GroupSnapshot, MemberSnapshot};
pub use state::GroupState;
