//! The type object of `Message`: its slots and methods, made once at module start.
#![allow(unsafe_code)]
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;

use super::methods;
use super::object::{self, Message};

static CLASS: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(std::ptr::null_mut());

/// The type, once the module is made.
pub(super) fn type_object(_py: Python<'_>) -> *mut ffi::PyTypeObject {
    CLASS.load(Ordering::Relaxed)
}

const DOC: &CStr = c"Message(topic=None, partition=-1, offset=-1001, key=None, value=None, headers=None, error=None, timestamp=None, latency=-1.0, leader_epoch=-1, delivery_count=-1)\n--\n\n\
A record consumed or produced, or an event.\n\nAsk `error()` first: where it is not None, the message is an event or an error and not a record.";

fn no_arguments(name: &'static CStr, doc: &'static CStr, method: ffi::PyCFunction) -> ffi::PyMethodDef {
    definition(name, doc, method, ffi::METH_NOARGS)
}

fn one_argument(name: &'static CStr, doc: &'static CStr, method: ffi::PyCFunction) -> ffi::PyMethodDef {
    definition(name, doc, method, ffi::METH_O)
}

fn definition(name: &'static CStr, doc: &'static CStr, method: ffi::PyCFunction, flags: c_int) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: method },
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    }
}

fn method_table() -> Vec<ffi::PyMethodDef> {
    vec![
        no_arguments(c"topic", c"topic($self, /)\n--\n\nTopic name, or None.", methods::topic),
        no_arguments(c"partition", c"partition($self, /)\n--\n\nPartition id, or None.", methods::partition),
        no_arguments(c"offset", c"offset($self, /)\n--\n\nOffset, or None.", methods::offset),
        no_arguments(c"key", c"key($self, /)\n--\n\nKey, or None.", methods::key),
        no_arguments(c"value", c"value($self, /)\n--\n\nValue, or None.", methods::value),
        no_arguments(
            c"deserialized_key",
            c"deserialized_key($self, /)\n--\n\nKey as a deserializer left it.",
            methods::key,
        ),
        no_arguments(
            c"deserialized_value",
            c"deserialized_value($self, /)\n--\n\nValue as a deserializer left it.",
            methods::value,
        ),
        no_arguments(
            c"headers",
            c"headers($self, /)\n--\n\nHeaders as a list of (str, bytes or None), or None.",
            methods::headers,
        ),
        no_arguments(c"error", c"error($self, /)\n--\n\nKafkaError of an event, None for a record.", methods::error),
        no_arguments(
            c"timestamp",
            c"timestamp($self, /)\n--\n\n(type, milliseconds since 1970); the type is one of the TIMESTAMP_ constants.",
            methods::timestamp,
        ),
        no_arguments(
            c"latency",
            c"latency($self, /)\n--\n\nSeconds from produce() to the acknowledgement, or None.",
            methods::latency,
        ),
        no_arguments(c"leader_epoch", c"leader_epoch($self, /)\n--\n\nLeader epoch, or None.", methods::leader_epoch),
        no_arguments(
            c"delivery_count",
            c"delivery_count($self, /)\n--\n\nDeliveries so far (share groups), or None.",
            methods::delivery_count,
        ),
        one_argument(c"set_topic", c"set_topic($self, value, /)\n--\n\nReplaces the topic.", methods::set_topic),
        one_argument(c"set_key", c"set_key($self, value, /)\n--\n\nReplaces the key.", methods::set_key),
        one_argument(c"set_value", c"set_value($self, value, /)\n--\n\nReplaces the value.", methods::set_value),
        one_argument(
            c"set_headers",
            c"set_headers($self, value, /)\n--\n\nReplaces the headers.",
            methods::set_headers,
        ),
        one_argument(c"set_error", c"set_error($self, error, /)\n--\n\nReplaces the error.", methods::set_error),
        no_arguments(c"__reduce__", c"__reduce__($self, /)\n--\n\nHow to pickle it.", methods::reduce),
        definition(
            c"__class_getitem__",
            c"__class_getitem__($type, item, /)\n--\n\nMessage[K, V], for annotations.",
            methods::class_getitem,
            ffi::METH_O | ffi::METH_CLASS,
        ),
        ffi::PyMethodDef::zeroed(),
    ]
}

/// Makes the type and adds it to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Method definitions live for ever: descriptors point to them.
    let methods = Vec::leak(method_table());
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(ffi::Py_tp_doc, DOC.as_ptr().cast_mut().cast()),
        slot(ffi::Py_tp_new, object::new as *mut c_void),
        slot(ffi::Py_tp_init, methods::init as *mut c_void),
        slot(ffi::Py_tp_dealloc, object::dealloc as *mut c_void),
        slot(ffi::Py_tp_richcompare, methods::compare as *mut c_void),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        slot(ffi::Py_sq_length, methods::length as *mut c_void),
        slot(0, std::ptr::null_mut()),
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"ottla.confluent_kafka.cimpl.Message".as_ptr(),
        basicsize: size_of::<Message>() as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec names functions of the slots' types and a size that holds a Message; CPython copies slots and name.
    let class = unsafe { Bound::from_owned_ptr_or_err(module.py(), ffi::PyType_FromSpec(&raw mut spec))? };
    let pointer = class.as_ptr().cast::<ffi::PyTypeObject>();
    module.add("Message", class.clone())?;
    // One reference is kept for ever: the hot paths make messages of this type.
    std::mem::forget(class);
    CLASS.store(pointer, Ordering::Relaxed);
    object::set_type(pointer);
    Ok(())
}
