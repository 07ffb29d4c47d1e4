//! What a member of a group is told, and what it commits: plain values, the same for every protocol and face.
use std::sync::Arc;

use crate::error::Error;

/// What happens to partitions of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceKind {
    /// They are the member's from now on.
    Assign,
    /// They are another's once the member has let go of them; offsets can still be committed.
    Revoke,
    /// They are another's already: the member's session or its time to poll was over.
    Lost,
}

/// A change of what is assigned. The application assigns or unassigns, then acknowledges the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebalance {
    /// The assignment epoch: rises with every change; names this one when it is acknowledged.
    pub epoch: u64,
    pub kind: RebalanceKind,
    /// Only what changes is named, and it adds to or is taken from the assignment (KIP-429). Else it is the whole.
    pub incremental: bool,
    /// Sorted by topic and partition.
    pub partitions: Vec<(Arc<str>, i32)>,
}

/// An offset to be committed: that of the next record to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOffset {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Of the record before it, -1 where it is not known.
    pub leader_epoch: i32,
    /// Text of the application, kept with the offset.
    pub metadata: Option<Arc<str>>,
}

/// A committed offset, or what became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetAnswer {
    pub topic: Arc<str>,
    pub partition: i32,
    /// -1001 where none is committed.
    pub offset: i64,
    /// -1 where it is not known.
    pub leader_epoch: i32,
    pub metadata: Option<Arc<str>>,
    /// What is wrong with this partition.
    pub error: Option<Error>,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetsCommitted {
    /// Of the commit as a whole; a partition's own stands with it.
    pub error: Option<Error>,
    pub offsets: Vec<OffsetAnswer>,
}

/// An error of the consumer that its `poll` returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerError {
    pub error: Error,
    /// The topic that it is about, if any.
    pub topic: Option<Arc<str>>,
}

/// Who a member is (KIP-447).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMetadata {
    pub group_id: String,
    /// -1 while it is no member.
    pub generation: i32,
    /// Empty while it is no member.
    pub member_id: String,
    pub instance_id: Option<String>,
}
