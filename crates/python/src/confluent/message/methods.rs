//! What Python sees of a message: its methods and slots. Each raw function finds a message behind its first argument, because descriptors and
//! slots check the type of self.
#![allow(unsafe_code)]
use std::ptr;

use ottla_protocol::records::RawHeaders;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::object::{Message, settle};
use crate::confluent::headers;
use crate::raw::arguments::{self, Call};
use crate::raw::guard;

/// A new reference to what is stored, None for null.
///
/// # Safety
/// `stored` is null or alive; the thread is attached.
#[inline(always)]
unsafe fn shown(stored: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as promised.
    unsafe {
        let object = if stored.is_null() { ffi::Py_None() } else { stored };
        ffi::Py_INCREF(object);
        object
    }
}

/// Stores a new reference to `given` (null for None) and drops the old one, in this order.
///
/// # Safety
/// `place` is a field of a live message, `given` null or alive.
unsafe fn store(place: *mut *mut ffi::PyObject, given: *mut ffi::PyObject) {
    // SAFETY: as promised; dropping the old value may run Python code, so the field is whole before.
    unsafe {
        let given = if given == ffi::Py_None() { ptr::null_mut() } else { given };
        ffi::Py_XINCREF(given);
        let old = ptr::replace(place, given);
        ffi::Py_XDECREF(old);
    }
}

/// A method without arguments that answers a stored object.
macro_rules! getter {
    ($name:ident, $field:ident, lent) => {
        pub(super) unsafe extern "C" fn $name(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
            // SAFETY: self is a message.
            unsafe {
                let message = slf.cast::<Message>();
                if (*message).source.is_some() {
                    return after_settling(message, |message| shown((*message).$field));
                }
                shown((*message).$field)
            }
        }
    };
    ($name:ident, $field:ident) => {
        pub(super) unsafe extern "C" fn $name(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
            // SAFETY: self is a message.
            unsafe { shown((*slf.cast::<Message>()).$field) }
        }
    };
}

getter!(topic, topic);
getter!(error, error);
getter!(key, key, lent);
getter!(value, value, lent);

#[cold]
unsafe fn after_settling(
    message: *mut Message,
    then: unsafe fn(*mut Message) -> *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the caller's message is alive, and a source that is still there is valid.
    guard::method(|py| unsafe {
        settle(py, message)?;
        Ok(then(message))
    })
}

/// A method without arguments that answers a number, None where it is negative.
macro_rules! number {
    ($name:ident, $field:ident) => {
        pub(super) unsafe extern "C" fn $name(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
            // SAFETY: self is a message.
            unsafe {
                match i64::from((*slf.cast::<Message>()).$field) {
                    ..0 => shown(ptr::null_mut()),
                    number => ffi::PyLong_FromLongLong(number),
                }
            }
        }
    };
}

number!(partition, partition);
number!(offset, offset);
number!(leader_epoch, leader_epoch);

pub(super) unsafe extern "C" fn delivery_count(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: self is a message.
    unsafe {
        match (*slf.cast::<Message>()).delivery_count {
            ..1 => shown(ptr::null_mut()),
            count => ffi::PyLong_FromLong(count.into()),
        }
    }
}

pub(super) unsafe extern "C" fn latency(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: self is a message.
    unsafe {
        match (*slf.cast::<Message>()).latency_us {
            ..0 => shown(ptr::null_mut()),
            latency => ffi::PyFloat_FromDouble(latency as f64 / 1e6),
        }
    }
}

pub(super) unsafe extern "C" fn timestamp(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: self is a message.
        let (kind, time) = unsafe {
            let message = slf.cast::<Message>();
            settle(py, message)?;
            ((*message).timestamp_type, (*message).timestamp)
        };
        Ok((kind, time).into_pyobject(py)?.into_ptr())
    })
}

pub(super) unsafe extern "C" fn headers(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: self is a message.
    unsafe {
        let message = slf.cast::<Message>();
        if (*message).wire_headers.is_none() && (*message).source.is_none() {
            return shown((*message).headers);
        }
        guard::method(|py| {
            settle(py, message)?;
            if let Some(wire) = (*message).wire_headers.take() {
                let list = headers::to_list(py, RawHeaders::parse(&wire).unwrap_or_default())?;
                let old =
                    ptr::replace(&raw mut (*message).headers, list.map_or(ptr::null_mut(), |list| list.into_ptr()));
                ffi::Py_XDECREF(old);
            }
            Ok(shown((*message).headers))
        })
    }
}

/// A method that stores its one argument.
macro_rules! setter {
    ($name:ident, $field:ident) => {
        pub(super) unsafe extern "C" fn $name(
            slf: *mut ffi::PyObject,
            given: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: self is a message; a borrowed record is copied first, so that it cannot come back over what is set.
            guard::method(|py| unsafe {
                let message = slf.cast::<Message>();
                settle(py, message)?;
                store(&raw mut (*message).$field, given);
                Ok(shown(ptr::null_mut()))
            })
        }
    };
}

setter!(set_topic, topic);
setter!(set_key, key);
setter!(set_value, value);
setter!(set_error, error);

pub(super) unsafe extern "C" fn set_headers(slf: *mut ffi::PyObject, given: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: self is a message.
    guard::method(|py| unsafe {
        let message = slf.cast::<Message>();
        settle(py, message)?;
        (*message).wire_headers = None;
        store(&raw mut (*message).headers, given);
        Ok(shown(ptr::null_mut()))
    })
}

