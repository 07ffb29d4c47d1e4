//! The class `Producer`: its life (`__init__` once, close, a forked child, the end of the process) and the calls that are not hot. The engine is
//! behind one pointer, so that a forked child can put a new one there and leave the old one alone for ever.
#![allow(unsafe_code)]
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ottla::NoticeOptions;
use ottla_machines::config::ProducerSettings;
use ottla_machines::config::confluent::Role;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::engine::Engine;
use super::{exit, poll, produce, reports};
use crate::confluent::config::{self, Callbacks};
use crate::confluent::{error, metadata};
use crate::raw::arguments::{self, Call};
use crate::waiting;

/// Asynchronous Kafka producer.
///
/// `produce` queues a record and returns; delivery reports call back from `poll`, `flush` and `close`. The configuration is a dict, keywords, or
/// both, with the keys of librdkafka.
#[pyclass(frozen, subclass, dict, weakref, module = "ottla.confluent_kafka.cimpl", name = "Producer")]
pub(crate) struct Producer {
    /// Null before `__init__`.
    engine: AtomicPtr<Engine>,
    callbacks: Callbacks,
    configured: OnceLock<Configured>,
}

/// What a new engine is made of in a forked child.
struct Configured {
    settings: ProducerSettings,
    notices: NoticeOptions,
}

/// A look again, no later than `deadline`.
fn soon(deadline: Option<Instant>) -> Instant {
    let soon = Instant::now() + Duration::from_millis(5);
    deadline.map_or(soon, |deadline| deadline.min(soon))
}

/// The text of a call to a closed producer.
pub(super) const CLOSED: &str = "Producer has been closed";

impl Producer {
    pub(super) fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    pub(super) fn reports_errors_alone(&self) -> bool {
        self.configured.get().is_some_and(|configured| configured.settings.delivery_report_only_error)
    }

    /// The engine of this process, `None` where there is none or it is closed.
    #[inline(always)]
    pub(super) fn engine(&self, py: Python<'_>) -> PyResult<Option<&Engine>> {
        // SAFETY: null, or an engine that this object owns a part of until it ends, which the caller holds.
        match unsafe { self.engine.load(Ordering::Acquire).as_ref() } {
            Some(engine) if engine.is_ours() => Ok((!engine.is_closed()).then_some(engine)),
            Some(engine) => self.after_fork(py, engine),
            None => Ok(None),
        }
    }

    /// The engine, or the original's error for a closed one.
    #[inline(always)]
    pub(super) fn open(&self, py: Python<'_>) -> PyResult<&Engine> {
        self.engine(py)?.ok_or_else(|| PyRuntimeError::new_err(CLOSED))
    }

    /// In a forked child: a new engine with an empty queue; the parent's is left alone and never freed.
    #[cold]
    fn after_fork(&self, py: Python<'_>, inherited: &Engine) -> PyResult<Option<&Engine>> {
        if inherited.is_closed() {
            return Ok(None);
        }
        let Some(configured) = self.configured.get() else { return Ok(None) };
        self.start(py, configured)?;
        // SAFETY: just stored.
        Ok(unsafe { self.engine.load(Ordering::Acquire).as_ref() })
    }

    fn start(&self, py: Python<'_>, configured: &Configured) -> PyResult<()> {
        let engine = Engine::new(configured.settings.clone(), configured.notices.clone());
        let engine = engine.map_err(|error| error::raise(py, "Failed to create producer", &error))?;
        let engine = Arc::new(engine);
        exit::enter(&engine);
        self.engine.store(Arc::into_raw(engine).cast_mut(), Ordering::Release);
        Ok(())
    }

    /// Waits until nothing is outstanding, serving every report. Returns what is left.
    fn drain(&self, py: Python<'_>, engine: &Engine, deadline: Option<Instant>) -> PyResult<usize> {
        engine.client.start_flush();
        let mut served = reports::Served::default();
        let mut before = usize::MAX;
        let left = loop {
            served.add(py, reports::serve(py, self, engine, true));
            if !engine.is_ours() {
                break 0;
            }
            let left = engine.outstanding(py);
            // In a callback, the records whose callbacks run wait for it in turn.
            let enough = if reports::in_callback() { engine.running.load(Ordering::Relaxed) } else { 0 };
            if left <= enough || reports::is_deepest() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break left;
            }
            // Nobody wakes a flush that waits for less than all.
            let until = if enough == 0 { deadline } else { Some(soon(deadline)) };
            match waiting::until(py, until, |end| engine.client.wait_for_progress(end).then_some(())) {
                // Of a client that has failed, nothing more comes.
                Ok(_) if left == before && engine.client.failure().is_some() => break left,
                Ok(_) => before = left,
                Err(interrupted) => {
                    served.raise(py, interrupted);
                    break left;
                }
            }
        };
        served.into_result(left)
    }

    /// Refuses further records, waits for the others, and ends the client.
    fn shut(&self, py: Python<'_>, engine: &Engine, deadline: Option<Instant>) -> PyResult<bool> {
        if engine.is_closed() {
            return Ok(true);
        }
        engine.client.close();
        let left = self.drain(py, engine, deadline);
        if engine.is_ours() {
            engine.close_asked.store(false, Ordering::Relaxed);
            engine.closed.store(true, Ordering::Release);
            engine.end(py);
        }
        Ok(left? == 0)
    }

    /// Closes after a callback that asked for it.
    pub(super) fn shut_if_asked(&self, py: Python<'_>, engine: &Engine) -> PyResult<()> {
        if engine.close_asked.load(Ordering::Relaxed) && !reports::in_callback() && engine.is_ours() {
            self.shut(py, engine, None)?;
        }
        Ok(())
    }
}

