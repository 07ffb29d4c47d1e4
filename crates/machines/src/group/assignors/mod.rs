//! How the leader shares partitions out among the members, each to the byte as Java's client and librdkafka do, for the
//! leader of a mixed group may be either.
//!
//! * [`member`]: a member as the leader sees it, and the order of members.
//! * [`range`], [`roundrobin`]: the two ways.
pub mod member;
pub mod range;
pub mod roundrobin;
#[cfg(test)]
mod tests;

pub use member::{GroupMember, PartitionCounts, Shares, assign};
