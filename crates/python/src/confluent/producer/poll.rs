//! `Producer.poll`, raw: serves what is ready without waiting; waits, detached, only when nothing is.
#![allow(unsafe_code)]
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::class::Producer;
use super::reports;
use crate::confluent::produce_arguments;
use crate::raw::fastcall::{self, Arguments};
use crate::raw::guard;
use crate::waiting;

unsafe extern "C" fn poll(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so, and the descriptor has checked self.
        let (given, this) = unsafe { (Arguments::new(py, start, positional, names), Borrowed::from_ptr(py, slf)) };
        let timeout = produce_arguments::timeout(&given)?;
        // SAFETY: as above.
        let this = unsafe { this.cast_unchecked::<Producer>() };
        let served = serve(py, this.get(), timeout)?;
        Ok(served.into_pyobject(py)?.into_ptr())
    })
}

#[inline(always)]
fn serve(py: Python<'_>, this: &Producer, timeout: f64) -> PyResult<usize> {
    let engine = this.open(py)?;
    let served = reports::serve(py, this, engine, false).finish(py, this, engine)?;
    if served > 0 || timeout == 0.0 || reports::is_deepest() { Ok(served) } else { wait(py, this, timeout) }
}

#[cold]
#[inline(never)]
fn wait(py: Python<'_>, this: &Producer, timeout: f64) -> PyResult<usize> {
    let deadline = waiting::deadline(timeout);
    loop {
        // Asked anew each time: a callback or a signal's handler may have forked or closed.
        let Some(engine) = this.engine(py)? else { return Ok(0) };
        let found = waiting::until(py, deadline, |end| engine.client.wait_for_reports(end).then_some(()))?;
        let Some(engine) = this.engine(py)? else { return Ok(0) };
        let served = reports::serve(py, this, engine, false).finish(py, this, engine)?;
        // A client that has failed has nothing more to give.
        if served > 0 || found.is_none() || engine.client.failure().is_some() {
            return Ok(served);
        }
    }
}

const DOC: &std::ffi::CStr = c"poll($self, timeout=-1)\n--\n\n\
Serve delivery reports, errors and log lines: call back for each that is ready.\n\nWaits up to `timeout` seconds for the first, -1 for ever, 0 not at all. Returns how many calls were made.";

pub(super) fn register(class: &Bound<'_, PyType>) -> PyResult<()> {
    fastcall::add_method(class, c"poll", DOC, poll)
}
