//! One consumer of the client crate with what the border keeps beside it: which process it belongs to, the topics' names as str, the buffers that
//! takes use again, and the messages that an interrupted `consume` had made.
use std::collections::VecDeque;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ottla::{
    ConsumerError, NoticeOptions, OFFSET_INVALID, PartitionError, RecordRun, RunBatch, RunRecord, Scratch,
    StoredOffset, TakenRecord,
};
use ottla_machines::config::ConsumerSettings;
use ottla_machines::config::confluent::Warning;
use ottla_machines::error::Error;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::confluent::detached;
use crate::confluent::error::KafkaError;
use crate::confluent::message::{self, New};
use crate::confluent::notices;
use crate::raw::attached::Attached;

/// A consumer in the process that made it.
pub(super) struct Engine {
    pub(super) client: ottla::Consumer,
    /// `ottla::fork::generation` of the process.
    generation: u32,
    pub(super) closed: AtomicBool,
    /// `close` is under way.
    pub(super) closing: AtomicBool,
    /// A rebalance listener is running.
    pub(super) rebalancing: AtomicBool,
    /// What is assigned is the group's doing: leaving revokes it.
    pub(super) owns: AtomicBool,
    /// The group hands over whole assignments: parts cannot be changed.
    pub(super) eager: AtomicBool,
    /// Calls that changed the assignment: whether a listener made one.
    pub(super) assignments: AtomicUsize,
    /// `enable.auto.offset.store`.
    pub(super) store_on_handover: bool,
    /// How long a synchronous commit waits.
    pub(super) commit_timeout: Duration,
    /// Names by the index in a taken record.
    topics: Attached<Vec<Option<Py<PyString>>>>,
    /// Given back after each take; another thread that takes at the same time makes its own.
    pub(super) scratch: Attached<Option<Box<Scratch>>>,
    pub(super) run: Attached<Option<Box<RecordRun>>>,
    pub(super) kept: Attached<VecDeque<Kept>>,
    /// Calls that were interrupted, and of which not all that they had taken is handed over since.
    pub(super) interrupted: Attached<Vec<u64>>,
    /// The number of the last call that takes many.
    calls: AtomicU64,
    pub(super) notices: notices::Taken,
    /// Whether `kept` or `notices` may hold something: one load on the way of `poll`.
    pub(super) pending: AtomicBool,
    /// In the log.
    pub(super) name: String,
}

/// Topic, partition and fetch epoch of a record (E17).
pub(super) type Origin = (u32, i32, u64);

/// A message that was made and not handed over yet, with what tells whether it still may be (E17).
pub(super) struct Kept {
    pub(super) message: Py<PyAny>,
    /// Topic index, partition, fetch epoch; `None` for an event.
    pub(super) origin: Option<Origin>,
}

impl Engine {
    pub(super) fn new(settings: ConsumerSettings, notices: NoticeOptions) -> Result<Self, Error> {
        let store_on_handover = settings.store_on_handover;
        let commit_timeout = Duration::from_micros(settings.connection.socket_timeout_us);
        Ok(Self {
            generation: ottla::fork::generation(),
            name: notices.name.clone(),
            client: ottla::Consumer::new(settings, notices)?,
            closed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            rebalancing: AtomicBool::new(false),
            owns: AtomicBool::new(false),
            eager: AtomicBool::new(false),
            assignments: AtomicUsize::new(0),
            store_on_handover,
            commit_timeout,
            topics: Attached::new(Vec::new()),
            scratch: Attached::new(None),
            run: Attached::new(None),
            kept: Attached::new(VecDeque::new()),
            interrupted: Attached::new(Vec::new()),
            calls: AtomicU64::new(0),
            notices: Attached::new(VecDeque::new()),
            pending: AtomicBool::new(false),
        })
    }

    /// Whether this process made it.
    #[inline(always)]
    pub(super) fn is_ours(&self) -> bool {
        self.generation == ottla::fork::generation()
    }

