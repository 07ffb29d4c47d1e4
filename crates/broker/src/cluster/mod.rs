//! The state of the whole cluster, and the machine that runs requests on it.
//!
//! * [`machine`]: [`Cluster`]: connections, requests, parking, time. [`nodes`]: who lives where. [`topics`]: topics by name
//!   and id; [`partition`]: replicas, leader and epoch. [`creation`], [`configs`]: what a new topic must fulfil.
mod access;
mod configs;
mod creation;
mod machine;
mod nodes;
mod partition;
mod topics;

#[cfg(test)]
mod tests;

pub use access::AppendError;
pub use configs::TopicConfigs;
pub use creation::{CreateError, NewTopic};
pub use machine::Cluster;
pub use nodes::{Node, Nodes};
pub use partition::Partition;
pub use topics::{Topic, Topics, is_topic_name};
