//! Membership in a consumer group, as the consumer sees it whatever protocol brings it about.
//!
//! * [`event`]: what a member is told and what it commits.
//! * [`coordinator`]: which broker coordinates the group.
//! * [`membership`]: being a member: joining, what is assigned, leaving.
pub mod coordinator;
pub mod event;
pub mod membership;

pub use coordinator::Coordinator;
pub use event::{ConsumerError, GroupMetadata, OffsetAnswer, OffsetsCommitted, Rebalance, RebalanceKind, StoredOffset};
pub use membership::{Member, Membership};
