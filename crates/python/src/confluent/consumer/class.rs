//! The class `Consumer`: its life (`__init__` once, close, a forked child) and the calls that are not hot: assignment, positions, queries. The
//! original's texts go before what the client says.
#![allow(unsafe_code)]
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread::{self, ThreadId};

use ottla::{Assigned, OFFSET_INVALID, StartOffset};
use ottla_machines::config::confluent::Role;
use ottla_machines::error::{Error, Kind};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::engine::Engine;
use super::subscribe::Listeners;
use super::{commit, leave, member, rebalance, subscribe, take};
use crate::confluent::config::{self, Callbacks};
use crate::confluent::topic_partition::{self, Given, TopicPartition};
use crate::confluent::{error, metadata};
use crate::raw::arguments::{self, Call};
use crate::raw::attached::Attached;
use crate::waiting;

/// Kafka consumer.
///
/// Reads the partitions that `assign` names; `poll` and `consume` hand the records over. The configuration is a dict, keywords, or both, with the
/// keys of librdkafka; `group.id` is required.
#[pyclass(frozen, subclass, dict, weakref, module = "ottla.confluent_kafka.cimpl", name = "Consumer")]
pub(crate) struct Consumer {
    /// Null before `__init__`.
    engine: AtomicPtr<Engine>,
    callbacks: Callbacks,
    listeners: Listeners,
    configured: AtomicBool,
    calling_back: Attached<Vec<CallingBack>>,
}

/// A thread that runs callbacks.
struct CallingBack {
    thread: ThreadId,
    /// One of them called close: it is done when this thread's have returned.
    close_asked: bool,
}

const CLOSED: &str = "Consumer closed";
const FORKED: &str = "this consumer belongs to the parent process: a forked child makes its own Consumer";

impl Consumer {
    pub(super) fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    /// The engine of this process, `None` where there is none or it is closed.
    ///
    /// # Errors
    /// In a forked child.
    #[inline(always)]
    pub(super) fn engine(&self, py: Python<'_>) -> PyResult<Option<&Engine>> {
        // SAFETY: null, or an engine that this object owns a part of until it ends.
        match unsafe { self.engine.load(Ordering::Acquire).as_ref() } {
            Some(engine) if engine.is_ours() => Ok((!engine.is_closed()).then_some(engine)),
            Some(_) => Err(error::raise(py, "", &Error::with_text(Kind::State, FORKED))),
            None => Ok(None),
        }
    }

    /// The engine, or the original's error for a closed one.
    #[inline(always)]
    pub(super) fn open(&self, py: Python<'_>) -> PyResult<&Engine> {
        self.engine(py)?.ok_or_else(|| PyRuntimeError::new_err(CLOSED))
    }

    pub(super) fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Runs callbacks; a close that one of them asked for takes effect after.
    pub(super) fn calling_back<T>(&self, slf: &Bound<'_, Self>, body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        let thread = thread::current().id();
        self.calling_back.borrow(slf.py()).push(CallingBack { thread, close_asked: false });
        let result = body();
        if self.called_back(slf.py(), thread)
            && let Err(closing) = leave::close(slf)
        {
            let mut raised = result.err();
            rebalance::note(slf.py(), &mut raised, closing);
            return raised.map_or_else(|| Err(PyRuntimeError::new_err(CLOSED)), Err);
        }
        result
    }

    /// Ends the innermost callbacks of a thread; whether a close was asked for that is due now.
    fn called_back(&self, py: Python<'_>, thread: ThreadId) -> bool {
        let mut all = self.calling_back.borrow(py);
        let innermost = all.iter().rposition(|each| each.thread == thread);
        innermost.is_some_and(|at| all.remove(at).close_asked)
    }

    /// Notes that a callback of this thread asks for a close; false where this thread runs none. Callbacks of others are waited for.
    fn ask_close(&self, py: Python<'_>) -> bool {
        let (thread, mut all) = (thread::current().id(), self.calling_back.borrow(py));
        let outermost = all.iter_mut().find(|each| each.thread == thread);
        outermost.is_some_and(|each| {
            each.close_asked = true;
            true
        })
    }

