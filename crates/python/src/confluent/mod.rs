//! What `ottla.confluent_kafka` is made of: its classes, its rules of arguments, and its callbacks. Names and documentation for users stand in
//! the Python files; what a client does stands in `ottla` and `ottla_machines`.
//!
//! * `producer`, `consumer`, `admin`: the clients. `config`: what their constructors take. `metadata`: what `list_topics` answers.
//! * `error`: `KafkaError` and the exceptions. `topic_partition`, `new_topic`: the value classes.
//! * `message`: the raw `Message` type. `headers`: headers from and to Python objects.
//! * `produce_arguments`: arguments of the hot calls. `notices`: errors and log lines to `error_cb` and the logger.
//! * `completion`: answers on their way to futures.
//! * `register`: all of it into the module.
mod admin;
mod completion;
mod config;
mod consumer;
mod detach;
mod error;
mod headers;
pub(crate) mod message;
mod metadata;
mod new_topic;
mod notices;
pub(crate) mod produce_arguments;
mod producer;
mod register;
mod topic_partition;

use detach::detached;
pub(crate) use register::register;
