//! The confluent face's configuration: names, texts and rules of confluent-kafka 2.16.1.
//!
//! * `set`: [`Config`], which takes one key after the other and refuses what the original refuses, in its words.
//! * `scan`: numbers as C reads and writes them, which the original's texts and tolerance follow.
//! * `combine`: what keys demand of each other, and what is said about them in the log.
//! * `fill`: the typed settings, every field filled.
mod combine;
mod fill;
mod scan;
mod set;
#[cfg(test)]
mod tests;

pub use set::{Config, ConfigError, ConfigValue, Parsed, Raise, Role, Warning};
