//! Membership in a consumer group, as the consumer sees it whatever protocol brings it about.
//!
//! * [`event`]: what a member is told and what it commits.
//! * [`coordinator`]: which broker coordinates the group.
//! * [`membership`]: being a member: joining, what is assigned, leaving; [`standing`]: its states; [`polling`]: whether the
//!   application polls often enough.
//! * [`classic_protocol`]: how members agree, with [`heartbeat`], [`assignors`] and the bytes of `subscription_metadata`.
pub mod assignors;
pub mod classic_protocol;
pub mod coordinator;
pub mod event;
pub mod heartbeat;
pub mod membership;
pub mod polling;
pub mod standing;
mod subscription_metadata;
#[cfg(test)]
mod tests;

pub use classic_protocol::Answering;
pub use classic_protocol::protocol::Surroundings;
pub use coordinator::Coordinator;
pub use event::{ConsumerError, GroupMetadata, OffsetAnswer, OffsetsCommitted, Rebalance, RebalanceKind, StoredOffset};
pub use membership::{Member, Membership};
