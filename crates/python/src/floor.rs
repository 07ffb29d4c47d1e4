//! `ottla._native._floor`: what Python itself costs. Native methods that parse their arguments and make their objects as the real ones do, and
//! nothing else: no queue, no lock, no client. The benchmark runs its loops over them in the same run, as the floor to compare with (DESIGN 4).
#![allow(unsafe_code)]
use std::cell::UnsafeCell;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyString};

use crate::confluent::{message, produce_arguments};
use crate::raw::fastcall::{self, Arguments};
use crate::raw::{arguments, guard};

/// Takes what `produce` takes; keeps the last callback, and `poll` and `flush` call it once for each record
/// that came with one.
#[pyclass(module = "ottla._native._floor", name = "Producer", frozen)]
struct Producer {
    kept: Kept,
}

/// The callback of the last `produce`, a topic, and how many records wait for their report.
struct Kept(UnsafeCell<(Option<Py<PyAny>>, Py<PyString>, usize)>);
// SAFETY: touched by attached threads alone, and the module asks for the GIL.
unsafe impl Sync for Kept {}

/// Gives `n` messages of 100 bytes with a key of 8, again and again.
#[pyclass(module = "ottla._native._floor", name = "Consumer", frozen)]
struct Consumer {
    topic: Py<PyString>,
    left: std::sync::atomic::AtomicUsize,
}

#[pymethods]
impl Producer {
    #[new]
    fn __new__(py: Python<'_>) -> Self {
        Self { kept: Kept(UnsafeCell::new((None, PyString::new(py, "floor").unbind(), 0))) }
    }

    /// Serves what waits; nothing is ever left.
    fn flush(&self, py: Python<'_>, _timeout: f64) -> PyResult<usize> {
        self.serve(py)?;
        Ok(0)
    }
}

#[pymethods]
impl Consumer {
    #[new]
    fn __new__(py: Python<'_>, n: usize) -> Self {
        Self { topic: PyString::new(py, "floor").unbind(), left: n.into() }
    }
}

const VALUE: [u8; 100] = [b'v'; 100];
const KEY: [u8; 8] = [b'k'; 8];

fn make(py: Python<'_>, topic: &Py<PyString>) -> PyResult<*mut ffi::PyObject> {
    message::make(
        py,
        message::New {
            topic: topic.as_ptr(),
            key: message::bytes(py, Some(&KEY))?,
            value: message::bytes(py, Some(&VALUE))?,
            error: std::ptr::null_mut(),
            wire_headers: None,
            partition: 0,
            offset: 0,
            timestamp: 0,
            timestamp_type: 1,
            leader_epoch: 0,
            latency_us: -1,
        },
    )
}

unsafe extern "C" fn produce(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so; the descriptor checked self.
        let (given, this) = unsafe {
            let this = Borrowed::from_ptr(py, slf);
            (Arguments::new(py, start, positional, names), this)
        };
        let given = produce_arguments::parse(py, &given)?;
        if !given.callback.is_null() {
            // SAFETY: the class was checked; the callback is borrowed from the arguments; the old one is dropped after the new one is in place.
            unsafe {
                let kept = &mut *this.cast_unchecked::<Producer>().get().kept.0.get();
                kept.2 += 1;
                if kept.0.as_ref().is_none_or(|callback| callback.as_ptr() != given.callback) {
                    let old = kept.0.replace(Bound::from_borrowed_ptr(py, given.callback).unbind());
                    drop(old.map(|old| old.into_bound(py)));
                }
            }
        }
        Ok(py.None().into_ptr())
    })
}

unsafe extern "C" fn producer_poll(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so; the descriptor checked self.
        let (given, this) = unsafe {
            let this = Borrowed::from_ptr(py, slf);
            (Arguments::new(py, start, positional, names), this)
        };
        produce_arguments::timeout(&given)?;
        // SAFETY: the class was checked.
        let served = unsafe { this.cast_unchecked::<Producer>() }.get().serve(py)?;
        // SAFETY: attached.
        Ok(unsafe { ffi::PyLong_FromSize_t(served) })
    })
}

