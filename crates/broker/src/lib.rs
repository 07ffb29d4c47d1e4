//! An embedded broker for tests: a whole Kafka cluster of one to N brokers as one machine, without clock, randomness of
//! its own, sockets, threads or locks; and [`serve`], which puts it behind real sockets.
//!
//! * [`machine`], [`frame`], [`settings`], [`random`]: what goes in and comes out.
//! * [`cluster`]: nodes, topics and leaders, and [`Cluster`] that runs requests. [`connection`]: the queue of one connection.
//! * [`handlers`]: one file an API. [`log`]: partition logs. [`fetch_sessions`] (KIP-227). [`groups`]: the group coordinator.
//! * [`control`]: what tests do to it: faults, verbs, the request log.
//!
//! It simulates replication: all brokers share one log a partition, so nothing that was acknowledged is ever lost. It is
//! no store (memory alone) and no security boundary.
pub mod cluster;
pub(crate) mod connection;
pub mod control;
pub(crate) mod fetch_sessions;
pub mod frame;
pub mod groups;
pub(crate) mod handlers;
pub(crate) mod log;
pub mod machine;
pub mod random;
#[cfg(test)]
pub(crate) mod scenario;
#[cfg(test)]
pub(crate) mod scenario_records;
pub mod serve;
pub mod settings;

pub use cluster::Cluster;
pub use frame::{Frame, Segment};
pub use machine::{ConnectionId, Now, Output};
pub use serve::{ServeOptions, Server};
pub use settings::Settings;
