//! Puts the face's classes and functions into the extension module.
use pyo3::prelude::*;

use super::{admin, consumer, error, message, new_topic, produce_arguments, producer, topic_partition};

/// Adds everything.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    produce_arguments::intern(module.py())?;
    error::register(module)?;
    message::register(module)?;
    module.add_class::<topic_partition::TopicPartition>()?;
    module.add_class::<new_topic::NewTopic>()?;
    producer::register(module)?;
    module.add_function(wrap_pyfunction!(producer::flush_all, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_child, module)?)?;
    consumer::register(module)?;
    admin::register(module)
}

/// Called by `os.register_at_fork`: raises the generation, as the hook in C has done already.
#[pyfunction(name = "_after_fork_in_child")]
fn after_fork_in_child() {
    ottla::fork::after_fork_in_child();
}
