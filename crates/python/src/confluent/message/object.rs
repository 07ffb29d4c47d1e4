//! The memory of a message: its fields, how it is made on the hot paths, and how it is freed (to a free list of at most 1,024, exact type
//! only). A message of a delivery report borrows its record while its callback runs and takes its own copy after (E9).
#![allow(unsafe_code)]
use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use ottla_protocol::records::RawHeaders;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::confluent::headers;

/// Where a message of a delivery report finds its record while its callback runs.
pub(crate) trait RecordSource {
    fn key(&self) -> Option<&[u8]>;
    fn value(&self) -> Option<&[u8]>;
    fn headers(&self) -> RawHeaders<'_>;
    /// Milliseconds, where the message was made without them.
    fn timestamp_ms(&self) -> i64;
}

/// The timestamp of a message whose record is lent: it is read when it is asked for.
pub(crate) const TIMESTAMP_LENT: i64 = i64::MIN;

/// One message. References are owned; null stands for None.
#[repr(C)]
pub(super) struct Message {
    head: ffi::PyObject,
    pub(super) topic: *mut ffi::PyObject,
    pub(super) key: *mut ffi::PyObject,
    pub(super) value: *mut ffi::PyObject,
    pub(super) headers: *mut ffi::PyObject,
    pub(super) error: *mut ffi::PyObject,
    /// Headers not asked for yet.
    pub(super) wire_headers: Option<Box<[u8]>>,
    /// The record of a delivery report, valid until `take_back`.
    pub(super) source: Option<NonNull<dyn RecordSource>>,
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    /// Microseconds, negative for unknown.
    pub(super) latency_us: i64,
    pub(super) partition: i32,
    pub(super) timestamp_type: i32,
    pub(super) leader_epoch: i32,
    pub(super) delivery_count: i32,
}

/// What the hot paths give for a new message.
pub(crate) struct New {
    /// Borrowed str.
    pub(crate) topic: *mut ffi::PyObject,
    /// Owned, or null for None.
    pub(crate) key: *mut ffi::PyObject,
    /// Owned, or null for None.
    pub(crate) value: *mut ffi::PyObject,
    /// Owned, or null for None.
    pub(crate) error: *mut ffi::PyObject,
    pub(crate) wire_headers: Option<Box<[u8]>>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) timestamp_type: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) latency_us: i64,
}

static TYPE: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

pub(super) fn set_type(class: *mut ffi::PyTypeObject) {
    TYPE.store(class, Ordering::Relaxed);
}

const FREE_LIST: usize = 1024;

/// Messages freed and not yet used again.
struct FreeList {
    length: usize,
    items: [*mut ffi::PyObject; FREE_LIST],
}

struct Attached(UnsafeCell<FreeList>);
// SAFETY: attached threads alone touch it, one at a time: the module asks for the GIL where an interpreter could do without.
unsafe impl Sync for Attached {}

static FREE: Attached = Attached(UnsafeCell::new(FreeList { length: 0, items: [ptr::null_mut(); FREE_LIST] }));

/// Makes a message of the exact type.
#[inline(always)]
pub(crate) fn make(py: Python<'_>, new: New) -> PyResult<*mut ffi::PyObject> {
    let class = TYPE.load(Ordering::Relaxed);
    // SAFETY: attached, and nothing below runs Python code while the list is borrowed.
    let free = unsafe { &mut *FREE.0.get() };
    let object = match free.length.checked_sub(1) {
        Some(last) => {
            free.length = last;
            // SAFETY: memory of a freed message of this type; PyObject_Init gives it a reference count and its type's reference.
            unsafe { ffi::PyObject_Init(free.items[last], class) }
        }
        None => allocate(py, class, &new)?,
    };
    let New {
        topic,
        key,
        value,
        error,
        wire_headers,
        partition,
        offset,
        timestamp,
        timestamp_type,
        leader_epoch,
        latency_us,
    } = new;
    // SAFETY: the memory is a Message's; freed and fresh memory holds nothing to drop, so plain writes. The topic's reference is taken here.
    unsafe {
        ffi::Py_INCREF(topic);
        let message = object.cast::<Message>();
        (*message).topic = topic;
        (*message).key = key;
        (*message).value = value;
        (*message).headers = ptr::null_mut();
        (*message).error = error;
        ptr::write(&raw mut (*message).wire_headers, wire_headers);
        (*message).source = None;
        (*message).offset = offset;
        (*message).timestamp = timestamp;
        (*message).latency_us = latency_us;
        (*message).partition = partition;
        (*message).timestamp_type = timestamp_type;
        (*message).leader_epoch = leader_epoch;
        (*message).delivery_count = 0;
    }
    Ok(object)
}

#[cold]
fn allocate(py: Python<'_>, class: *mut ffi::PyTypeObject, new: &New) -> PyResult<*mut ffi::PyObject> {
    // SAFETY: class is the message type, ready since module start; zeroed memory is what `make` expects.
    let object = unsafe { ffi::PyType_GenericAlloc(class, 0) };
    if object.is_null() {
        let error = PyErr::fetch(py);
        for owned in [new.key, new.value, new.error] {
            // SAFETY: the references were given to us.
            unsafe { ffi::Py_XDECREF(owned) };
        }
        return Err(error);
    }
    Ok(object)
}

