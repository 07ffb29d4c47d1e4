//! `ottla._native._Broker`: the embedded broker for Python. Arguments are read here and errors made; what the cluster does is the broker's business.
//!
//! Calls take the cluster's lock detached from the interpreter; the thread that serves it never attaches, so neither waits for the other.
//! A forked child has no thread that serves: there every call raises, nothing is closed, and the sockets are closed by `ottla::fork`.
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ottla_broker::control::{Action, Fault, FaultId, Level, LogEntry, Select, When};
use ottla_broker::serve::{ServeOptions, Server};
use ottla_broker::{Cluster, Now, Settings};
use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyModule, PyTuple};

/// Client id, topic, group, member, transactional id.
type Words = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

/// Adds the class to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Broker>()
}

/// A running cluster; the native half of `ottla.testing.Broker`.
#[pyclass(frozen, module = "ottla._native", name = "_Broker")]
struct Broker {
    /// `None` once it was stopped.
    server: Mutex<Option<Server>>,
    bootstrap: String,
    /// How many; the highest id.
    brokers: i32,
    /// The process that it serves in.
    process: u32,
    /// A panic of its thread was raised already.
    told: AtomicBool,
}

impl Broker {
    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises in a forked child, whose copy of any lock may be held for ever.
    fn check_process(&self) -> PyResult<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err("this broker belongs to the parent process: a forked child starts its own"))
    }

    fn check_node(&self, node: i32) -> PyResult<()> {
        if (1..=self.brokers).contains(&node) {
            return Ok(());
        }
        Err(PyValueError::new_err(format!("there is no broker {node}: they are 1 to {}", self.brokers)))
    }

    fn failed(&self, failure: &str) -> PyErr {
        self.told.store(true, Ordering::Relaxed);
        PyRuntimeError::new_err(format!(
            "the embedded broker has failed and serves nobody any more: {failure} (a defect of Ottla's broker, not of the \
             program that uses it; where it happened stands on stderr)"
        ))
    }

    /// Looks at the cluster or changes it.
    fn with<T: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut Cluster, Now) -> T + Send) -> PyResult<T> {
        self.check_process()?;
        // What failed is not looked at any more: its cluster may be torn.
        let found = py.detach(|| {
            self.server().as_ref().map(|server| match server.failure() {
                Some(failure) => Err(failure),
                None => {
                    let value = server.with(f);
                    server.failure().map_or(Ok(value), Err)
                }
            })
        });
        match found {
            Some(Ok(value)) => Ok(value),
            Some(Err(failure)) => Err(self.failed(&failure)),
            None => Err(PyRuntimeError::new_err("the broker has been closed")),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // Its thread is the parent's: waiting for it would never end.
            let held = self.server.try_lock().ok().and_then(|mut server| server.take());
            std::mem::forget(held);
        }
    }
}