    /// Makes a call that changes the assignment; a listener that makes one has done what its rebalance asks for.
    fn changing<T: Send>(&self, py: Python<'_>, engine: &Engine, call: impl FnOnce(&ottla::Consumer) -> T + Send) -> T {
        engine.assignments.fetch_add(1, Ordering::Relaxed);
        py.detach(|| call(&engine.client))
    }
}

/// The one argument of a method that takes no keywords.
fn only_argument<'py>(
    name: &str,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    if kwargs.is_some_and(|kwargs| !kwargs.is_empty()) {
        return Err(PyTypeError::new_err(format!("Consumer.{name}() takes no keyword arguments")));
    }
    if args.len() != 1 {
        let text = format!("Consumer.{name}() takes exactly one argument ({} given)", args.len());
        return Err(PyTypeError::new_err(text));
    }
    args.get_item(0)
}

/// Parts of an assignment can be changed unless the group hands over whole ones.
fn refuse_eager(py: Python<'_>, engine: &Engine) -> PyResult<()> {
    const TEXT: &str =
        "Changes to the current assignment must be made using assign() when rebalance protocol type is EAGER";
    if engine.eager.load(Ordering::Relaxed) {
        return Err(error::raise(py, "", &Error::with_text(Kind::State, TEXT)));
    }
    Ok(())
}

/// What the client takes of a list of `TopicPartition`; else the one whose offset means nothing.
fn starts(partitions: &[Given]) -> Result<Vec<Assigned>, (&Given, Kind)> {
    let mut starts = Vec::with_capacity(partitions.len());
    for given in partitions {
        let start = StartOffset::from_number(given.offset).ok_or((given, Kind::InvalidArgument))?;
        starts.push(Assigned { topic: Arc::from(given.topic.as_str()), partition: given.partition, start });
    }
    Ok(starts)
}

fn assigned(py: Python<'_>, what: &str, partitions: &[Given]) -> PyResult<Vec<Assigned>> {
    starts(partitions).map_err(|(_, kind)| error::raise(py, what, &Error::new(kind)))
}

/// An argument that the parser requires is there.
pub(super) fn required<T>(argument: Option<T>) -> PyResult<T> {
    argument.ok_or_else(|| PyTypeError::new_err("expected cimpl.TopicPartition"))
}

