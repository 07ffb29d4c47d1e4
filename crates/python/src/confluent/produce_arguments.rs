//! The arguments of `produce` and of `poll`, reduced to pointers and lengths: the usual types in place, without a copy; whatever else there is by
//! the slow parser, which takes and refuses what the original does, with its texts. What the values mean is decided by `produce`.
#![allow(unsafe_code)]
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::raw::arguments::{self, Call};
use crate::raw::fastcall::{Arguments, Names};

static PRODUCE: Names<8> =
    Names::new([c"topic", c"value", c"key", c"partition", c"callback", c"on_delivery", c"timestamp", c"headers"]);
static TIMEOUT: Names<1> = Names::new([c"timeout"]);

/// The arguments of one call. Views and pointers are borrowed from the caller's arguments.
pub(crate) struct Produce<'a, 'py> {
    pub(crate) topic: &'a str,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) partition: i32,
    /// Null for none.
    pub(crate) callback: *mut ffi::PyObject,
    /// Milliseconds, 0 for now.
    pub(crate) timestamp: i64,
    /// Null for none.
    pub(crate) headers: *mut ffi::PyObject,
    /// Keeps what the views point to where the slow parser made it.
    _collected: Option<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)>,
}

/// Interns the names, at module start.
pub(crate) fn intern(py: Python<'_>) -> PyResult<()> {
    PRODUCE.intern(py)?;
    TIMEOUT.intern(py)
}

/// Reads the arguments of `produce`.
#[inline(always)]
pub(crate) fn parse<'a, 'py>(py: Python<'py>, given: &'a Arguments<'py>) -> PyResult<Produce<'a, 'py>> {
    match fast(given) {
        Some(parsed) => Ok(parsed),
        None => slow(py, given),
    }
}

#[inline(always)]
fn fast<'a, 'py>(given: &'a Arguments<'py>) -> Option<Produce<'a, 'py>> {
    let [topic, value, key, partition, callback, on_delivery, timestamp, headers] = given.lay_out(&PRODUCE)?;
    Some(Produce {
        topic: text(topic)?,
        value: payload(value)?,
        key: payload(key)?,
        partition: if partition.is_null() { -1 } else { small(partition)? },
        callback: chosen(callback, on_delivery),
        timestamp: if timestamp.is_null() { 0 } else { long(timestamp)? },
        headers: present(headers),
        _collected: None,
    })
}

#[cold]
#[inline(never)]
fn slow<'a, 'py>(_py: Python<'py>, given: &'a Arguments<'py>) -> PyResult<Produce<'a, 'py>> {
    let collected = given.collect()?;
    let parsed = arguments::produce(Call::new(&collected.0, collected.1.as_ref()))?;
    // SAFETY: what the views point to belongs to the objects in `collected`, which goes with them and outlives every use of the views.
    let (topic, value, key) = unsafe {
        (
            &*ptr::from_ref(parsed.topic),
            parsed.value.map(|value| &*ptr::from_ref(value)),
            parsed.key.map(|key| &*ptr::from_ref(key)),
        )
    };
    let (partition, timestamp) = (parsed.partition, parsed.timestamp);
    let (callback, headers) = (chosen(parsed.callback, parsed.on_delivery), present(parsed.headers));
    Ok(Produce { topic, value, key, partition, callback, timestamp, headers, _collected: Some(collected) })
}

/// `callback` goes before `on_delivery` where it is given at all; None is none.
#[inline(always)]
fn chosen(callback: *mut ffi::PyObject, on_delivery: *mut ffi::PyObject) -> *mut ffi::PyObject {
    present(if callback.is_null() { on_delivery } else { callback })
}

#[inline(always)]
fn present(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: only the address of None is taken.
    if object == unsafe { ffi::Py_None() } { ptr::null_mut() } else { object }
}

/// The UTF-8 that a str keeps; `None` for another type, a NUL, or what has no UTF-8.
#[inline(always)]
fn text<'a>(object: *mut ffi::PyObject) -> Option<&'a str> {
    let bytes = utf8(object)?;
    if bytes.contains(&0) {
        return None;
    }
    // SAFETY: CPython's cached UTF-8 is UTF-8.
    Some(unsafe { std::str::from_utf8_unchecked(bytes) })
}

#[inline(always)]
fn utf8<'a>(object: *mut ffi::PyObject) -> Option<&'a [u8]> {
    // SAFETY: the object is null or a live argument; the cached UTF-8 lives as long as it, and so longer than the call.
    unsafe {
        if object.is_null() || ffi::PyUnicode_Check(object) == 0 {
            return None;
        }
        let mut length = 0;
        let start = ffi::PyUnicode_AsUTF8AndSize(object, &raw mut length);
        if start.is_null() {
            // The slow parser raises it again.
            ffi::PyErr_Clear();
            return None;
        }
        Some(std::slice::from_raw_parts(start.cast(), length as usize))
    }
}

/// A key or a value: outer `None` for a type that the slow parser must look at, inner for null.
#[inline(always)]
fn payload<'a>(object: *mut ffi::PyObject) -> Option<Option<&'a [u8]>> {
    // SAFETY: the object is null or a live argument; its bytes are immutable and live as long as it.
    unsafe {
        if object.is_null() || object == ffi::Py_None() {
            return Some(None);
        }
        if ffi::PyBytes_CheckExact(object) != 0 {
            let start = ffi::PyBytes_AsString(object);
            return Some(Some(std::slice::from_raw_parts(start.cast(), ffi::Py_SIZE(object) as usize)));
        }
    }
    utf8(object).map(Some)
}

#[inline(always)]
fn long(object: *mut ffi::PyObject) -> Option<i64> {
    // SAFETY: a live argument.
    unsafe {
        if ffi::PyLong_CheckExact(object) == 0 {
            return None;
        }
        let number = ffi::PyLong_AsLongLong(object);
        if number == -1 && !ffi::PyErr_Occurred().is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(number)
    }
}

#[inline(always)]
fn small(object: *mut ffi::PyObject) -> Option<i32> {
    long(object)?.try_into().ok()
}

/// Reads `(timeout=-1)`, in seconds.
#[inline(always)]
pub(crate) fn timeout(given: &Arguments<'_>) -> PyResult<f64> {
    match given.lay_out(&TIMEOUT) {
        Some([timeout]) if timeout.is_null() => Ok(-1.0),
        Some([timeout]) => match number(timeout) {
            Some(timeout) => Ok(timeout),
            None => slow_timeout(given),
        },
        None => slow_timeout(given),
    }
}

#[inline(always)]
pub(crate) fn number(object: *mut ffi::PyObject) -> Option<f64> {
    // SAFETY: a live argument; neither call raises for an exact float.
    unsafe {
        if ffi::PyFloat_CheckExact(object) != 0 {
            return Some(ffi::PyFloat_AsDouble(object));
        }
    }
    long(object).map(|number| number as f64)
}

#[cold]
#[inline(never)]
fn slow_timeout(given: &Arguments<'_>) -> PyResult<f64> {
    let (args, kwargs) = given.collect()?;
    arguments::timeout(Call::new(&args, kwargs.as_ref()))
}