/// `__new__`: an empty message of `class`, which may be a subclass.
pub(super) unsafe extern "C" fn new(
    class: *mut ffi::PyTypeObject,
    _args: *mut ffi::PyObject,
    _kwargs: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls it with a ready type whose instances begin with a Message.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class, 0);
        if !object.is_null() {
            let message = object.cast::<Message>();
            (*message).partition = -1;
            (*message).offset = -1001;
            (*message).latency_us = -1;
            (*message).leader_epoch = -1;
        }
        object
    }
}

/// Gives back what a message holds, and its memory.
pub(super) unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: CPython calls it once for an object without references; its fields are taken out before anything else can run.
    unsafe {
        let message = object.cast::<Message>();
        ffi::Py_XDECREF((*message).topic);
        ffi::Py_XDECREF((*message).key);
        ffi::Py_XDECREF((*message).value);
        ffi::Py_XDECREF((*message).headers);
        ffi::Py_XDECREF((*message).error);
        drop((*message).wire_headers.take());
        let class = ffi::Py_TYPE(object);
        if class == TYPE.load(Ordering::Relaxed) {
            let free = &mut *FREE.0.get();
            if free.length < FREE_LIST {
                free.items[free.length] = object;
                free.length += 1;
                ffi::Py_DECREF(class.cast());
                return;
            }
        }
        let tp_free: ffi::freefunc = std::mem::transmute(ffi::PyType_GetSlot(class, ffi::Py_tp_free));
        tp_free(object.cast());
        // A heap type is referenced by its instances.
        ffi::Py_DECREF(class.cast());
    }
}

/// Where a consumed message came from.
pub(crate) struct Origin<'py> {
    /// A str, or what the user set.
    pub(crate) topic: Option<Bound<'py, PyAny>>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    /// Of an event.
    pub(crate) error: Option<Bound<'py, PyAny>>,
}

/// Where a message came from; `None` for an object of another class, a subclass included.
pub(crate) fn origin<'py>(object: &Bound<'py, PyAny>) -> Option<Origin<'py>> {
    let py = object.py();
    // SAFETY: an object of the exact type is a Message; its references are alive or null.
    unsafe {
        if ffi::Py_TYPE(object.as_ptr()) != TYPE.load(Ordering::Relaxed) {
            return None;
        }
        let message = object.as_ptr().cast::<Message>();
        Some(Origin {
            topic: Bound::from_borrowed_ptr_or_opt(py, (*message).topic),
            partition: (*message).partition,
            offset: (*message).offset,
            leader_epoch: (*message).leader_epoch,
            error: Bound::from_borrowed_ptr_or_opt(py, (*message).error).filter(|error| !error.is_none()),
        })
    }
}

/// Lends `source` to a message that was just made, for the time of a callback.
///
/// # Safety
/// `take_back` is called with the same message before `source` ends.
pub(crate) unsafe fn lend(object: *mut ffi::PyObject, source: &dyn RecordSource) {
    // SAFETY: only the lifetime is erased; the caller keeps the promise above.
    let source: NonNull<dyn RecordSource> = unsafe { std::mem::transmute(NonNull::from(source)) };
    // SAFETY: the caller just made the message.
    unsafe { (*object.cast::<Message>()).source = Some(source) };
}

/// Ends the loan: a message that is still referenced elsewhere takes its own copy of key, value and headers (E9).
///
/// # Safety
/// The caller owns a reference to a message made by `make`.
pub(crate) unsafe fn take_back(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<()> {
    // SAFETY: the caller owns a reference.
    unsafe {
        let kept = if ffi::Py_REFCNT(object) > 1 { settle(py, object.cast()) } else { Ok(()) };
        (*object.cast::<Message>()).source = None;
        kept
    }
}

/// Makes key, value and headers of a borrowed record, and lets go of it.
///
/// # Safety
/// `message` is alive, and its source, if there is one, is valid.
#[cold]
pub(super) unsafe fn settle(py: Python<'_>, message: *mut Message) -> PyResult<()> {
    // SAFETY: as promised; the source is read before Python code can run (making bytes runs none).
    unsafe {
        let Some(source) = (*message).source else { return Ok(()) };
        let source = source.as_ref();
        let (key, value) = (bytes(py, source.key())?, bytes(py, source.value())?);
        let list = headers::to_list(py, source.headers())?;
        if (*message).timestamp == TIMESTAMP_LENT {
            (*message).timestamp = source.timestamp_ms();
        }
        (*message).source = None;
        (*message).key = key;
        (*message).value = value;
        (*message).headers = list.map_or(ptr::null_mut(), |list| list.into_ptr());
        Ok(())
    }
}

/// An owned bytes object, or null for null.
#[inline(always)]
pub(crate) fn bytes(py: Python<'_>, slice: Option<&[u8]>) -> PyResult<*mut ffi::PyObject> {
    let Some(slice) = slice else { return Ok(ptr::null_mut()) };
    // SAFETY: start and length are those of a slice.
    let object = unsafe { ffi::PyBytes_FromStringAndSize(slice.as_ptr().cast(), slice.len() as ffi::Py_ssize_t) };
    if object.is_null() { Err(PyErr::fetch(py)) } else { Ok(object) }
}