#[pymethods]
impl Broker {
    #[new]
    #[pyo3(signature = (*, brokers, seed, auto_create_topics, default_partitions, max_bytes, ports, group_initial_rebalance_delay_ms,
        group_min_session_timeout_ms, message_max_bytes))]
    #[allow(clippy::too_many_arguments, reason = "a broker's settings, by name")]
    fn __new__(
        py: Python<'_>,
        brokers: u32,
        seed: u64,
        auto_create_topics: bool,
        default_partitions: i32,
        max_bytes: u64,
        ports: Option<Vec<u16>>,
        group_initial_rebalance_delay_ms: u64,
        group_min_session_timeout_ms: i32,
        message_max_bytes: i32,
    ) -> PyResult<Self> {
        if !(1..=MOST_BROKERS).contains(&brokers) {
            return Err(PyValueError::new_err(format!("brokers must be 1 to {MOST_BROKERS}, not {brokers}")));
        }
        let settings = Settings {
            brokers,
            seed,
            auto_create_topics,
            default_partitions,
            max_bytes,
            group_initial_rebalance_delay_ms,
            group_min_session_timeout_ms,
            message_max_bytes,
            request_log: true,
            ..Settings::default()
        };
        let told = ports.as_ref().map_or_else(|| "free ports".to_owned(), |ports| format!("ports {ports:?}"));
        let options = ServeOptions { ports, opened: Some(enter), ..ServeOptions::default() };
        let server = py
            .detach(|| Server::start(settings, options))
            .map_err(|error| PyOSError::new_err(format!("the embedded broker cannot listen on {told}: {error}")))?;
        let bootstrap = server.bootstrap_servers();
        let brokers = i32::try_from(brokers).unwrap_or(i32::MAX);
        Ok(Self {
            server: Mutex::new(Some(server)),
            bootstrap,
            brokers,
            process: std::process::id(),
            told: AtomicBool::new(false),
        })
    }

    fn bootstrap_servers(&self) -> &str {
        &self.bootstrap
    }

    fn create_topic(
        &self,
        py: Python<'_>,
        name: String,
        partitions: i32,
        replication_factor: Option<i16>,
    ) -> PyResult<()> {
        let made =
            self.with(py, |cluster, now| cluster.create_topic(now, &name, Some(partitions), replication_factor))?;
        made.map(drop)
            .map_err(|error| PyValueError::new_err(format!("topic {name:?} with {partitions} partitions: {error}")))
    }

    fn delete_topic(&self, py: Python<'_>, name: String) -> PyResult<()> {
        let known = self.with(py, |cluster, now| cluster.delete_topic(now, &name))?;
        if known { Ok(()) } else { Err(PyValueError::new_err(format!("there is no topic {name:?}"))) }
    }

    fn kill(&self, py: Python<'_>, node: i32) -> PyResult<()> {
        self.check_node(node)?;
        self.with(py, |cluster, now| cluster.kill(now, node)).map(drop)
    }

    fn start(&self, py: Python<'_>, node: i32) -> PyResult<()> {
        self.check_node(node)?;
        self.with(py, |cluster, now| cluster.start(now, node)).map(drop)
    }

    fn leader(&self, py: Python<'_>, topic: String, partition: i32) -> PyResult<Option<i32>> {
        let found = self.with(py, |cluster, _| {
            let topic = cluster.topics().by_name(&topic)?;
            topic.partition(partition).map(ottla_broker::cluster::Partition::leader)
        })?;
        found.ok_or_else(|| no_partition(&topic, partition))
    }

    fn move_leader(&self, py: Python<'_>, topic: String, partition: i32, node: i32) -> PyResult<()> {
        refused(self.with(py, |cluster, now| cluster.move_leader(now, &topic, partition, node))?)
    }

    fn coordinator(&self, py: Python<'_>, group: String) -> PyResult<Option<i32>> {
        self.with(py, |cluster, _| cluster.coordinator(&group))
    }

    fn move_coordinator(&self, py: Python<'_>, group: String, node: i32) -> PyResult<()> {
        refused(self.with(py, |cluster, now| cluster.move_coordinator(now, &group, node))?)
    }

    fn load_coordinator(&self, py: Python<'_>, group: String, milliseconds: u64) -> PyResult<()> {
        self.with(py, |cluster, now| cluster.load_coordinator(now, &group, milliseconds))
    }

    fn log_end(&self, py: Python<'_>, topic: String, partition: i32) -> PyResult<i64> {
        let end = self.with(py, |cluster, _| cluster.log_end(&topic, partition))?;
        end.ok_or_else(|| no_partition(&topic, partition))
    }

    /// State, generation, protocol, leader, members and offsets.
    fn group<'py>(&self, py: Python<'py>, name: String) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(group) = self.with(py, |cluster, _| cluster.group(&name))? else { return Ok(None) };
        let members: Vec<_> = group
            .members
            .into_iter()
            .map(|member| {
                let assignment = PyBytes::new(py, &member.assignment);
                (member.member_id, member.group_instance_id, member.client_id, assignment)
            })
            .collect();
        let offsets = PyDict::new(py);
        for (topic, partitions) in group.offsets.topics() {
            for (partition, committed) in partitions {
                offsets.set_item((topic, *partition), committed.offset)?;
            }
        }
        let told =
            (group.state.name(), group.generation, group.protocol_name.as_deref(), group.leader, members, offsets);
        Ok(Some(told.into_pyobject(py)?.into_any()))
    }

    /// Arms a fault; its number.
    #[allow(clippy::too_many_arguments, reason = "what a fault is")]
    fn arm(
        &self,
        py: Python<'_>,
        api: Option<String>,
        node: Option<i32>,
        partition: Option<i32>,
        words: Words,
        when: (String, Bound<'_, PyAny>),
        what: (String, Bound<'_, PyAny>),
        level: &str,
        applied: bool,
    ) -> PyResult<u64> {
        let api = api.map(|name| api_of(&name)).transpose()?;
        let (client_id, topic, group, member, transactional_id) = words;
        let select = Select { api, node, client_id, topic, partition, group, member, transactional_id };
        let fault =
            Fault { select, when: when_of(&when.0, &when.1)?, action: action_of(&what.0, &what.1, level, applied)? };
        Ok(self.with(py, |cluster, _| cluster.arm(fault))?.0)
    }

    fn fired(&self, py: Python<'_>, fault: u64) -> PyResult<u64> {
        self.with(py, |cluster, _| cluster.fired(FaultId(fault)))
    }

    fn disarm(&self, py: Python<'_>, fault: u64) -> PyResult<()> {
        self.with(py, |cluster, _| cluster.disarm(FaultId(fault)))?;
        Ok(())
    }

    fn clear_faults(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |cluster, _| cluster.clear_faults())
    }

    fn unfired(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let unfired = self.with(py, |cluster, _| cluster.unfired())?;
        Ok(unfired.into_iter().map(|(_, told)| told).collect())
    }

    /// Each as the fields of `ottla.testing.Request`.
    fn requests<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let entries: Vec<LogEntry> = self.with(py, |cluster, _| cluster.request_log().iter().cloned().collect())?;
        entries.into_iter().map(|entry| shown(py, entry)).collect()
    }

    /// Ends it. Twice is no error. Raises what its thread panicked with, where nothing has raised that yet.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.check_process()?;
        match py.detach(|| self.server().take().and_then(Server::stop)) {
            Some(failure) if !self.told.load(Ordering::Relaxed) => Err(self.failed(&failure)),
            _ => Ok(()),
        }
    }

    /// Raises what its thread panicked with, if it did.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |_, _| ())
    }

    /// Has its thread panic: for the tests of what the application is told then.
    fn _panic(&self, py: Python<'_>) -> PyResult<()> {
        self.check_process()?;
        py.detach(|| self.server().as_ref().map(|server| server.with(|cluster, _| cluster.panic_at_next_poll())));
        Ok(())
    }
}

