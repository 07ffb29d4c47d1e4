//! Scenarios of the consumer in virtual time, with answers written by hand.
//!
//! `world` plays driver and brokers: it answers handshakes and metadata by itself, a test answers Fetch and ListOffsets;
//! `group_world` plays the coordinator, `session_world` keeps fetch sessions.
//! `answers` writes batches and responses.
mod answers;
mod assigning;
mod budget;
mod chaos;
mod commits;
mod committed;
mod faults;
mod group_world;
mod offsets;
mod reading;
mod session_world;
mod sessions;
mod transactions;
mod transitions;
mod world;
