//! Membership in a consumer group, as the consumer sees it whatever protocol brings it about.
//!
//! * [`event`]: what a member is told and what it commits.
pub mod event;

pub use event::{ConsumerError, GroupMetadata, OffsetAnswer, OffsetsCommitted, Rebalance, RebalanceKind, StoredOffset};
