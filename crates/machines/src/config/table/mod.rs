//! The one table of configuration keys (E22): for each the names, the type, the range, the default and what becomes of it.
//!
//! * `key`: what a row is. `search`: all of them, and one by its name.
//! * `client`, `security`, `producer`, `consumer`: librdkafka's 199 properties.
//! * `binding`: the keys that confluent-kafka adds to them in Python.
mod binding;
mod client;
mod consumer;
mod key;
mod producer;
mod search;
mod security;
#[cfg(test)]
mod tests;

pub use key::{Column, Key, Scope, Section, Status, Type};
pub use search::{find, table};