impl Producer {
    /// Makes a message for each record that waits and calls the callback with it; how many.
    fn serve(&self, py: Python<'_>) -> PyResult<usize> {
        // SAFETY: attached threads alone come here, and nothing stays borrowed while the callback runs.
        let (callback, topic, waiting) = unsafe {
            let kept = &mut *self.kept.0.get();
            let waiting = std::mem::take(&mut kept.2);
            let Some(callback) = kept.0.as_ref().filter(|_| waiting > 0) else { return Ok(0) };
            (callback.bind(py).clone(), kept.1.bind(py).clone().unbind(), waiting)
        };
        for _ in 0..waiting {
            // SAFETY: attached; the new references are owned at once.
            unsafe {
                let message = Bound::from_owned_ptr(py, make(py, &topic)?);
                let none = ffi::Py_None();
                let end = std::ptr::null_mut::<ffi::PyObject>();
                let result = ffi::PyObject_CallFunctionObjArgs(callback.as_ptr(), none, message.as_ptr(), end);
                drop(Bound::from_owned_ptr_or_err(py, result)?);
            }
        }
        drop(topic.into_bound(py));
        Ok(waiting)
    }
}

unsafe extern "C" fn consumer_poll(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so; the descriptor checked self.
        let (given, this) = unsafe {
            let this = Borrowed::from_ptr(py, slf);
            (Arguments::new(py, start, positional, names), this)
        };
        produce_arguments::timeout(&given)?;
        // SAFETY: the class was checked.
        let this = unsafe { this.cast_unchecked::<Consumer>() };
        let this = this.get();
        if !this.take(1) {
            return Ok(py.None().into_ptr());
        }
        make(py, &this.topic)
    })
}

impl Consumer {
    fn take(&self, number: usize) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.left.load(Relaxed);
        if left >= number {
            self.left.store(left - number, Relaxed);
        }
        left >= number
    }
}

unsafe extern "C" fn consumer_consume(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so; the descriptor checked self.
        let (given, this) = unsafe {
            let this = Borrowed::from_ptr(py, slf);
            (Arguments::new(py, start, positional, names), this)
        };
        let (args, kwargs) = given.collect()?;
        let (number, _) = arguments::consume(arguments::Call::new(&args, kwargs.as_ref()))?;
        // SAFETY: the class was checked.
        let this = unsafe { this.cast_unchecked::<Consumer>() };
        let this = this.get();
        let number = if this.take(number as usize) { number as ffi::Py_ssize_t } else { 0 };
        // SAFETY: each place of the new list is filled once; the list takes the reference.
        unsafe {
            let list = Bound::from_owned_ptr_or_err(py, ffi::PyList_New(number))?;
            for at in 0..number {
                ffi::PyList_SetItem(list.as_ptr(), at, make(py, &this.topic)?);
            }
            Ok(list.into_ptr())
        }
    })
}

/// Adds the submodule.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let floor = PyModule::new(py, "_floor")?;
    floor.add_class::<Producer>()?;
    floor.add_class::<Consumer>()?;
    let producer = py.get_type::<Producer>();
    fastcall::add_method(&producer, c"produce", c"produce($self, topic, value=None, key=None, partition=-1, callback=None, on_delivery=None, timestamp=0, headers=None)\n--\n\n", produce)?;
    fastcall::add_method(&producer, c"poll", c"poll($self, timeout=-1)\n--\n\n", producer_poll)?;
    let consumer = py.get_type::<Consumer>();
    fastcall::add_method(&consumer, c"poll", c"poll($self, timeout=-1)\n--\n\n", consumer_poll)?;
    fastcall::add_method(
        &consumer,
        c"consume",
        c"consume($self, num_messages=1, timeout=-1)\n--\n\n",
        consumer_consume,
    )?;
    module.add_submodule(&floor)
}
