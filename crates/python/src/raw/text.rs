//! Text between CPython and Rust where PyO3 copies or cannot: UTF-8 with an error handler, a str's cached UTF-8, the bytes of a bytes object.
#![allow(unsafe_code)]
use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;

/// Decodes UTF-8 with the error handler named.
pub(crate) fn decode<'py>(py: Python<'py>, bytes: &[u8], handler: &CStr) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: start and length are those of a slice, the handler is null-terminated.
    unsafe {
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyUnicode_DecodeUTF8(bytes.as_ptr().cast(), bytes.len() as ffi::Py_ssize_t, handler.as_ptr()),
        )
    }
}
