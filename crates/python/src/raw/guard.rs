//! The one way from C into a safe body: turns an error into a raised exception and stops a panic at the border, whatever it carries.
#![allow(unsafe_code)]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::PySystemError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Runs the body of a raw method; `Err` is raised, and a panic becomes a `SystemError`.
///
/// The body returns an owned reference. The calling thread is attached: only CPython calls raw methods.
#[inline(always)]
pub(crate) fn method(body: impl FnOnce(Python<'_>) -> PyResult<*mut ffi::PyObject>) -> *mut ffi::PyObject {
    run(ptr::null_mut(), body)
}

/// The same for slots that answer a number (`__init__`, `__len__`): -1 is an exception.
#[inline(always)]
pub(crate) fn number<T: From<i8>>(body: impl FnOnce(Python<'_>) -> PyResult<T>) -> T {
    run(T::from(-1), body)
}

#[inline(always)]
fn run<T>(failed: T, body: impl FnOnce(Python<'_>) -> PyResult<T>) -> T {
    // SAFETY: CPython calls methods and slots on attached threads alone.
    let py = unsafe { Python::assume_attached() };
    match catch_unwind(AssertUnwindSafe(|| body(py))) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            error.restore(py);
            failed
        }
        Err(payload) => {
            raise_panic(py, payload);
            failed
        }
    }
}

#[cold]
#[inline(never)]
fn raise_panic(py: Python<'_>, payload: Box<dyn std::any::Any + Send>) {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    // What a payload does when dropped is unknown: it may panic again.
    std::mem::forget(payload);
    PySystemError::new_err(format!("ottla: internal error: {text}")).restore(py);
}
