//! What is known of the cluster: brokers, topics, partitions and their leaders.
//!
//! * [`snapshot`]: the newest state, kept until something newer comes.
//! * [`refresh`]: when to ask again, and for which topics.
pub mod refresh;
pub mod snapshot;

pub use refresh::Metadata;
pub use snapshot::{PartitionMetadata, Snapshot, TopicMetadata};
