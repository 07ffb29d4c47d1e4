//! Arguments by CPython's own parser, `PyArg_ParseTupleAndKeywords`, with the format strings of the original: which types are taken, in what
//! order they are looked at, and the text of each refusal are then the same by construction. Used by every call that is not hot, and by the
//! hot ones for whatever their fast path does not know. What the values mean is the callers' business.
#![allow(unsafe_code)]
use std::ffi::{CStr, c_char, c_double, c_int, c_longlong, c_short, c_uint};
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

unsafe extern "C" {
    // The name behind `PY_SSIZE_T_CLEAN`, part of the stable ABI: without it 3.11 and 3.12 refuse `#`.
    #[link_name = "_PyArg_ParseTupleAndKeywords_SizeT"]
    fn parse_sized(
        args: *mut ffi::PyObject,
        kwargs: *mut ffi::PyObject,
        format: *const c_char,
        names: *const *const c_char,
        ...
    ) -> c_int;
}

/// The positional and the keyword arguments of a call, as PyO3 hands them over.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a, 'py> {
    args: &'a Bound<'py, PyTuple>,
    kwargs: Option<&'a Bound<'py, PyDict>>,
}

impl<'a, 'py> Call<'a, 'py> {
    pub(crate) fn new(args: &'a Bound<'py, PyTuple>, kwargs: Option<&'a Bound<'py, PyDict>>) -> Self {
        Self { args, kwargs }
    }

    fn kwargs(&self) -> *mut ffi::PyObject {
        self.kwargs.map_or(ptr::null_mut(), Bound::as_ptr)
    }

    fn done(&self, parsed: c_int) -> PyResult<()> {
        if parsed == 0 { Err(PyErr::fetch(self.args.py())) } else { Ok(()) }
    }

    /// A borrowed object that the parser stored, `None` where it stored none.
    fn object(&self, stored: *mut ffi::PyObject) -> Option<Bound<'py, PyAny>> {
        // SAFETY: the parser stores null or a reference that the call's own arguments keep alive.
        unsafe { Bound::from_borrowed_ptr_or_opt(self.args.py(), stored) }
    }
}

/// Calls the parser on `$call` with `$format` and the names, storing to the places given.
macro_rules! parse {
    ($call:expr, $format:literal, [$($name:expr),*], $($place:expr),*) => {{
        let names: &[*const c_char] = &[$($name.as_ptr(),)* ptr::null()];
        // SAFETY: the format has one place of the matching C type for each unit, the names end with null, and every place outlives the call.
        let parsed = unsafe {
            parse_sized($call.args.as_ptr(), $call.kwargs(), $format.as_ptr(), names.as_ptr(), $(ptr::from_mut(&mut $place)),*)
        };
        $call.done(parsed)
    }};
}

/// The text that `s` or `z` stored, `None` for null.
fn text<'a>(stored: *const c_char) -> Option<&'a str> {
    if stored.is_null() {
        return None;
    }
    // SAFETY: the parser stores the UTF-8 of a str object, null-terminated, which the arguments of the call keep alive.
    unsafe { Some(std::str::from_utf8_unchecked(CStr::from_ptr(stored).to_bytes())) }
}

/// The bytes that `z#` stored.
fn bytes<'a>(stored: *const c_char, length: ffi::Py_ssize_t) -> Option<&'a [u8]> {
    if stored.is_null() {
        return None;
    }
    // SAFETY: the parser stores the start and the length of an immutable buffer, which the arguments of the call keep alive.
    unsafe { Some(std::slice::from_raw_parts(stored.cast(), length as usize)) }
}

/// `(timeout=-1)`, in seconds.
pub(crate) fn timeout(call: Call<'_, '_>) -> PyResult<f64> {
    let mut timeout: c_double = -1.0;
    parse!(call, c"|d", [c"timeout"], timeout)?;
    Ok(timeout)
}

/// `(topic=None, timeout=-1)`.
pub(crate) fn topic_and_timeout<'a>(call: Call<'a, '_>) -> PyResult<(Option<&'a str>, f64)> {
    let (mut topic, mut timeout): (*const c_char, c_double) = (ptr::null(), -1.0);
    parse!(call, c"|zd", [c"topic", c"timeout"], topic, timeout)?;
    Ok((text(topic), timeout))
}

