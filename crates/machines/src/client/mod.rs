//! One client as a machine: it composes network, metadata, queries, admin operations and the side of a producer or a
//! consumer that sends and receives.
//!
//! * [`command`]: what the application asks, and what it is told.
//! * [`outbox`]: where components leave what they ask of the driver.
//! * [`machine`]: [`ClientMachine`], which only routes; `consumer`: what makes it a consumer.
//! * [`queries`]: questions of the application (`list_topics`, watermarks), asked again until their time is over.
pub mod command;
mod consumer;
pub mod machine;
pub mod outbox;
pub mod queries;
#[cfg(test)]
mod tests;

pub use command::{ClusterMetadata, Command, Edges, Event, PartitionInfo, Reply, RequestId, TopicInfo};
pub use machine::ClientMachine;
pub use outbox::Outbox;