    #[inline(always)]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The topic's name as a str.
    #[inline(always)]
    pub(super) fn topic<'py>(&self, py: Python<'py>, index: u32) -> PyResult<Bound<'py, PyString>> {
        if let Some(Some(name)) = self.topics.borrow(py).get(index as usize) {
            return Ok(name.bind(py).clone());
        }
        self.learn_topic(py, index)
    }

    #[cold]
    fn learn_topic<'py>(&self, py: Python<'py>, index: u32) -> PyResult<Bound<'py, PyString>> {
        let name = PyString::new(py, &py.detach(|| self.client.topic_name(index)).unwrap_or_default());
        let mut topics = self.topics.borrow(py);
        let needed = index as usize + 1;
        if topics.len() < needed {
            topics.resize_with(needed, || None);
        }
        topics[index as usize] = Some(name.clone().unbind());
        Ok(name)
    }

    /// The message of one record.
    #[inline(always)]
    pub(super) fn message(
        &self,
        py: Python<'_>,
        record: &TakenRecord,
        scratch: &Scratch,
    ) -> PyResult<*mut ffi::PyObject> {
        let topic = self.topic(py, record.topic)?;
        let key = message::bytes(py, record.key(scratch))?;
        let value = message::bytes(py, record.value(scratch))?;
        let wire_headers = record.has_headers().then(|| record.raw_headers(scratch).into());
        message::make(
            py,
            New {
                topic: topic.as_ptr(),
                key,
                value,
                error: ptr::null_mut(),
                wire_headers,
                partition: record.partition,
                offset: record.offset,
                timestamp: record.timestamp_ms,
                timestamp_type: record.timestamp_type.into(),
                leader_epoch: record.leader_epoch,
                latency_us: -1,
            },
        )
    }

    /// The message of an error or an end of a partition; its value is the text, as in the original.
    pub(super) fn event(&self, py: Python<'_>, event: &PartitionError) -> PyResult<*mut ffi::PyObject> {
        let place = (event.partition, event.offset);
        error_message(py, Some(&event.topic), place, &event.error)
    }

    /// The message of an error of the whole consumer; as there of partition 0.
    pub(super) fn consumer_event(&self, py: Python<'_>, event: &ConsumerError) -> PyResult<*mut ffi::PyObject> {
        error_message(py, event.topic.as_deref(), (0, OFFSET_INVALID), &event.error)
    }

    /// Whether something is to be served or handed over before records are taken.
    #[inline(always)]
    pub(super) fn has_pending(&self) -> bool {
        self.client.notices_waiting() || self.pending.load(Ordering::Relaxed)
    }

    /// Takes what the client has to say.
    pub(super) fn take_notices(&self, py: Python<'_>) {
        if self.client.notices_waiting() {
            let mut taken = Vec::new();
            self.client.take_notices(&mut taken);
            self.notices.borrow(py).extend(taken);
        }
    }

    /// The offset of the first message of a partition that was made and not handed over.
    pub(super) fn kept_offset(&self, py: Python<'_>, topic: &str, partition: i32) -> PyResult<Option<i64>> {
        let first = self.kept.borrow(py).iter().find_map(|kept| {
            let (index, of, epoch) = kept.origin?;
            let named = || self.client.topic_name(index).is_some_and(|name| *name == *topic);
            (of == partition && named() && self.client.is_current(index, of, epoch)).then(|| kept.message.clone_ref(py))
        });
        first.map(|message| message.bind(py).call_method0("offset")?.extract()).transpose()
    }

    /// `kept`, the next of what interrupted calls had made, is with the application now: its offset is stored, where that is automatic. With
    /// the last one all that they had taken counts as handed over.
    pub(super) fn hand_over(&self, py: Python<'_>, kept: Option<&Kept>) {
        let calls = self.all_kept(py);
        if !calls.is_empty() {
            self.handed_over(py, &calls);
        } else if let Some(kept) = kept {
            self.store_behind(py, kept.message.bind(py), kept.origin);
        }
    }

    /// The interrupted calls, if nothing is kept of them any more: who asks hands over the last of it.
    pub(super) fn all_kept(&self, py: Python<'_>) -> Vec<u64> {
        if self.kept.borrow(py).is_empty() { mem::take(&mut *self.interrupted.borrow(py)) } else { Vec::new() }
    }

    /// All that these calls took is with the application.
    pub(super) fn handed_over(&self, py: Python<'_>, calls: &[u64]) {
        for call in calls {
            self.client.handed_over(*call, &mut detached(py));
        }
        self.note_pending(py);
    }

    /// A number for a call that takes many.
    pub(super) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Stores the offset behind a message, where that is automatic.
    pub(super) fn store_behind(&self, py: Python<'_>, message: &Bound<'_, PyAny>, origin: Option<Origin>) {
        if !self.store_on_handover {
            return;
        }
        let (Some((topic, ..)), Some(from)) = (origin, message::origin(message)) else { return };
        let Some(topic) = py.detach(|| self.client.topic_name(topic)) else { return };
        let (offset, leader_epoch) = (from.offset.saturating_add(1), from.leader_epoch);
        let stored = StoredOffset { topic, partition: from.partition, offset, leader_epoch, metadata: None };
        // What is not assigned any more is committed by nobody.
        let _ = py.detach(|| self.client.store_offset(stored));
    }

    /// Has the log tell of settings.
    pub(super) fn warn(&self, warnings: Vec<Warning>) {
        for warning in warnings {
            self.client.log(warning.level, warning.facility, warning.text);
        }
    }

    /// Notes whether something is kept back.
    pub(super) fn note_pending(&self, py: Python<'_>) {
        let left = !self.kept.borrow(py).is_empty() || !self.notices.borrow(py).is_empty();
        let pending = left || !self.interrupted.borrow(py).is_empty();
        self.pending.store(pending, Ordering::Relaxed);
    }
}