#[pymethods]
impl Consumer {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(config=..., /, **kwargs)")]
    fn __new__(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            engine: AtomicPtr::new(ptr::null_mut()),
            callbacks: Callbacks::none(),
            listeners: Listeners::none(),
            configured: AtomicBool::new(false),
            calling_back: Attached::new(Vec::new()),
        }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        if self.configured.load(Ordering::Relaxed) {
            return Err(PyRuntimeError::new_err("Consumer already initialized"));
        }
        let mut given = config::read(Role::Consumer, args, kwargs)?;
        let parsed = given.take_config().consumer().map_err(|error| config::refused(py, error))?;
        let settings = parsed.settings;
        let notices = given.install(py, &self.callbacks, &settings.connection.client_id, "consumer");
        let engine =
            Engine::new(settings, notices).map_err(|error| error::raise(py, "Failed to create consumer", &error))?;
        engine.warn(parsed.warnings);
        self.engine.store(Arc::into_raw(Arc::new(engine)).cast_mut(), Ordering::Release);
        self.configured.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Read these partitions, each from its offset, instead of those assigned before.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partitions, /)")]
    fn assign(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        const WHAT: &str = "Failed to set assignment";
        let py = args.py();
        let given = only_argument("assign", args, kwargs)?;
        let engine = self.open(py)?;
        let partitions = assigned(py, WHAT, &topic_partition::list(&given)?)?;
        self.changing(py, engine, |client| client.assign(partitions)).map_err(|error| {
            // The original's text is the code's alone.
            error::raise(py, WHAT, &Error::new(error.kind))
        })
    }

    /// Read nothing more.
    fn unassign(&self, py: Python<'_>) -> PyResult<()> {
        let engine = self.open(py)?;
        self.changing(py, engine, ottla::Consumer::unassign)
            .map_err(|error| error::raise(py, "Failed to remove assignment", &error))
    }

    /// Read these partitions, each from its offset, besides those that are assigned.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partitions, /)")]
    fn incremental_assign(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        let given = only_argument("incremental_assign", args, kwargs)?;
        let engine = self.open(py)?;
        let given = topic_partition::list(&given)?;
        refuse_eager(py, engine)?;
        let partitions = starts(&given).map_err(|(wrong, kind)| {
            let text = format!("{} [{}] has invalid start offset {}", wrong.topic, wrong.partition, wrong.offset);
            error::raise(py, "", &Error::with_text(kind, text))
        })?;
        self.changing(py, engine, |client| client.incremental_assign(partitions))
            .map_err(|error| error::raise(py, "", &error))
    }

    /// Read nothing more of these partitions.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partitions, /)")]
    fn incremental_unassign(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        let given = only_argument("incremental_unassign", args, kwargs)?;
        let engine = self.open(py)?;
        let given = topic_partition::list(&given)?;
        refuse_eager(py, engine)?;
        let named: Vec<(Arc<str>, i32)> =
            given.iter().map(|given| (Arc::from(given.topic.as_str()), given.partition)).collect();
        self.changing(py, engine, |client| client.incremental_unassign(&named))
            .map_err(|error| error::raise(py, "", &error))
    }

    /// Be a member of the group for these topics, instead of those of before; a name that begins with `^` is a pattern. The callbacks are called
    /// with the consumer and a list of partitions, in poll, consume and close.
    #[pyo3(
        signature = (*args, **kwargs),
        text_signature = "($self, topics, on_assign=..., on_revoke=..., on_lost=...)"
    )]
    fn subscribe(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        subscribe::subscribe(self, args, kwargs)
    }

    /// Leave the group; what is assigned is revoked with one of the next calls of poll or consume.
    fn unsubscribe(&self, py: Python<'_>) -> PyResult<()> {
        subscribe::unsubscribe(self, py)
    }

    /// Commit the offset behind `message`, or `offsets`, or what is stored. With `asynchronous=False` (formerly `async`) it waits and returns what
    /// became of each.
    #[pyo3(
        signature = (*args, **kwargs),
        text_signature = "($self, message=None, offsets=None, *, asynchronous=True, **kwargs)"
    )]
    fn commit(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Vec<TopicPartition>>> {
        commit::commit(self, args, kwargs)
    }

    /// The committed offsets of these partitions, OFFSET_INVALID where none is; asked from the coordinator within `timeout` seconds.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partitions, timeout=-1)")]
    fn committed(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Vec<TopicPartition>> {
        commit::committed(self, args, kwargs)
    }

    /// Have the next commit take the offset behind `message`, or `offsets`; `enable.auto.offset.store` must be false.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, message=None, offsets=None)")]
    fn store_offsets(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        commit::store_offsets(self, args, kwargs)
    }

    /// The member id that the group gave, None while there is none.
    fn memberid(&self, py: Python<'_>) -> PyResult<Option<String>> {
        member::memberid(self, py)
    }

    /// An opaque value that says who this member is, for a transactional producer.
    fn consumer_group_metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        member::group_metadata(self, py)
    }

    /// The partitions that are assigned, sorted, with the offsets that were asked for.
    #[pyo3(signature = (*_args), text_signature = "($self, /)")]
    fn assignment(&self, py: Python<'_>, _args: &Bound<'_, PyTuple>) -> PyResult<Vec<TopicPartition>> {
        let engine = self.open(py)?;
        let assignment = py.detach(|| engine.client.assignment());
        let shown =
            |assigned: &Assigned| TopicPartition::of(&assigned.topic, assigned.partition, assigned.start.number());
        Ok(assignment.iter().map(shown).collect())
    }

    /// Positions: the offset behind the last record handed over, OFFSET_INVALID where there was none.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partitions)")]
    fn position(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<TopicPartition>> {
        let py = args.py();
        let engine = self.open(py)?;
        let partitions = arguments::partitions(Call::new(args, kwargs))?;
        let partitions = topic_partition::list(&required(partitions)?)?;
        let position = |given: &Given| {
            let position = py.detach(|| engine.client.position(&given.topic, given.partition));
            let offset = engine.kept_offset(py, &given.topic, given.partition)?.unwrap_or(position.offset);
            let leader_epoch = if offset == OFFSET_INVALID { None } else { position.leader_epoch };
            Ok(TopicPartition::answer(given, offset, leader_epoch))
        };
        partitions.iter().map(position).collect()
    }

    /// Go on at the offset of `partition`.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partition)")]
    fn seek(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        let engine = self.open(py)?;
        let given = topic_partition::one(&required(arguments::partition(Call::new(args, kwargs))?)?)?;
        let sought = StartOffset::from_number(given.offset)
            .ok_or_else(|| Error::new(Kind::InvalidArgument))
            .and_then(|start| py.detach(|| engine.client.seek(&given.topic, given.partition, start)));
        sought.map_err(|error| {
            // As there: the code's description alone, and a partition of a topic that nothing is assigned of is unknown.
            let same_topic = |assigned: &Assigned| *assigned.topic == *given.topic;
            let kind = match error.kind {
                Kind::State if !py.detach(|| engine.client.assignment()).iter().any(same_topic) => {
                    Kind::UnknownPartition
                }
                kind => kind,
            };
            error::raise(py, &format!("Failed to seek to offset {}", given.offset), &Error::new(kind))
        })
    }

    /// Hand over nothing of these partitions until they are resumed.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partitions)")]
    fn pause(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        let engine = self.open(py)?;
        let partitions = arguments::partitions(Call::new(args, kwargs))?;
        for given in topic_partition::list(&required(partitions)?)? {
            py.detach(|| engine.client.pause(&given.topic, given.partition));
        }
        Ok(())
    }

    /// Hand over records of these partitions again.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partitions)")]
    fn resume(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        let engine = self.open(py)?;
        let partitions = arguments::partitions(Call::new(args, kwargs))?;
        for given in topic_partition::list(&required(partitions)?)? {
            py.detach(|| engine.client.resume(&given.topic, given.partition));
        }
        Ok(())
    }

    /// The partition's first offset and the one behind its last, asked from the broker within `timeout` seconds; with `cached` as the last fetch
    /// told, OFFSET_INVALID where none did.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, partition, timeout=-1, cached=False)")]
    fn get_watermark_offsets(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<(i64, i64)> {
        let py = args.py();
        let engine = self.open(py)?;
        let (partition, timeout, cached) = arguments::watermarks(Call::new(args, kwargs))?;
        let given = topic_partition::one(&required(partition)?)?;
        if cached {
            return Ok(py.detach(|| engine.client.cached_watermarks(&given.topic, given.partition)));
        }
        let deadline = waiting::deadline(timeout);
        let pending = engine.client.watermarks(&given.topic, given.partition, waiting::left(deadline));
        metadata::wait(py, &pending, deadline, "Failed to get watermark offsets", Kind::TimedOut)
    }

    /// Describe the cluster, or one topic, asked from a broker within `timeout` seconds.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, topic=None, timeout=-1)")]
    fn list_topics<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let (topic, timeout) = arguments::topic_and_timeout(Call::new(args, kwargs))?;
        let engine = self.engine(py)?.ok_or_else(|| PyRuntimeError::new_err("Handle has been closed"))?;
        let deadline = waiting::deadline(timeout);
        metadata::list_topics(py, &engine.client.metadata(topic, waiting::left(deadline)), deadline)
    }

    /// Revoke what is assigned, commit what is stored (`enable.auto.commit`), leave the group and end the client. Called in a callback, it takes
    /// effect when the callback returns.
    #[pyo3(text_signature = "($self, /)")]
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        if this.ask_close(slf.py()) {
            return Ok(());
        }
        leave::close(slf)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*args))]
    fn __exit__(slf: &Bound<'_, Self>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        if args.len() != 3 {
            return Err(PyTypeError::new_err(format!("__exit__ expected 3 arguments, got {}", args.len())));
        }
        Self::close(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks.slots().into_iter().try_for_each(|slot| slot.traverse(&visit))?;
        self.listeners.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        for slot in self.callbacks.slots() {
            slot.set(py, None);
        }
        self.listeners.clear(py);
    }
}

impl Drop for Consumer {
    /// The last reference is gone: the client ends without waiting. A parent's engine is left alone.
    fn drop(&mut self) {
        let engine = *self.engine.get_mut();
        // SAFETY: made by `__init__`, and this object gives up its part here, once.
        unsafe {
            if !engine.is_null() && (*engine).is_ours() {
                drop(Arc::from_raw(engine));
            }
        }
    }
}

/// Adds the class and its raw methods.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Consumer>()?;
    take::register(&module.py().get_type::<Consumer>())
}
