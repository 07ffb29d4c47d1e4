//! Scenarios of the consumer in virtual time, with answers written by hand.
//!
//! `world` plays driver and brokers: it answers handshakes and metadata by itself, a test answers Fetch and ListOffsets;
//! `group_world` plays the coordinator.
//! `answers` writes batches and responses.
mod answers;
mod budget;
mod chaos;
mod commits;
mod committed;
mod faults;
mod group_world;
mod offsets;
mod reading;
mod transactions;
mod world;
