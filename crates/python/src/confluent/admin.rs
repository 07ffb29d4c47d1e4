//! `_AdminClientImpl`: the native half of `AdminClient`. An operation is started here; its answer goes to the completion queue, whose Python
//! thread completes the futures. What is refused before anything is sent is refused in the original's words.
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ottla::{CreateTopics, DeleteTopics, NewTopic as Creatable};
use ottla_machines::config::confluent::Role;
use ottla_machines::error::{Error, Kind};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::completion::Answers;
use super::config::{self, Callbacks};
use super::new_topic::NewTopic;
use super::{error, metadata, notices};
use crate::raw::arguments::{self, Call};
use crate::raw::attached::Attached;
use crate::waiting;

/// The native half of `ottla.confluent_kafka.admin.AdminClient`.
#[pyclass(frozen, subclass, dict, weakref, module = "ottla.confluent_kafka.cimpl", name = "_AdminClientImpl")]
pub(crate) struct AdminClient {
    engine: Attached<State>,
    callbacks: Callbacks,
}

#[derive(Default)]
enum State {
    #[default]
    New,
    Open(Arc<Engine>),
    Closed,
}

struct Engine {
    client: ottla::Admin,
    generation: u32,
    request_timeout: Duration,
    notices: notices::Taken,
    name: String,
}

impl AdminClient {
    fn open(&self, py: Python<'_>, closed: &'static str) -> PyResult<Arc<Engine>> {
        match &*self.engine.borrow(py) {
            State::Open(engine) if engine.generation == ottla::fork::generation() => Ok(engine.clone()),
            State::Open(_) => {
                let text = "this client belongs to the parent process: a forked child makes its own AdminClient";
                Err(error::raise(py, "", &Error::with_text(Kind::State, text)))
            }
            _ => Err(PyRuntimeError::new_err(closed)),
        }
    }

    fn shut(&self, py: Python<'_>) {
        let old = std::mem::replace(&mut *self.engine.borrow(py), State::Closed);
        release(old);
    }
}

/// Ends a client of this process; another's is left alone for ever.
fn release(state: State) {
    if let State::Open(engine) = state
        && engine.generation != ottla::fork::generation()
    {
        std::mem::forget(engine);
    }
}

impl Drop for AdminClient {
    fn drop(&mut self) {
        release(std::mem::take(self.engine.get_mut()));
    }
}

/// Seconds to milliseconds, within the original's range; `None` for not given.
fn option(name: &str, seconds: Option<f64>, lowest: i64) -> PyResult<Option<i64>> {
    let Some(seconds) = seconds else { return Ok(None) };
    let milliseconds = (seconds * 1000.0) as i64;
    if (lowest..=3_600_000).contains(&milliseconds) {
        return Ok(Some(milliseconds));
    }
    let text = format!("Invalid value type for \"{name}\": expecting integer in range {lowest}..3600000");
    Err(PyValueError::new_err(text))
}