/// Seconds since the cluster started.
fn seconds(at: Now) -> f64 {
    at.mono_us as f64 / 1e6
}

fn shown(py: Python<'_>, entry: LogEntry) -> PyResult<Bound<'_, PyAny>> {
    let topics = PyDict::new(py);
    for (topic, partitions) in entry.topics {
        topics.set_item(topic, partitions)?;
    }
    let told = (
        seconds(entry.at),
        entry.node,
        entry.connection.0,
        entry.api.name(),
        entry.api_version,
        entry.client_id.as_deref(),
        entry.correlation_id,
        entry.bytes,
        topics,
        PyTuple::new(py, entry.groups)?,
        entry.answered_at.map(seconds),
        (entry.error != 0).then(|| ErrorCode(entry.error).name()),
    );
    Ok(told.into_pyobject(py)?.into_any())
}

/// What fits a test.
const MOST_BROKERS: u32 = 100;

/// A socket of the broker that a forked child must close.
fn enter(descriptor: std::os::fd::RawFd) -> Box<dyn Any + Send> {
    Box::new(ottla::fork::enter(descriptor))
}

fn no_partition(topic: &str, partition: i32) -> PyErr {
    PyValueError::new_err(format!("there is no partition {partition} of topic {topic:?}"))
}

fn refused<T, E: std::fmt::Display>(result: Result<T, E>) -> PyResult<T> {
    result.map_err(|error| PyValueError::new_err(error.to_string()))
}

fn api_of(name: &str) -> PyResult<ApiKey> {
    let found = ApiKey::all().find(|api| api.name == name).map(|api| api.key);
    found.ok_or_else(|| PyValueError::new_err(format!("Kafka has no API {name:?}; its names are such as \"Produce\"")))
}

fn error_of(given: &Bound<'_, PyAny>) -> PyResult<i16> {
    if let Ok(code) = given.extract::<i16>() {
        return Ok(code);
    }
    let name: String = given.extract()?;
    let found = (-1..=ErrorCode::LAST_KNOWN.0).find(|code| ErrorCode(*code).name() == name);
    found.ok_or_else(|| {
        PyValueError::new_err(format!("Kafka has no error {name:?}; its names are such as \"NOT_LEADER_OR_FOLLOWER\""))
    })
}

fn when_of(name: &str, value: &Bound<'_, PyAny>) -> PyResult<When> {
    let count = || match value.extract::<u64>() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(PyValueError::new_err(format!("{name} must be a number from 1, not {value}"))),
    };
    Ok(match name {
        "once" => When::Once,
        "nth" => When::Nth(count()?),
        "times" => When::Times(count()?),
        "every" => When::Every(count()?),
        "always" => When::Always,
        _ => match value.extract::<f64>() {
            Ok(probability) if (0.0..=1.0).contains(&probability) => When::Probability(probability),
            _ => return Err(PyValueError::new_err(format!("probability must be 0 to 1, not {value}"))),
        },
    })
}

fn action_of(name: &str, value: &Bound<'_, PyAny>, level: &str, applied: bool) -> PyResult<Action> {
    let level = match level {
        "top" => Level::Top,
        "topic" => Level::Topic,
        "partition" => Level::Partition,
        "member" => Level::Member,
        _ => {
            return Err(PyValueError::new_err(format!("level must be top, topic, partition or member, not {level:?}")));
        }
    };
    Ok(match name {
        "error" if applied => Action::ErrorAfter { code: error_of(value)?, level },
        "error" => Action::Error { code: error_of(value)?, level },
        "delay" => Action::Delay { ms: value.extract()? },
        "drop" => match value.extract::<String>()?.as_str() {
            "before" => Action::DropBefore,
            "after" => Action::DropAfter,
            other => return Err(PyValueError::new_err(format!("drop must be before or after, not {other:?}"))),
        },
        "never_answer" => Action::NeverAnswer,
        "corrupt_crc" => Action::CorruptCrc,
        "unlisted_leader" => Action::UnlistedLeader,
        "wrong_correlation_id" => Action::WrongCorrelationId,
        _ => Action::PartialFrame,
    })
}