/// `(num_messages=1, timeout=-1)`. The number is taken modulo 2^32, as there.
pub(crate) fn consume(call: Call<'_, '_>) -> PyResult<(u32, f64)> {
    let (mut number, mut timeout): (c_uint, c_double) = (1, -1.0);
    parse!(call, c"|Id", [c"num_messages", c"timeout"], number, timeout)?;
    Ok((number, timeout))
}

/// `(partitions)`.
pub(crate) fn partitions<'py>(call: Call<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut partitions = ptr::null_mut();
    parse!(call, c"O", [c"partitions"], partitions)?;
    Ok(call.object(partitions))
}

/// `(partition)`.
pub(crate) fn partition<'py>(call: Call<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut partition = ptr::null_mut();
    parse!(call, c"O", [c"partition"], partition)?;
    Ok(call.object(partition))
}

/// `(partitions, timeout=-1)`.
pub(crate) fn partitions_and_timeout<'py>(call: Call<'_, 'py>) -> PyResult<(Option<Bound<'py, PyAny>>, f64)> {
    let (mut partitions, mut timeout): (*mut ffi::PyObject, c_double) = (ptr::null_mut(), -1.0);
    parse!(call, c"O|d", [c"partitions", c"timeout"], partitions, timeout)?;
    Ok((call.object(partitions), timeout))
}

/// `(topics, on_assign, on_revoke, on_lost)`; the last three are `None` where they are not given.
pub(crate) fn subscribe<'py>(call: Call<'_, 'py>) -> PyResult<[Option<Bound<'py, PyAny>>; 4]> {
    let none: *mut ffi::PyObject = ptr::null_mut();
    let (mut topics, mut on_assign, mut on_revoke, mut on_lost) = (none, none, none, none);
    let names = [c"topics", c"on_assign", c"on_revoke", c"on_lost"];
    parse!(call, c"O|OOO", [names[0], names[1], names[2], names[3]], topics, on_assign, on_revoke, on_lost)?;
    Ok([topics, on_assign, on_revoke, on_lost].map(|stored| call.object(stored)))
}

/// `(message=None, offsets=None)`, `None` for Python's None too.
#[expect(clippy::type_complexity, reason = "two options, named above")]
pub(crate) fn message_or_offsets<'py>(
    call: Call<'_, 'py>,
) -> PyResult<(Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>)> {
    let (mut message, mut offsets): (*mut ffi::PyObject, *mut ffi::PyObject) = (ptr::null_mut(), ptr::null_mut());
    parse!(call, c"|OO", [c"message", c"offsets"], message, offsets)?;
    Ok((call.object(message).filter(|given| !given.is_none()), call.object(offsets).filter(|given| !given.is_none())))
}

/// Arguments of `commit`; `None` for Python's None too.
pub(crate) struct CommitArguments<'py> {
    pub(crate) message: Option<Bound<'py, PyAny>>,
    pub(crate) offsets: Option<Bound<'py, PyAny>>,
    /// As `async`, the older name, or as `asynchronous`, which counts where both are given.
    pub(crate) asynchronous: Option<Bound<'py, PyAny>>,
}

/// `(message=None, offsets=None, async=True, asynchronous=True)`.
pub(crate) fn commit<'py>(call: Call<'_, 'py>) -> PyResult<CommitArguments<'py>> {
    let none: *mut ffi::PyObject = ptr::null_mut();
    let (mut message, mut offsets, mut older, mut asynchronous) = (none, none, none, none);
    let names = [c"message", c"offsets", c"async", c"asynchronous"];
    parse!(call, c"|OOOO", [names[0], names[1], names[2], names[3]], message, offsets, older, asynchronous)?;
    Ok(CommitArguments {
        message: call.object(message).filter(|given| !given.is_none()),
        offsets: call.object(offsets).filter(|given| !given.is_none()),
        asynchronous: call.object(if asynchronous.is_null() { older } else { asynchronous }),
    })
}

/// `(partition, timeout=-1, cached=False)`.
pub(crate) fn watermarks<'py>(call: Call<'_, 'py>) -> PyResult<(Option<Bound<'py, PyAny>>, f64, bool)> {
    let (mut partition, mut timeout, mut cached): (*mut ffi::PyObject, c_double, c_int) = (ptr::null_mut(), -1.0, 0);
    parse!(call, c"O|di", [c"partition", c"timeout", c"cached"], partition, timeout, cached)?;
    Ok((call.object(partition), timeout, cached != 0))
}