/// How long the whole operation and its part on the controller may take.
fn times(engine: &Engine, request: Option<f64>, operation: Option<f64>) -> PyResult<(Duration, i32)> {
    let request = option("request_timeout", request, 0)?;
    let operation = option("operation_timeout", operation, -1)?;
    let timeout = request.map_or(engine.request_timeout, |request| Duration::from_millis(request.unsigned_abs()));
    let operation = operation.unwrap_or_else(|| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
    Ok((timeout, i32::try_from(operation).unwrap_or(i32::MAX)))
}

/// The topic to create, or the original's refusal.
fn creatable(topic: &NewTopic, py: Python<'_>) -> PyResult<Creatable> {
    let refused = |text: String| Err(PyValueError::new_err(text));
    let name = &topic.name;
    if !(-1..=100_000).contains(&topic.num_partitions) {
        return refused(format!(
            "Invalid NewTopic({name}): num_partitions out of expected range 1..100000 or -1 for broker default"
        ));
    }
    if !(-1..=10_000).contains(&topic.replication_factor) {
        return refused(format!("Invalid NewTopic({name}): replication_factor out of expected range -1..10000"));
    }
    let mut assignment = Vec::new();
    if let Some(replicas) = topic.replica_assignment.as_ref().filter(|replicas| !replicas.is_none(py)) {
        if topic.replication_factor != -1 {
            return refused("replication_factor and replica_assignment are mutually exclusive".to_owned());
        }
        assignment = replica_assignment(topic.num_partitions, replicas.bind(py))?;
    }
    let mut config = Vec::new();
    if let Some(given) = topic.config.as_ref().filter(|given| !given.is_none(py)) {
        let given =
            given.bind(py).cast::<PyDict>().map_err(|_| PyTypeError::new_err("config must be a dict of strings"))?;
        for (key, value) in given.iter() {
            let value = if value.is_none() { None } else { Some(value.str()?.to_str()?.to_owned()) };
            config.push((key.str()?.to_str()?.to_owned(), value));
        }
    }
    // A broker takes no number of partitions beside an assignment.
    let partitions = if assignment.is_empty() { topic.num_partitions } else { -1 };
    let replication_factor = i16::try_from(topic.replication_factor).unwrap_or(i16::MAX);
    Ok(Creatable { name: name.as_str().into(), partitions, replication_factor, assignment, config })
}

fn replica_assignment(partitions: i32, replicas: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<i32>>> {
    if partitions == -1 {
        let text = "Specifying a default partition count and a replica assignment are mutually exclusive";
        return Err(PyValueError::new_err(text));
    }
    let refused = || {
        let text = "replica_assignment must be a list of int lists with an outer size of num_partitions";
        PyValueError::new_err(text)
    };
    let outer = replicas.cast::<PyList>().map_err(|_| refused())?;
    if usize::try_from(partitions) != Ok(outer.len()) {
        return Err(refused());
    }
    let inner = |item: Bound<'_, PyAny>| {
        let brokers: Vec<i32> = item.cast::<PyList>().map_err(|_| refused())?.extract().map_err(|_| refused())?;
        if brokers.is_empty() { Err(refused()) } else { Ok(brokers) }
    };
    outer.iter().map(inner).collect()
}

#[pymethods]
impl AdminClient {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn __new__(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { engine: Attached::new(State::New), callbacks: Callbacks::none() }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = args.py();
        if !matches!(*self.engine.borrow(py), State::New) {
            return Err(PyRuntimeError::new_err("AdminClient already initialized"));
        }
        let mut given = config::read(Role::Admin, args, kwargs)?;
        let parsed = given.take_config().admin().map_err(|error| config::refused(py, error))?;
        let settings = parsed.settings;
        let notices = given.install(py, &self.callbacks, &settings.connection.client_id, "producer");
        let request_timeout = Duration::from_micros(settings.request_timeout_us);
        let name = notices.name.clone();
        let client = ottla::Admin::new(settings, notices)
            .map_err(|error| error::raise(py, "Failed to create admin client", &error))?;
        for warning in parsed.warnings {
            client.log(warning.level, warning.facility, warning.text);
        }
        let notices = Attached::new(VecDeque::new());
        let generation = ottla::fork::generation();
        *self.engine.borrow(py) = State::Open(Arc::new(Engine { client, generation, request_timeout, notices, name }));
        Ok(())
    }

    /// Start to create topics; `answers` gets the outcome under `number`.
    #[pyo3(signature = (answers, number, topics, **kwargs))]
    fn _create_topics(
        &self,
        py: Python<'_>,
        answers: &Answers,
        number: u64,
        topics: &Bound<'_, PyAny>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let (validate_only, request, operation) = arguments::create_options(Call::new(&PyTuple::empty(py), kwargs))?;
        let engine = self.open(py, "AdminClient has been closed")?;
        let validate_only = match validate_only {
            None => false,
            Some(given) => given.cast::<PyBool>().map(|given| given.is_true()).map_err(|_| {
                let name = given.get_type().name().map(|name| name.to_string()).unwrap_or_default();
                PyTypeError::new_err(format!("Expected validate_only to be bool type, not {name}"))
            })?,
        };
        let (timeout, operation_timeout_ms) = times(&engine, request, operation)?;
        let empty = || PyValueError::new_err("Expected non-empty list of NewTopic objects");
        let list = topics.cast::<PyList>().ok().filter(|list| !list.is_empty()).ok_or_else(empty)?;
        let topic = |item: Bound<'_, PyAny>| {
            let topic = item.cast::<NewTopic>().map_err(|_| PyValueError::new_err("Expected NewTopic object"))?;
            creatable(&topic.borrow(), py)
        };
        let topics = list.iter().map(topic).collect::<PyResult<Vec<_>>>()?;
        let operation = CreateTopics { topics, validate_only, operation_timeout_ms };
        engine.client.create_topics(operation, timeout).on_ready(answers.sender(number));
        Ok(())
    }

    /// Start to delete topics; `answers` gets the outcome under `number`.
    #[pyo3(signature = (answers, number, topics, **kwargs))]
    fn _delete_topics(
        &self,
        py: Python<'_>,
        answers: &Answers,
        number: u64,
        topics: &Bound<'_, PyAny>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let list = topics.cast::<PyList>().map_err(|_| {
            let name = topics.get_type().name().map(|name| name.to_string()).unwrap_or_default();
            PyTypeError::new_err(format!("argument 1 must be list, not {name}"))
        })?;
        let (request, operation) = arguments::delete_options(Call::new(&PyTuple::empty(py), kwargs))?;
        let engine = self.open(py, "AdminClient has been closed")?;
        if list.is_empty() {
            return Err(PyValueError::new_err("Expected non-empty list of topic strings"));
        }
        let (timeout, operation_timeout_ms) = times(&engine, request, operation)?;
        let topic = |item: Bound<'_, PyAny>| Ok(item.str()?.to_str()?.into());
        let topics = list.iter().map(topic).collect::<PyResult<Vec<_>>>()?;
        engine
            .client
            .delete_topics(DeleteTopics { topics, operation_timeout_ms }, timeout)
            .on_ready(answers.sender(number));
        Ok(())
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
        let engine = self.open(py, "Handle has been closed")?;
        let deadline = waiting::deadline(timeout);
        metadata::list_topics(py, &engine.client.metadata(topic, waiting::left(deadline)), deadline)
    }

    /// Serve errors and log lines: call back for each that is ready, after waiting up to `timeout` seconds for the first.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, timeout=-1)")]
    fn poll(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<usize> {
        let py = args.py();
        let deadline = waiting::deadline(arguments::timeout(Call::new(args, kwargs))?);
        let engine = self.open(py, "AdminClient has been closed")?;
        loop {
            let mut taken = Vec::new();
            engine.client.take_notices(&mut taken);
            engine.notices.borrow(py).extend(taken);
            let served = notices::serve(py, &self.callbacks, &engine.name, &engine.notices)?;
            if served > 0 || deadline.is_some_and(|deadline| deadline <= std::time::Instant::now()) {
                return Ok(served);
            }
            waiting::until(py, deadline, |end| engine.client.wait_for_notices(end).then_some(()))?;
        }
    }

    fn __len__(&self) -> usize {
        0
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
        self.shut(args.py());
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks.slots().into_iter().try_for_each(|slot| slot.traverse(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        for slot in self.callbacks.slots() {
            slot.set(py, None);
        }
    }
}

/// Adds the classes.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Answers>()?;
    module.add_class::<AdminClient>()
}
