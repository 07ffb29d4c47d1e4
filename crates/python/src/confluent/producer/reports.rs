//! Delivery reports: each record's callback, called with its error and its message on the thread that polls. A message borrows its record from
//! the batch while the callback runs. However a callback ends, its record leaves the count; two deep at most.
#![allow(unsafe_code)]
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::Ordering;

use ottla::{Place, Report, ReportBatch};
use ottla_protocol::records::RawHeaders;
use pyo3::ffi;
use pyo3::prelude::*;

use super::class::Producer;
use super::engine::{Callback, Engine};
use crate::confluent::error::{self, KafkaError};
use crate::confluent::message::{self, New, RecordSource};
use crate::confluent::notices;

/// Callbacks within callbacks, beyond which nothing is served.
const DEEPEST: u32 = 2;

thread_local! {
    /// Callbacks of this thread that have not returned.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is in a callback.
pub(super) fn in_callback() -> bool {
    DEPTH.get() > 0
}

/// What serving came to.
#[derive(Default)]
pub(super) struct Served {
    pub(super) calls: usize,
    /// The last exception, earlier ones in its context.
    pub(super) raised: Option<PyErr>,
}

/// Serves what is ready: reports, then errors and log lines. Stops at the first callback that raises, or with `all` serves the rest too.
#[inline]
pub(super) fn serve(py: Python<'_>, producer: &Producer, engine: &Engine, all: bool) -> Served {
    let mut served = Served::default();
    if DEPTH.get() >= DEEPEST {
        return served;
    }
    let mut any = false;
    while let Some((batch, report)) = engine.next_report(py) {
        let outcome = report_one(py, producer, engine, batch, report);
        any = true;
        served.calls += usize::from(*outcome.as_ref().unwrap_or(&true));
        let stop = !engine.is_ours() || (outcome.is_err() && !all);
        served.note(py, outcome.map(|_| ()));
        if stop {
            break;
        }
    }
    if engine.is_ours() {
        if any {
            engine.settle(py);
        }
        if engine.has_notices(py) {
            serve_notices(py, producer, engine, all, &mut served);
        }
    }
    served
}

#[cold]
fn serve_notices(py: Python<'_>, producer: &Producer, engine: &Engine, all: bool, served: &mut Served) {
    engine.take_notices(py);
    while served.raised.is_none() || all {
        match notices::serve(py, producer.callbacks(), &engine.name, &engine.notices) {
            Ok(calls) => {
                served.calls += calls;
                return;
            }
            Err(error) => served.note(py, Err(error)),
        }
    }
}

impl Served {
    /// Adds what a further round came to.
    pub(super) fn add(&mut self, py: Python<'_>, further: Self) {
        self.calls += further.calls;
        if let Some(error) = further.raised {
            self.raise(py, error);
        }
    }

    /// Notes a further exception.
    pub(super) fn raise(&mut self, py: Python<'_>, error: PyErr) {
        self.note(py, Err(error));
    }

    /// `value`, or the last exception.
    pub(super) fn into_result<T>(self, value: T) -> PyResult<T> {
        self.raised.map_or(Ok(value), Err)
    }

    /// The number of calls, or the exception; a close that a callback asked for is done first.
    #[inline]
    pub(super) fn finish(mut self, py: Python<'_>, producer: &Producer, engine: &Engine) -> PyResult<usize> {
        if engine.close_asked.load(Ordering::Relaxed)
            && let Err(error) = producer.shut_if_asked(py, engine)
        {
            self.raise(py, error);
        }
        let calls = self.calls;
        self.into_result(calls)
    }

    fn note(&mut self, py: Python<'_>, outcome: PyResult<()>) {
        if let Err(error) = outcome {
            let earlier = self.raised.take();
            if let Some(earlier) = earlier {
                error::set_context(py, &error, earlier);
            }
            self.raised = Some(error);
        }
    }
}

/// Takes a record out of the count, however its callback ends.
struct Running<'a, 'py> {
    py: Python<'py>,
    engine: &'a Engine,
    bytes: usize,
}

impl<'a, 'py> Running<'a, 'py> {
    fn new(py: Python<'py>, engine: &'a Engine, bytes: usize) -> Self {
        DEPTH.set(DEPTH.get() + 1);
        engine.running.fetch_add(1, Ordering::Relaxed);
        Self { py, engine, bytes }
    }
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        self.engine.running.fetch_sub(1, Ordering::Relaxed);
        self.engine.served(self.py, self.bytes);
    }
}

/// Calls back for one record; whether it did.
fn report_one(
    py: Python<'_>,
    producer: &Producer,
    engine: &Engine,
    batch: *const ReportBatch,
    report: Report<Callback>,
) -> PyResult<bool> {
    let running = Running::new(py, engine, report.place.bytes as usize);
    // SAFETY: the engine keeps the batch while a callback runs, which is noted now and until after the last use.
    let batch = unsafe { &*batch };
    let callback = report.attachment.into_bound(py);
    let error = batch.error_of(report.place);
    if error.is_none() && producer.reports_errors_alone() {
        drop(running);
        return Ok(false);
    }
    let shown = error.map(|error| Bound::new(py, KafkaError::from_client(&error))).transpose()?;
    let record = Record { batch, place: report.place };
    let (timestamp_type, timestamp) = match (&shown, batch.log_append_time) {
        (Some(_), _) => (0, -1),
        (None, Some(time)) => (2, time),
        (None, None) => (1, message::TIMESTAMP_LENT),
    };
    let topic = engine.topic(py, &batch.topic).into_bound(py);
    let new = New {
        topic: topic.as_ptr(),
        key: ptr::null_mut(),
        value: ptr::null_mut(),
        error: shown.as_ref().map_or(ptr::null_mut(), |shown| shown.clone().into_ptr()),
        wire_headers: None,
        partition: batch.partition,
        offset: batch.offset_of(report.place),
        timestamp,
        timestamp_type,
        leader_epoch: -1,
        latency_us: i64::try_from(batch.latency_us()).unwrap_or(i64::MAX),
    };
    // SAFETY: attached; the message is made here, borrows `record` and is taken back before that ends; it is owned until the end.
    unsafe {
        let message = Bound::from_owned_ptr(py, message::make(py, new)?);
        message::lend(message.as_ptr(), &record);
        let first = shown.as_ref().map_or(ffi::Py_None(), |shown| shown.as_ptr());
        let end = ptr::null_mut::<ffi::PyObject>();
        let result = ffi::PyObject_CallFunctionObjArgs(callback.as_ptr(), first, message.as_ptr(), end);
        let result = Bound::from_owned_ptr_or_err(py, result);
        let kept = message::take_back(py, message.as_ptr());
        drop(running);
        result.and(kept).map(|()| true)
    }
}

/// The reported record, as a message finds it: read from its batch only when something of it is asked for.
struct Record<'a> {
    batch: &'a ReportBatch,
    place: Place,
}

impl RecordSource for Record<'_> {
    fn key(&self) -> Option<&[u8]> {
        self.batch.record(self.place)?.key
    }

    fn value(&self) -> Option<&[u8]> {
        self.batch.record(self.place)?.value
    }

    fn headers(&self) -> RawHeaders<'_> {
        self.batch.record(self.place).map(|record| record.headers).unwrap_or_default()
    }

    fn timestamp_ms(&self) -> i64 {
        self.batch.record(self.place).map_or(-1, |record| record.timestamp_ms)
    }
}

/// Whether this thread is so deep in callbacks that nothing more is served.
pub(super) fn is_deepest() -> bool {
    DEPTH.get() >= DEEPEST
}
