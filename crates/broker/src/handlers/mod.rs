//! The APIs that the broker serves, one file an API. A handler decodes its request, changes the cluster, and gives an
//! answer; queueing, parking and sending are `cluster`'s.
mod api_versions;
mod call;
mod dispatch;
mod metadata;

pub(crate) use call::{Answer, Attempt, Call, Handled, Reply};
pub(crate) use dispatch::{SERVED, abandon, handle, served};
