//! What the application asks of a client, and what the client tells the application.
use std::sync::Arc;

use crate::admin::Operation;
use crate::error::Error;
use crate::group::{ConsumerError, GroupMetadata, OffsetAnswer, OffsetsCommitted, Rebalance, StoredOffset};

/// Names a command; comes back with its reply.
pub type RequestId = u64;

/// What the application asks.
#[derive(Debug)]
pub enum Command {
    /// The cluster's brokers and topics; `None` for all topics.
    Metadata { request: RequestId, topics: Option<Vec<Arc<str>>>, deadline_us: u64 },
    /// The first offset of a partition and the one after its last (for read_committed: its last stable one).
    Watermarks { request: RequestId, topic: Arc<str>, partition: i32, deadline_us: u64 },
    /// An operation of the admin client.
    Admin { request: RequestId, operation: Operation, deadline_us: u64 },
    /// Be a member of the group for these topics, instead of those of before; a name that begins with `^` is a pattern.
    /// Answered by [`Reply::Done`] once the patterns are read.
    Subscribe { request: RequestId, topics: Vec<Arc<str>> },
    /// Leave the group: what is assigned is revoked first. Answered by [`Reply::Done`] behind
    /// the [`Event::Rebalance`] that says so, where one is due now.
    Unsubscribe { request: RequestId },
    /// The application has done what the [`Event::Rebalance`] of this assignment epoch said.
    Acknowledge { epoch: u64 },
    /// Give up what is assigned, commit, leave the group; answered by [`Reply::Done`], at the deadline at the latest. What
    /// is assigned is revoked by an [`Event::Rebalance`] first, which the application acknowledges as ever.
    Leave { request: RequestId, deadline_us: u64 },
    /// Commit these offsets. With a request the answer is [`Reply::Offsets`], without one [`Event::OffsetsCommitted`] tells
    /// the outcome. Without a deadline it is tried for as long as a request may take. Whether the offsets are what is
    /// `stored`, not named by the application, decides how it fails where the assignment is lost.
    Commit { request: Option<RequestId>, offsets: Vec<StoredOffset>, stored: bool, deadline_us: Option<u64> },
    /// The committed offsets of these partitions.
    Committed { request: RequestId, partitions: Vec<(Arc<str>, i32)>, deadline_us: u64 },
    /// Who this member is.
    GroupMetadata { request: RequestId },
    /// Ends: connections are closed, commands fail, and [`Event::Stopped`] is the last event.
    Close,
}

/// What the application is told.
#[derive(Debug)]
pub enum Event {
    Reply {
        request: RequestId,
        result: Result<Reply, Error>,
    },
    /// For `error_cb`.
    Error(Error),
    /// A line of the log; `level` is syslog's (3 error, 4 warning, 6 information, 7 debug).
    Log {
        level: u8,
        facility: &'static str,
        text: String,
    },
    /// Partitions are assigned, revoked or lost; awaits [`Command::Acknowledge`].
    Rebalance(Rebalance),
    /// What became of a commit, for `on_commit`.
    OffsetsCommitted(OffsetsCommitted),
    /// Something that `poll` returns as an event: `_MAX_POLL_EXCEEDED`, a subscribed topic that is not there.
    ConsumerError(ConsumerError),
    Stopped,
}

/// The answer to a command.
#[derive(Debug)]
pub enum Reply {
    Metadata(ClusterMetadata),
    Watermarks {
        low: i64,
        high: i64,
    },
    /// What became of each topic of an operation.
    Topics(Vec<(Arc<str>, Result<(), Error>)>),
    /// Committed offsets.
    Offsets(Vec<OffsetAnswer>),
    Group(GroupMetadata),
    Done,
}

/// The cluster as one broker described it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterMetadata {
    pub cluster_id: Option<String>,
    /// -1 where unknown.
    pub controller_id: i32,
    /// Who answered.
    pub orig_broker_id: i32,
    pub orig_broker_name: String,
    /// Id, host, port.
    pub brokers: Vec<(i32, String, u16)>,
    pub topics: Vec<TopicInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    pub name: String,
    pub error: Option<Error>,
    pub partitions: Vec<PartitionInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    pub id: i32,
    /// -1 while there is none.
    pub leader: i32,
    pub replicas: Vec<i32>,
    pub isrs: Vec<i32>,
    pub error: Option<Error>,
}

/// What an exchange with the caller's side changed there: each wakes who waits for it (DESIGN section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// Delivery reports became ready.
    pub reports: bool,
    /// The count of outstanding records reached zero.
    pub drained: bool,
    /// Records or errors of partitions became ready.
    pub records: bool,
    /// There is more to exchange than one hold of the lock may do.
    pub again: bool,
}