/// Arguments of `KafkaError`.
pub(crate) struct ErrorArguments<'a> {
    pub(crate) code: i32,
    pub(crate) reason: Option<&'a str>,
    pub(crate) fatal: bool,
    pub(crate) retriable: bool,
    pub(crate) txn_requires_abort: bool,
}

/// `(error, reason=None, fatal=False, retriable=False, txn_requires_abort=False)`.
pub(crate) fn error<'a>(call: Call<'a, '_>) -> PyResult<ErrorArguments<'a>> {
    let mut code: c_int = 0;
    let mut reason: *const c_char = ptr::null();
    let (mut fatal, mut retriable, mut abort): (c_int, c_int, c_int) = (0, 0, 0);
    let call = &call;
    parse!(
        call,
        c"i|ziii",
        [c"error", c"reason", c"fatal", c"retriable", c"txn_requires_abort"],
        code,
        reason,
        fatal,
        retriable,
        abort
    )?;
    Ok(ErrorArguments {
        code,
        reason: text(reason),
        fatal: fatal != 0,
        retriable: retriable != 0,
        txn_requires_abort: abort != 0,
    })
}

/// Arguments of `TopicPartition`.
pub(crate) struct TopicPartitionArguments<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) metadata: Option<&'a str>,
    pub(crate) leader_epoch: i32,
}

/// `(topic, partition=-1, offset=OFFSET_INVALID, metadata=None, leader_epoch=-1)`.
pub(crate) fn topic_partition<'a>(call: Call<'a, '_>) -> PyResult<TopicPartitionArguments<'a>> {
    let (mut topic, mut metadata): (*const c_char, *const c_char) = (ptr::null(), ptr::null());
    let (mut partition, mut offset, mut leader_epoch): (c_int, c_longlong, c_int) = (-1, -1001, -1);
    parse!(
        call,
        c"s|iLsi",
        [c"topic", c"partition", c"offset", c"metadata", c"leader_epoch"],
        topic,
        partition,
        offset,
        metadata,
        leader_epoch
    )?;
    Ok(TopicPartitionArguments {
        topic: text(topic).unwrap_or_default(),
        partition,
        offset,
        metadata: text(metadata),
        leader_epoch,
    })
}

/// Arguments of `Message`; objects are borrowed, null where none was given.
pub(crate) struct MessageArguments {
    pub(crate) topic: *mut ffi::PyObject,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: *mut ffi::PyObject,
    pub(crate) value: *mut ffi::PyObject,
    pub(crate) headers: *mut ffi::PyObject,
    pub(crate) error: *mut ffi::PyObject,
    pub(crate) timestamp: *mut ffi::PyObject,
    pub(crate) latency: f64,
    pub(crate) leader_epoch: i32,
    pub(crate) delivery_count: i16,
}

/// `(topic=None, partition=-1, offset=-1001, key=None, value=None, headers=None, error=None, timestamp=None, latency, leader_epoch, delivery_count)`.
pub(crate) fn message(call: Call<'_, '_>) -> PyResult<MessageArguments> {
    let none: *mut ffi::PyObject = ptr::null_mut();
    let (mut topic, mut key, mut value, mut headers, mut error, mut timestamp) = (none, none, none, none, none, none);
    let (mut partition, mut offset, mut latency): (c_int, c_longlong, c_double) = (-1, -1001, -1.0);
    let (mut leader_epoch, mut delivery_count): (c_int, c_short) = (-1, -1);
    parse!(
        call,
        c"|OiLOOOOOdih",
        [
            c"topic",
            c"partition",
            c"offset",
            c"key",
            c"value",
            c"headers",
            c"error",
            c"timestamp",
            c"latency",
            c"leader_epoch",
            c"delivery_count"
        ],
        topic,
        partition,
        offset,
        key,
        value,
        headers,
        error,
        timestamp,
        latency,
        leader_epoch,
        delivery_count
    )?;
    Ok(MessageArguments {
        topic,
        partition,
        offset,
        key,
        value,
        headers,
        error,
        timestamp,
        latency,
        leader_epoch,
        delivery_count,
    })
}

