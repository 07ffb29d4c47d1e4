//! The classic protocol of groups: members join, one of them (the leader) shares out the partitions, all get their share.
//!
//! * [`state`]: where this client is in it, and what leads where.
//! * [`protocol`]: [`ClassicProtocol`], which sends and follows; `requests`: what it writes; `answers`: what answers mean;
//!   `plan`: the leader's part.
mod answers;
mod plan;
pub mod protocol;
mod requests;
pub mod state;

pub use answers::Answering;
pub use protocol::{ClassicProtocol, News};
