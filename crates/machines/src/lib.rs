//! Every decision of the client as pure state machines: *decisions never wait; waiting never decides*.
//!
//! Nothing here knows clocks, sockets, threads, channels, locks or faces: time and randomness are arguments, the
//! network is a list of inputs and outputs. The crate `ottla` waits; tests and the simulation drive the same machines in
//! virtual time.
//!
//! * [`machine`]: the contract between a machine and what drives it. [`job`]: work that takes long, as data.
//! * [`random`]: the seeded source of jitter.
//! * [`connection`]: brokers, lanes, what is in flight. [`metadata`]: what is known of the cluster.
//! * [`config`]: the table of keys, the faces' parsers, typed settings.
//! * [`group`]: membership in a consumer group.
//! * [`error`]: the causes that the client can report and what the faces show for them.
#![deny(clippy::iter_over_hash_type)] // Its order differs from run to run; clippy.toml refuses the iterators.
pub mod admin;
pub mod client;
pub mod config;
pub mod connection;
pub mod consumer;
pub mod error;
pub mod group;
pub mod job;
pub mod machine;
pub mod metadata;
pub mod producer;
pub mod random;
#[cfg(test)]
mod scenario;