/// Arguments of `produce`; what they point to lives as long as the arguments of the call.
pub(crate) struct ProduceArguments<'a> {
    pub(crate) topic: &'a str,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) partition: i32,
    pub(crate) callback: *mut ffi::PyObject,
    pub(crate) on_delivery: *mut ffi::PyObject,
    pub(crate) timestamp: i64,
    pub(crate) headers: *mut ffi::PyObject,
}

/// `(topic, value=None, key=None, partition=-1, callback=None, on_delivery=None, timestamp=0, headers=None)`.
pub(crate) fn produce<'a>(call: Call<'a, '_>) -> PyResult<ProduceArguments<'a>> {
    let start: *const c_char = ptr::null();
    let (mut topic, mut value, mut key) = (start, start, start);
    let (mut value_length, mut key_length): (ffi::Py_ssize_t, ffi::Py_ssize_t) = (0, 0);
    let (mut partition, mut timestamp): (c_int, c_longlong) = (-1, 0);
    let none: *mut ffi::PyObject = ptr::null_mut();
    let (mut callback, mut on_delivery, mut headers) = (none, none, none);
    parse!(
        call,
        c"s|z#z#iOOLO",
        [c"topic", c"value", c"key", c"partition", c"callback", c"on_delivery", c"timestamp", c"headers"],
        topic,
        value,
        value_length,
        key,
        key_length,
        partition,
        callback,
        on_delivery,
        timestamp,
        headers
    )?;
    Ok(ProduceArguments {
        topic: text(topic).unwrap_or_default(),
        value: bytes(value, value_length),
        key: bytes(key, key_length),
        partition,
        callback,
        on_delivery,
        timestamp,
        headers,
    })
}

/// Arguments of `NewTopic`.
pub(crate) struct NewTopicArguments<'a, 'py> {
    pub(crate) topic: &'a str,
    pub(crate) num_partitions: i32,
    pub(crate) replication_factor: i32,
    pub(crate) replica_assignment: Option<Bound<'py, PyAny>>,
    pub(crate) config: Option<Bound<'py, PyAny>>,
}

/// `(topic, num_partitions=-1, replication_factor=-1, replica_assignment=None, config=None)`.
pub(crate) fn new_topic<'a, 'py>(call: Call<'a, 'py>) -> PyResult<NewTopicArguments<'a, 'py>> {
    let mut topic: *const c_char = ptr::null();
    let (mut num_partitions, mut replication_factor): (c_int, c_int) = (-1, -1);
    let (mut replica_assignment, mut config): (*mut ffi::PyObject, *mut ffi::PyObject) =
        (ptr::null_mut(), ptr::null_mut());
    parse!(
        call,
        c"s|iiOO",
        [c"topic", c"num_partitions", c"replication_factor", c"replica_assignment", c"config"],
        topic,
        num_partitions,
        replication_factor,
        replica_assignment,
        config
    )?;
    Ok(NewTopicArguments {
        topic: text(topic).unwrap_or_default(),
        num_partitions,
        replication_factor,
        replica_assignment: call.object(replica_assignment),
        config: call.object(config),
    })
}

/// `(validate_only, request_timeout, operation_timeout)`, times in seconds, each `None` where it is not given.
#[expect(clippy::type_complexity, reason = "three options, named above")]
pub(crate) fn create_options<'py>(
    call: Call<'_, 'py>,
) -> PyResult<(Option<Bound<'py, PyAny>>, Option<f64>, Option<f64>)> {
    let mut validate_only: *mut ffi::PyObject = ptr::null_mut();
    let (mut request, mut operation): (c_double, c_double) = (f64::NAN, f64::NAN);
    let names = [c"validate_only", c"request_timeout", c"operation_timeout"];
    parse!(call, c"|Odd", [names[0], names[1], names[2]], validate_only, request, operation)?;
    Ok((call.object(validate_only), given(request), given(operation)))
}

/// `(request_timeout, operation_timeout)`, in seconds, each `None` where it is not given.
pub(crate) fn delete_options(call: Call<'_, '_>) -> PyResult<(Option<f64>, Option<f64>)> {
    let (mut request, mut operation): (c_double, c_double) = (f64::NAN, f64::NAN);
    parse!(call, c"|dd", [c"request_timeout", c"operation_timeout"], request, operation)?;
    Ok((given(request), given(operation)))
}

/// A number that the parser stored over the NaN that was there.
fn given(stored: f64) -> Option<f64> {
    (!stored.is_nan()).then_some(stored)
}
