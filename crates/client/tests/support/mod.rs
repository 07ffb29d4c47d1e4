//! What the tests on sockets share: `clients` makes and waits, `broker` is real Kafka or the embedded broker, `server` is
//! a broker that does as it is told.
#![allow(dead_code, unreachable_pub, unused_imports)] // Each test program uses its part.

pub mod broker;
mod clients;
pub mod server;

pub use clients::*;