/// `len(message)`: that of the value.
pub(super) unsafe extern "C" fn length(slf: *mut ffi::PyObject) -> ffi::Py_ssize_t {
    // SAFETY: self is a message.
    unsafe {
        let message = slf.cast::<Message>();
        let settled =
            if (*message).source.is_some() { guard::number::<isize>(|py| settle(py, message).map(|()| 0)) } else { 0 };
        match (settled, (*message).value) {
            (-1, _) => -1,
            (_, value) if value.is_null() => 0,
            (_, value) => ffi::PyObject_Size(value),
        }
    }
}

/// `==` and `!=`: by topic, partition, offset, key, value, headers, error, time and leader epoch.
pub(super) unsafe extern "C" fn compare(
    slf: *mut ffi::PyObject,
    other: *mut ffi::PyObject,
    operator: std::ffi::c_int,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: slots are called with live objects, self being a message; other is asked.
        unsafe {
            let message_type = super::class::type_object(py);
            if !matches!(operator, ffi::Py_EQ | ffi::Py_NE) || ffi::PyObject_TypeCheck(other, message_type) == 0 {
                return Ok(py.NotImplemented().into_ptr());
            }
            let equal = equal(py, slf, other)?;
            Ok((equal == (operator == ffi::Py_EQ)).into_pyobject(py)?.to_owned().into_ptr())
        }
    })
}

/// # Safety
/// Both are live messages.
unsafe fn equal(py: Python<'_>, one: *mut ffi::PyObject, two: *mut ffi::PyObject) -> PyResult<bool> {
    // SAFETY: as promised; the objects compared are referenced for the time of the comparison.
    unsafe {
        settle(py, one.cast())?;
        settle(py, two.cast())?;
        let (a, b) = (&*one.cast::<Message>(), &*two.cast::<Message>());
        if (a.partition, a.offset, a.timestamp, a.leader_epoch) != (b.partition, b.offset, b.timestamp, b.leader_epoch)
        {
            return Ok(false);
        }
        type Getter = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
        let getters: [Getter; 5] = [topic, key, value, headers, error];
        for getter in getters {
            let a = Bound::from_owned_ptr_or_err(py, getter(one, ptr::null_mut()))?;
            let b = Bound::from_owned_ptr_or_err(py, getter(two, ptr::null_mut()))?;
            if !a.eq(b)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// `(type, arguments)`: all that the constructor takes.
pub(super) unsafe extern "C" fn reduce(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: self is a message; each getter answers an owned object or raises.
    guard::method(|py| unsafe {
        let owned = |object| Bound::from_owned_ptr_or_err(py, object);
        let none = ptr::null_mut();
        settle(py, slf.cast())?;
        let message = &*slf.cast::<Message>();
        let latency = if message.latency_us < 0 { -1.0 } else { message.latency_us as f64 / 1e6 };
        let arguments = (
            owned(topic(slf, none))?,
            message.partition,
            message.offset,
            owned(key(slf, none))?,
            owned(value(slf, none))?,
            owned(headers(slf, none))?,
            owned(error(slf, none))?,
            (message.timestamp_type, message.timestamp),
            latency,
            message.leader_epoch,
            message.delivery_count,
        );
        let class = Bound::from_borrowed_ptr(py, ffi::Py_TYPE(slf).cast());
        Ok((class, arguments).into_pyobject(py)?.into_ptr())
    })
}

/// `Message[K, V]`.
pub(super) unsafe extern "C" fn class_getitem(
    class: *mut ffi::PyObject,
    item: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: a class method is called with its class.
    unsafe { ffi::Py_GenericAlias(class, item) }
}

/// `__init__`.
pub(super) unsafe extern "C" fn init(
    slf: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> std::ffi::c_int {
    guard::number(|py| {
        // SAFETY: slots are called with a message, a tuple, and a dict or null.
        let (args, kwargs) = unsafe {
            let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs);
            (args, kwargs.map(|kwargs| kwargs.cast_into_unchecked::<PyDict>()))
        };
        let given = arguments::message(Call::new(&args, kwargs.as_ref()))?;
        // SAFETY: the parser stores null or borrowed references of the arguments.
        let timestamp = unsafe { Bound::from_borrowed_ptr_or_opt(py, given.timestamp) };
        let (timestamp_type, timestamp) = match timestamp.filter(|timestamp| !timestamp.is_none()) {
            None => (0, 0),
            Some(pair) => {
                let refused = || PyTypeError::new_err("timestamp must be a tuple of (int, int)");
                let pair = pair.cast_into::<PyTuple>().map_err(|_| refused())?;
                pair.extract::<(i32, i64)>().map_err(|_| refused())?
            }
        };
        let latency_us = if given.latency < 0.0 { -1 } else { (given.latency * 1e6) as i64 };
        // SAFETY: self is a message; what is stored is borrowed from the arguments and gets its own reference.
        unsafe {
            let message = slf.cast::<Message>();
            settle(py, message)?;
            (*message).wire_headers = None;
            (*message).partition = given.partition;
            (*message).offset = given.offset;
            (*message).timestamp_type = timestamp_type;
            (*message).timestamp = timestamp;
            (*message).latency_us = latency_us;
            (*message).leader_epoch = given.leader_epoch;
            (*message).delivery_count = given.delivery_count.into();
            store(&raw mut (*message).topic, given.topic);
            store(&raw mut (*message).key, given.key);
            store(&raw mut (*message).value, given.value);
            store(&raw mut (*message).headers, given.headers);
            store(&raw mut (*message).error, given.error);
        }
        Ok(0)
    })
}
