//! `list_topics` of every client: waits for the cluster's description and has the Python side make its classes of it.
use std::time::{Duration, Instant};

use ottla::{ClusterMetadata, PartitionInfo, Pending, TopicInfo};
use ottla_machines::error::{Error, Kind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use super::error::{self, KafkaError};
use crate::waiting;

const WHAT: &str = "Failed to get metadata";

/// The client ends each question at its deadline and knows best why; only when it does not is the wait ended here.
const GRACE: Duration = Duration::from_secs(1);

/// Waits for an answer until `deadline`, when it fails with `late`; errors say what was tried.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    pending: &Pending<T>,
    deadline: Option<Instant>,
    what: &str,
    late: Kind,
) -> PyResult<T> {
    let deadline = deadline.and_then(|deadline| deadline.checked_add(GRACE));
    match waiting::until(py, deadline, |end| pending.wait_until(end))? {
        Some(Ok(answer)) => Ok(answer),
        // The original shows the code's description here; what stood in the way is in the log and went to `error_cb`.
        Some(Err(error)) => Err(error::raise(py, what, &Error::new(error.kind))),
        None => Err(error::raise(py, what, &Error::new(late))),
    }
}

/// Waits for the description and makes a `ClusterMetadata`.
pub(crate) fn list_topics<'py>(
    py: Python<'py>,
    pending: &Pending<ClusterMetadata>,
    deadline: Option<Instant>,
) -> PyResult<Bound<'py, PyAny>> {
    let cluster = wait(py, pending, deadline, WHAT, Kind::Transport)?;
    let topics = PyList::empty(py);
    for topic in &cluster.topics {
        topics.append(topic_row(py, topic)?)?;
    }
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.import(py, "ottla.confluent_kafka.admin._metadata", "_cluster")?;
    let origin = (cluster.orig_broker_id, cluster.orig_broker_name);
    make.call1((cluster.cluster_id, cluster.controller_id, origin, cluster.brokers, topics))
}

fn topic_row<'py>(py: Python<'py>, topic: &TopicInfo) -> PyResult<Bound<'py, PyAny>> {
    let partitions = PyList::empty(py);
    for partition in &topic.partitions {
        partitions.append(partition_row(py, partition)?)?;
    }
    Ok((topic.name.as_str(), shown(py, topic.error.as_ref())?, partitions).into_pyobject(py)?.into_any())
}

fn partition_row<'py>(py: Python<'py>, partition: &PartitionInfo) -> PyResult<Bound<'py, PyAny>> {
    let error = shown(py, partition.error.as_ref())?;
    let row = (partition.id, partition.leader, partition.replicas.clone(), partition.isrs.clone(), error);
    Ok(row.into_pyobject(py)?.into_any())
}

fn shown(py: Python<'_>, error: Option<&Error>) -> PyResult<Option<Py<KafkaError>>> {
    error.map(|error| Py::new(py, KafkaError::from_client(error))).transpose()
}
