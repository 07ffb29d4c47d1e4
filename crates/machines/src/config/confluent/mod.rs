//! The confluent face's configuration: names, texts and rules of confluent-kafka 2.16.1.
//!
//! The border, in the original's order: a consumer's dict without `group.id` raises [`Config::group_id_missing`]; the items of
//! `default.topic.config` are merged into a copy of the dict (`dict.update`); then [`Config::set`] for each item, with `str(value)` as text, `None`
//! as [`ConfigValue::Unset`] (but for `debug`, where the original reads "None"), and [`ConfigValue::Object`] for the objects it keeps itself:
//! `logger`, `error_cb`, `stats_cb`, `throttle_cb`, `oauth_cb`, a producer's `on_delivery`, a consumer's `on_commit`. Then one of
//! [`Config::producer`], [`Config::consumer`], [`Config::admin`].
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
