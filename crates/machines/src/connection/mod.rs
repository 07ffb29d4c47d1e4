//! Connections to brokers: which to open, when to try again, what is in flight on each.
//!
//! * [`network`]: nodes and their lanes, and the requests that go through them.
//! * [`handshake`]: from connected to ready: which version of each API to speak (KIP-511).
//! * [`in_flight`]: the requests that wait for their answers, whose each is, and their time-outs.
//! * [`backoff`]: how long to leave a broker alone that cannot be reached (KIP-144).
//! * [`reports`]: what the user is told when a connection fails.
pub mod backoff;
pub mod handshake;
pub mod in_flight;
pub mod network;
pub mod reports;

pub use in_flight::Tag;
pub use network::{Failure, Network, NetworkOutput, Response};
