//! `Consumer.commit`, `store_offsets` and `committed`: arguments, waits and answers as in the original. What is committed when is the machine's.
use std::sync::Arc;

use ottla::{OFFSET_INVALID, OffsetAnswer, StoredOffset};
use ottla_machines::error::{Error, Kind};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::class::{Consumer, required};
use super::engine::Engine;
use crate::confluent::error::{self, KafkaError};
use crate::confluent::message;
use crate::confluent::metadata;
use crate::confluent::topic_partition::{self, Given, TopicPartition};
use crate::raw::arguments::{self, Call};
use crate::waiting;

const COMMIT: &str = "Commit failed";
const STORE: &str = "StoreOffsets failed";

/// None at once when asynchronous, else what became of each partition.
pub(super) fn commit(
    this: &Consumer,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<Option<Vec<TopicPartition>>> {
    let py = args.py();
    let engine = this.open(py)?;
    let given = arguments::commit(Call::new(args, kwargs))?;
    if given.message.is_some() && given.offsets.is_some() {
        return Err(PyValueError::new_err("message and offsets are mutually exclusive"));
    }
    let asynchronous = given.asynchronous.map_or(Ok(true), |given| given.is_truthy())?;
    let offsets = match (&given.message, &given.offsets) {
        (_, Some(offsets)) => Some(topic_partition::list(offsets)?.iter().map(stored).collect()),
        (Some(message), _) => Some(vec![behind(message, "commit")?]),
        (None, None) => None,
    };
    if asynchronous {
        py.detach(|| engine.client.commit_detached(offsets));
        return Ok(None);
    }
    let pending = py.detach(|| engine.client.commit(offsets, engine.commit_timeout));
    let answers = metadata::wait(py, &pending, None, COMMIT, Kind::TimedOut)?;
    // As there: what one partition failed with is the commit's error.
    if let Some(failed) = answers.iter().rev().find_map(|answer| answer.error.as_ref()) {
        return Err(error::raise(py, COMMIT, &Error::new(failed.kind)));
    }
    shown(py, &answers).map(Some)
}

/// The values of answers.
pub(super) fn shown(py: Python<'_>, answers: &[OffsetAnswer]) -> PyResult<Vec<TopicPartition>> {
    answers.iter().map(|answer| TopicPartition::committed(py, answer)).collect()
}

fn stored(given: &Given) -> StoredOffset {
    StoredOffset {
        topic: Arc::from(given.topic.as_str()),
        partition: given.partition,
        offset: given.offset,
        leader_epoch: given.leader_epoch,
        metadata: given.metadata.as_deref().map(Arc::from),
    }
}

/// The offset behind a message.
fn behind(message: &Bound<'_, PyAny>, verb: &str) -> PyResult<StoredOffset> {
    let origin =
        message::origin(message).ok_or_else(|| PyTypeError::new_err("expected confluent_kafka.cimpl.Message"))?;
    if let Some(error) = origin.error {
        let text = error.call_method0("str")?;
        let text = format!("Cannot {verb} offsets for message with error: '{text}'");
        return Err(KafkaError::of_code(Kind::InvalidArgument.librdkafka().code, text).into_exception(message.py()));
    }
    let topic = origin.topic.ok_or_else(|| PyTypeError::new_err("the message has no topic"))?;
    Ok(StoredOffset {
        topic: Arc::from(topic.str()?.to_str()?),
        partition: origin.partition,
        offset: origin.offset.saturating_add(1),
        leader_epoch: origin.leader_epoch,
        metadata: None,
    })
}

/// Notes offsets for the next commit.
pub(super) fn store_offsets(
    this: &Consumer,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    let py = args.py();
    let (message, offsets) = arguments::message_or_offsets(Call::new(args, kwargs))?;
    let engine = this.open(py)?;
    let offsets: Vec<StoredOffset> = match (&message, &offsets) {
        (Some(_), Some(_)) => return Err(PyValueError::new_err("message and offsets are mutually exclusive")),
        (None, None) => return Err(PyValueError::new_err("expected either message or offsets")),
        (_, Some(offsets)) => topic_partition::list(offsets)?.iter().map(stored).collect(),
        (Some(message), None) => vec![behind(message, "store")?],
    };
    if engine.store_on_handover {
        // The setting stores by itself, and the two would overwrite each other.
        return Err(error::raise(py, STORE, &Error::new(Kind::InvalidArgument)));
    }
    py.detach(|| store(engine, offsets)).map_err(|kind| error::raise(py, STORE, &Error::new(kind)))
}

/// Fails only where no offset could be stored, as there, with the last cause.
fn store(engine: &Engine, offsets: Vec<StoredOffset>) -> Result<(), Kind> {
    let outcomes: Vec<_> = offsets.into_iter().map(|offset| engine.client.store_offset(offset)).collect();
    if outcomes.iter().any(Result::is_ok) { Ok(()) } else { outcomes.last().copied().unwrap_or(Ok(())) }
}

/// The committed offsets, in the order that was asked for.
pub(super) fn committed(
    this: &Consumer,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<Vec<TopicPartition>> {
    let py = args.py();
    let (partitions, timeout) = arguments::partitions_and_timeout(Call::new(args, kwargs))?;
    let engine = this.open(py)?;
    let asked = topic_partition::list(&required(partitions)?)?;
    let deadline = waiting::deadline(timeout);
    let named = asked.iter().map(|given| (Arc::from(given.topic.as_str()), given.partition)).collect();
    let pending = py.detach(|| engine.client.committed(named, waiting::left(deadline)));
    let answers = metadata::wait(py, &pending, deadline, "Failed to get committed offsets", Kind::TimedOut)?;
    let found = |given: &Given| {
        let of = |answer: &&OffsetAnswer| *answer.topic == *given.topic && answer.partition == given.partition;
        match answers.iter().find(of) {
            Some(answer) => TopicPartition::committed(py, answer),
            None => Ok(TopicPartition::answer(given, OFFSET_INVALID, None)),
        }
    };
    asked.iter().map(found).collect()
}
