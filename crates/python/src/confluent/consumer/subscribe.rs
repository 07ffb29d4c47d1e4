//! `Consumer.subscribe` and `unsubscribe`: which topics, and who is told of rebalances. What a subscription means is the machine's.
use std::sync::Arc;

use ottla::RebalanceKind;
use ottla_machines::error::Error;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::class::Consumer;
use crate::confluent::error;
use crate::raw::arguments::{self, Call};
use crate::raw::attached::Slot;
use crate::waiting;

/// The callbacks of a subscription.
pub(super) struct Listeners {
    on_assign: Slot,
    on_revoke: Slot,
    on_lost: Slot,
}

impl Listeners {
    pub(super) const fn none() -> Self {
        Self { on_assign: Slot::new(None), on_revoke: Slot::new(None), on_lost: Slot::new(None) }
    }

    /// Whom a rebalance calls: without `on_lost`, `on_revoke` hears of lost partitions, as in the original.
    pub(super) fn of<'py>(&self, py: Python<'py>, kind: RebalanceKind) -> Option<Bound<'py, PyAny>> {
        match kind {
            RebalanceKind::Assign => self.on_assign.get(py),
            RebalanceKind::Revoke => self.on_revoke.get(py),
            RebalanceKind::Lost => self.on_lost.get(py).or_else(|| self.on_revoke.get(py)),
        }
    }

    fn set(&self, py: Python<'_>, [on_assign, on_revoke, on_lost]: [Option<Bound<'_, PyAny>>; 3]) {
        self.on_assign.set(py, on_assign);
        self.on_revoke.set(py, on_revoke);
        self.on_lost.set(py, on_lost);
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.on_assign, &self.on_revoke, &self.on_lost].into_iter().try_for_each(|slot| slot.traverse(visit))
    }

    pub(super) fn clear(&self, py: Python<'_>) {
        self.set(py, [None, None, None]);
    }
}

pub(super) fn subscribe(
    this: &Consumer,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    let py = args.py();
    let [topics, on_assign, on_revoke, on_lost] = arguments::subscribe(Call::new(args, kwargs))?;
    let engine = this.open(py)?;
    let topics = topics.and_then(|topics| topics.cast_into::<PyList>().ok());
    let topics = topics.ok_or_else(|| PyTypeError::new_err("expected list of topic unicode strings"))?;
    for (name, callback) in [("on_assign", &on_assign), ("on_revoke", &on_revoke), ("on_lost", &on_lost)] {
        if callback.as_ref().is_some_and(|callback| !callback.is_callable()) {
            return Err(PyTypeError::new_err(format!("{name} expects a callable")));
        }
    }
    let topics = topics.iter().map(|topic| name(&topic)).collect::<PyResult<Vec<_>>>()?;
    let pending = py.detach(|| engine.client.subscribe(topics));
    let answered = waiting::until(py, None, |end| pending.wait_until(end));
    if let Ok(Some(Err(refused))) = answered {
        return Err(error::raise(py, "Failed to set subscription", &Error::new(refused.kind)));
    }
    // A subscription whose wait was interrupted has begun too.
    this.listeners().set(py, [on_assign, on_revoke, on_lost]);
    answered.map(drop)
}

/// Returns when the machine has taken it in: what is assigned is revoked by the next call, before another record (as there).
pub(super) fn unsubscribe(this: &Consumer, py: Python<'_>) -> PyResult<()> {
    let engine = this.open(py)?;
    let pending = py.detach(|| engine.client.unsubscribe());
    match waiting::until(py, None, |end| pending.wait_until(end))? {
        Some(Err(refused)) => Err(error::raise(py, "Failed to remove subscription", &Error::new(refused.kind))),
        _ => Ok(()),
    }
}

/// Anything is taken as its text, as there.
fn name(topic: &Bound<'_, PyAny>) -> PyResult<Arc<str>> {
    let text = topic.str().map_err(|_| PyTypeError::new_err("expected list of unicode strings"))?;
    Ok(Arc::from(text.to_str()?))
}
