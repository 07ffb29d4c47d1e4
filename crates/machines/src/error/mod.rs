//! Errors of the client (E21): one [`Kind`] per cause, each mapped totally to what the faces show for it, and the table of all codes.
//!
//! * `kind`: [`Kind`], [`BrokerError`] and their one mapping.
//! * `value`: [`Error`], a kind with its text and whether it ends the client.
//! * [`codes`]: every code with its names and the original's description.
pub mod codes;
mod kind;
mod value;

pub use kind::{BrokerError, Kind, LibrdkafkaColumn};
pub use value::{Error, Result};
