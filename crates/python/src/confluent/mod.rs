//! What `ottla.confluent_kafka` is made of: its classes, its rules of arguments, and its callbacks. Names and documentation for users stand in
//! the Python files; what a client does stands in `ottla` and `ottla_machines`.
//!
//! * `error`: `KafkaError` and the exceptions. `topic_partition`, `new_topic`: the value classes.
//! * `message`: the raw `Message` type. `headers`: headers from and to Python objects.
pub(crate) mod error;
pub(crate) mod headers;
pub(crate) mod message;
pub(crate) mod new_topic;
pub(crate) mod produce_arguments;
pub(crate) mod topic_partition;

use pyo3::prelude::*;

/// Adds the face's classes to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    produce_arguments::intern(module.py())?;
    error::register(module)?;
    message::register(module)?;
    module.add_class::<topic_partition::TopicPartition>()?;
    module.add_class::<new_topic::NewTopic>()
}
