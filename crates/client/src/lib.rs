//! The client shell: all waiting is here, and no decision (those are in `ottla-machines`).
//!
//! A client is a machine, what it shares with its callers (under one [`lock`](crate::Contention)), and a driver on thread
//! *io*. [`Producer`], [`Consumer`] and [`Admin`] are the handles that programs and the Python binding use.

mod admin;
mod blocking;
mod clock;
mod consumer;
mod driver;
mod edge;
pub mod fork;
mod handle;
mod lock;
mod memory;
mod net;
mod notices;
mod pending;
mod producer;
mod runtime;
mod sync;
mod threads;
mod timestamp;
mod waiters;
mod work;

pub use admin::{Admin, TopicResults};
// What the handles take and give, so that their users need nothing of the machines.
pub use clock::wall_ms;
pub use consumer::Consumer;
pub use lock::Contention;
pub use notices::{Notice, NoticeOptions};
pub use ottla_machines::admin::{CreateTopics, DeleteTopics, NewTopic};
pub use ottla_machines::client::{ClusterMetadata, PartitionInfo, TopicInfo};
pub use ottla_machines::consumer::{
    Assigned, OFFSET_INVALID, PartitionError, Position, RecordRun, RunBatch, RunRecord, Scratch, StartOffset, Take,
    TakenRecord,
};
pub use ottla_machines::group::{
    ConsumerError, GroupMetadata, OffsetAnswer, OffsetsCommitted, Rebalance, RebalanceKind, StoredOffset,
};
pub use ottla_machines::producer::attachments::Place;
pub use ottla_machines::producer::reports::ReportedRecord;
pub use ottla_machines::producer::{NewRecord, Report, ReportBatch, ReportRun};
pub use pending::Pending;
pub use producer::{AppendError, Producer};
pub use threads::engine_threads;
pub use timestamp::record_timestamp_ms;

/// What loom's models reach; no part of the API.
#[cfg(feature = "loom")]
#[doc(hidden)]
pub mod model {
    pub use crate::edge::Edge;
    pub use crate::lock::{Guard, Lock};
    pub use crate::waiters::Waiters;
}
