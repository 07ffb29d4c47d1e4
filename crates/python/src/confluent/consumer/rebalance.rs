//! What a consumer's notices call: rebalance listeners, `on_commit`, `error_cb`, the logger; and the errors that `poll` returns. On the caller's
//! thread, in poll, consume and close (DESIGN section 5). Which partitions move when is the machine's.
//!
//! Of a partition that is taken away nothing is handed over from before its callback on (E17). What a callback does not do itself (assign,
//! unassign) is done after it, also when it raises, so that the group goes on.
use std::sync::atomic::Ordering;

use ottla::{Assigned, ConsumerError, Notice, OFFSET_INVALID, OffsetsCommitted, Rebalance, RebalanceKind, StartOffset};
use ottla_machines::error::Error;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::class::Consumer;
use super::commit;
use super::engine::Engine;
use crate::confluent::error::{self, KafkaError};
use crate::confluent::notices;
use crate::confluent::topic_partition::TopicPartition;

/// What serving came to.
pub(super) enum Served {
    /// Nothing waits that may be served now.
    All,
    /// An error that the call returns as a message; others may wait behind it.
    Event(Box<ConsumerError>),
    /// A rebalance waits until the records that the call holds are returned (E16).
    Rebalance,
}

/// Takes what the client has to say and calls back, oldest first; stops at the first callback that raises, the others wait. `holding`: the call
/// has records that it did not return yet.
pub(super) fn serve(consumer: &Bound<'_, Consumer>, engine: &Engine, holding: bool) -> PyResult<Served> {
    let py = consumer.py();
    engine.take_notices(py);
    if engine.notices.borrow(py).is_empty() {
        engine.note_pending(py);
        return Ok(Served::All);
    }
    // As there, a callback's time is no time between polls.
    py.detach(|| engine.client.polling(true));
    let served = consumer.get().calling_back(consumer, || serve_all(consumer, engine, holding));
    py.detach(|| engine.client.polling(false));
    engine.note_pending(py);
    served
}

fn serve_all(consumer: &Bound<'_, Consumer>, engine: &Engine, holding: bool) -> PyResult<Served> {
    let py = consumer.py();
    let this = consumer.get();
    loop {
        let notice = engine.notices.borrow(py).pop_front();
        let Some(notice) = notice else { return Ok(Served::All) };
        match notice {
            Notice::Rebalance(_) if holding || engine.rebalancing.load(Ordering::Relaxed) => {
                // Within a listener the next one waits until it has returned.
                engine.notices.borrow(py).push_front(notice);
                return Ok(if holding { Served::Rebalance } else { Served::All });
            }
            Notice::Rebalance(change) => rebalance(consumer, engine, &change)?,
            Notice::OffsetsCommitted(committed) => offsets_committed(py, this, &committed)?,
            Notice::ConsumerError(event) => return Ok(Served::Event(Box::new(event))),
            Notice::Error(_) | Notice::Log { .. } => {
                notices::serve_one(py, this.callbacks(), &engine.name, notice)?;
            }
        }
        if this.engine(py)?.is_none() {
            return Ok(Served::All);
        }
    }
}

fn rebalance(consumer: &Bound<'_, Consumer>, engine: &Engine, change: &Rebalance) -> PyResult<()> {
    let py = consumer.py();
    let this = consumer.get();
    py.detach(|| engine.client.begin_revoke(change));
    engine.eager.store(!change.incremental, Ordering::Relaxed);
    engine.owns.store(change.kind == RebalanceKind::Assign, Ordering::Relaxed);
    let before = engine.assignments.load(Ordering::Relaxed);
    // Whatever fails here, the rebalance is acknowledged: the group waits for it.
    let called = this.listeners().of(py, change.kind).map_or(Ok(()), |listener| {
        let partitions = change
            .partitions
            .iter()
            .map(|(topic, partition)| Bound::new(py, TopicPartition::of(topic, *partition, OFFSET_INVALID)));
        let partitions = PyList::new(py, partitions.collect::<PyResult<Vec<_>>>()?)?;
        engine.rebalancing.store(true, Ordering::Relaxed);
        let called = listener.call1((consumer, partitions));
        engine.rebalancing.store(false, Ordering::Relaxed);
        called.map(drop)
    });
    if this.engine(py)?.is_none() {
        return called;
    }
    let mut done = Ok(());
    if engine.assignments.load(Ordering::Relaxed) == before {
        done = py.detach(|| apply(engine, change));
    }
    py.detach(|| engine.client.acknowledge(change.epoch));
    called?;
    done.map_err(|failed| KafkaError::of_code(failed.code(), "Partition assignment failed").into_exception(py))
}

/// What the listener left to the client.
fn apply(engine: &Engine, change: &Rebalance) -> Result<(), Error> {
    let assigned = || {
        let all = change.partitions.iter();
        all.map(|(topic, partition)| Assigned {
            topic: topic.clone(),
            partition: *partition,
            start: StartOffset::Invalid,
        })
        .collect()
    };
    match (change.kind, change.incremental) {
        (RebalanceKind::Assign, false) => engine.client.assign(assigned()),
        (RebalanceKind::Assign, true) => engine.client.incremental_assign(assigned()),
        (_, false) => engine.client.unassign(),
        (_, true) => engine.client.incremental_unassign(&change.partitions),
    }
}

/// `on_commit(KafkaError or None, partitions)`.
fn offsets_committed(py: Python<'_>, this: &Consumer, committed: &OffsetsCommitted) -> PyResult<()> {
    // The key's place in a configuration is the one of a producer's `on_delivery`.
    let Some(callback) = this.callbacks().delivery.get(py) else { return Ok(()) };
    let failed = committed.error.as_ref().map(|failed| Py::new(py, KafkaError::from_client(&Error::new(failed.kind))));
    callback.call1((failed.transpose()?, commit::shown(py, &committed.offsets)?)).map(drop)
}

/// Serves all, whatever is raised; the last exception is kept, earlier ones in its context.
pub(super) fn serve_to_the_end(consumer: &Bound<'_, Consumer>, engine: &Engine, raised: &mut Option<PyErr>) {
    loop {
        match serve(consumer, engine, false) {
            Ok(Served::Event(_)) => {}
            Ok(_) => return,
            Err(latest) => note(consumer.py(), raised, latest),
        }
    }
}

/// Keeps `latest`, with what was raised before in its context.
pub(super) fn note(py: Python<'_>, raised: &mut Option<PyErr>, latest: PyErr) {
    if let Some(earlier) = raised.take() {
        error::set_context(py, &latest, earlier);
    }
    *raised = Some(latest);
}