#[pymethods]
impl Producer {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(config=..., /, **kwargs)")]
    fn __new__(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { engine: AtomicPtr::new(ptr::null_mut()), callbacks: Callbacks::none(), configured: OnceLock::new() }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        if self.configured.get().is_some() {
            return Err(PyRuntimeError::new_err("Producer already __init__:ialized"));
        }
        let mut given = config::read(Role::Producer, args, kwargs)?;
        let parsed = given.take_config().producer().map_err(|error| config::refused(py, error))?;
        let settings = parsed.settings;
        let notices = given.install(py, &self.callbacks, &settings.connection.client_id, "producer");
        self.start(py, self.configured.get_or_init(|| Configured { settings, notices }))?;
        if let Some(engine) = self.engine(py)? {
            engine.warn(parsed.warnings);
        }
        Ok(())
    }

    /// Wait until every record is delivered or has failed, or `timeout` seconds; serves delivery reports. Returns how many are left.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, timeout=-1)")]
    fn flush(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<usize> {
        let py = args.py();
        let timeout = arguments::timeout(Call::new(args, kwargs))?;
        let engine = self.open(py)?;
        let left = self.drain(py, engine, waiting::deadline(timeout))?;
        self.shut_if_asked(py, engine)?;
        Ok(left)
    }

    /// Wait until every record is delivered or has failed, then end the client. `timeout` in seconds ends the wait; by default the delivery
    /// time-out of each record does. Returns whether nothing was left. Called in a callback, it takes effect when the callback returns.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, timeout=-1)")]
    fn close(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<bool> {
        let py = args.py();
        let timeout = close_timeout(args, kwargs)?;
        let Some(engine) = self.engine(py)? else { return Ok(true) };
        if reports::in_callback() {
            engine.close_asked.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        self.shut(py, engine, waiting::deadline(timeout))
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

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.engine(py)?.map_or(0, |engine| engine.outstanding(py)))
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*args))]
    fn __exit__(&self, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        if args.len() != 3 {
            return Err(PyTypeError::new_err(format!("__exit__ expected 3 arguments, got {}", args.len())));
        }
        let py = args.py();
        match self.engine(py)? {
            Some(engine) if !reports::in_callback() => self.shut(py, engine, None).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for slot in self.callbacks.slots() {
            slot.traverse(&visit)?;
        }
        // SAFETY: null, or an engine that this object owns a part of until it ends.
        match unsafe { self.engine.load(Ordering::Acquire).as_ref() } {
            Some(engine) if engine.is_ours() => engine.visit_callbacks(|callback| visit.call(callback)),
            _ => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        for slot in self.callbacks.slots() {
            slot.set(py, None);
        }
        // SAFETY: as above.
        if let Some(engine) = unsafe { self.engine.load(Ordering::Acquire).as_ref() }.filter(|engine| engine.is_ours())
        {
            for callback in engine.take_callbacks(py) {
                drop(callback.into_bound(py));
            }
        }
    }
}

/// `close` takes seconds; None, the default, is none.
fn close_timeout(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<f64> {
    let only_none = match (args.len(), kwargs) {
        (1, None) => args.get_item(0)?.is_none(),
        _ => false,
    };
    if only_none { Ok(-1.0) } else { arguments::timeout(Call::new(args, kwargs)) }
}

impl Drop for Producer {
    /// The last reference is gone: the client ends without waiting and says in its log what was lost. A parent's engine is left alone.
    fn drop(&mut self) {
        let engine = *self.engine.get_mut();
        if engine.is_null() {
            return;
        }
        // SAFETY: made by `start`, and this object gives up its part here, once.
        unsafe {
            if (*engine).is_ours() {
                let engine = Arc::from_raw(engine);
                Python::attach(|py| {
                    for callback in engine.take_callbacks(py) {
                        drop(callback.into_bound(py));
                    }
                });
            }
        }
    }
}

/// Adds the class and its raw methods.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Producer>()?;
    let class = module.py().get_type::<Producer>();
    produce::register(&class)?;
    poll::register(&class)
}