/// A message that is an error; `place` is partition and offset.
fn error_message(
    py: Python<'_>,
    topic: Option<&str>,
    place: (i32, i64),
    error: &Error,
) -> PyResult<*mut ffi::PyObject> {
    let topic_is_known = topic.is_some();
    let topic = topic.map_or_else(|| py.None().into_bound(py), |topic| PyString::new(py, topic).into_any());
    let value = PyBytes::new(py, error.message().as_bytes());
    let error = Bound::new(py, KafkaError::of_message(error))?;
    message::make(
        py,
        New {
            topic: topic.as_ptr(),
            key: ptr::null_mut(),
            value: value.into_ptr(),
            error: error.into_ptr(),
            wire_headers: None,
            partition: place.0,
            offset: place.1,
            timestamp: -1,
            timestamp_type: 0,
            // The original never sets it there: it reads as 0 where there is a topic.
            leader_epoch: if topic_is_known && place.0 >= 0 { 0 } else { -1 },
            latency_us: -1,
        },
    )
}

/// The message of one record of a run; `topic` is borrowed.
#[inline(always)]
pub(super) fn run_message(
    py: Python<'_>,
    run: &RecordRun,
    batch: &RunBatch,
    record: &RunRecord,
    topic: *mut ffi::PyObject,
) -> PyResult<*mut ffi::PyObject> {
    let key = message::bytes(py, run.key(record))?;
    let value = message::bytes(py, run.value(record))?;
    let wire_headers = run.has_headers(record).then(|| run.raw_headers(record).into());
    message::make(
        py,
        New {
            topic,
            key,
            value,
            error: ptr::null_mut(),
            wire_headers,
            partition: batch.partition,
            offset: record.offset,
            timestamp: record.timestamp_ms,
            timestamp_type: batch.timestamp_type.into(),
            leader_epoch: batch.leader_epoch,
            latency_us: -1,
        },
    )
}
