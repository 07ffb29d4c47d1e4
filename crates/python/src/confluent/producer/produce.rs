//! `produce`, raw: the arguments as pointers and lengths, then the client's append, on the caller's thread and without an allocation (E5).
#![allow(unsafe_code)]
use std::cell::Cell;

use ottla::{AppendError, NewRecord};
use ottla_protocol::records::EncodedHeaders;
use pyo3::exceptions::{PyBufferError, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::class::{CLOSED, Producer};
use super::engine::{Callback, Engine};
use crate::confluent::headers::Encoded;
use crate::confluent::{detached, error, produce_arguments};
use crate::raw::fastcall::{self, Arguments};
use crate::raw::guard;

const WHAT: &str = "Unable to produce message";

thread_local! {
    /// The buffer for headers, kept from call to call.
    static HEADERS: Cell<Option<Box<Encoded>>> = const { Cell::new(None) };
}

unsafe extern "C" fn produce(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so, and the descriptor has checked self.
        let (given, this) = unsafe { (Arguments::new(py, start, positional, names), Borrowed::from_ptr(py, slf)) };
        let given = produce_arguments::parse(py, &given)?;
        // SAFETY: as above.
        let this = unsafe { this.cast_unchecked::<Producer>() };
        let this = this.get();
        let engine = this.open(py)?;
        let callback = match given.callback.is_null() {
            true => this.callbacks().delivery.get(py),
            // SAFETY: borrowed from the arguments.
            false => Some(unsafe { Bound::from_borrowed_ptr(py, given.callback) }),
        };
        let mut record = NewRecord {
            topic: given.topic,
            partition: given.partition,
            key: given.key,
            value: given.value,
            headers: EncodedHeaders::default(),
            timestamp_ms: if given.timestamp == 0 { ottla::record_timestamp_ms() } else { given.timestamp },
        };
        if given.headers.is_null() {
            append(py, engine, &record, callback)?;
        } else {
            // SAFETY: borrowed from the arguments.
            let headers = unsafe { Bound::from_borrowed_ptr(py, given.headers) };
            let mut encoded = HEADERS.take().unwrap_or_default();
            let result = encoded.fill(&headers).and_then(|()| {
                // Reading the headers may have run Python code.
                let engine = this.open(py)?;
                record.headers = encoded.view();
                append(py, engine, &record, callback)
            });
            HEADERS.set(Some(encoded));
            result?;
        }
        Ok(py.None().into_ptr())
    })
}

#[inline(always)]
fn append(py: Python<'_>, engine: &Engine, record: &NewRecord<'_>, callback: Option<Bound<'_, PyAny>>) -> PyResult<()> {
    match engine.client.append(record, callback.map(Bound::unbind), &mut detached(py)) {
        Ok(()) => Ok(()),
        Err((refused, callback)) => refuse(py, engine, record, refused, callback),
    }
}

#[cold]
#[inline(never)]
fn refuse(
    py: Python<'_>,
    engine: &Engine,
    record: &NewRecord<'_>,
    refused: AppendError,
    callback: Option<Callback>,
) -> PyResult<()> {
    let (refused, callback) = match refused {
        // Callbacks that have run may not be counted yet.
        AppendError::Full { .. } if engine.settle(py) => {
            match engine.client.append(record, callback, &mut detached(py)) {
                Ok(()) => return Ok(()),
                Err(again) => again,
            }
        }
        _ => (refused, callback),
    };
    drop(callback.map(|callback| callback.into_bound(py)));
    Err(match refused {
        AppendError::Closed | AppendError::Forked => PyRuntimeError::new_err(CLOSED),
        AppendError::Full { reports: 0 } => PyBufferError::new_err("Local: Queue full"),
        AppendError::Full { reports } => {
            PyBufferError::new_err(format!("Local: Queue full: {reports} delivery reports wait for poll()"))
        }
        AppendError::Fatal(error) | AppendError::Refused(error) => error::raise(py, WHAT, &error),
    })
}

const DOC: &std::ffi::CStr = c"produce($self, topic, value=None, key=None, partition=-1, callback=None, on_delivery=None, timestamp=0, headers=None)\n--\n\n\
Queue a record for `topic` and return.\n\nstr is sent as UTF-8. `partition` -1 leaves the choice to the partitioner. `callback` (or `on_delivery`) is called with\n\
(KafkaError or None, Message) from poll(), flush() or close() when the record is delivered or has failed. `timestamp` is in milliseconds,\n\
0 for now. `headers` is a dict or a list of (key, value). Raises BufferError while the queue is full: call poll() and try again.";

pub(super) fn register(class: &Bound<'_, PyType>) -> PyResult<()> {
    fastcall::add_method(class, c"produce", DOC, produce)
}
