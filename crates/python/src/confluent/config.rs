//! The configuration as a program gives it: a dict, keywords, or both, with callbacks and a logger among the values. The objects are taken out
//! for the border; the rest goes as text to `ottla_machines::config::confluent`, which knows every key. The dict stays the caller's.
use std::sync::atomic::{AtomicU32, Ordering};

use ottla::NoticeOptions;
use ottla_machines::config::confluent::{Config, ConfigError, ConfigValue, Raise, Role};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::error::KafkaError;
use crate::raw::attached::Slot;

/// The objects of a configuration.
pub(crate) struct Callbacks {
    /// `error_cb(KafkaError)`.
    pub(crate) error: Slot,
    /// `logger.log(level, format, facility, name, text)`.
    pub(crate) logger: Slot,
    /// `on_delivery(KafkaError or None, Message)`.
    pub(crate) delivery: Slot,
}

impl Callbacks {
    pub(crate) const fn none() -> Self {
        Self { error: Slot::new(None), logger: Slot::new(None), delivery: Slot::new(None) }
    }

    /// Every place, for the collector.
    pub(crate) fn slots(&self) -> [&Slot; 3] {
        [&self.error, &self.logger, &self.delivery]
    }
}

/// A configuration that was read.
pub(crate) struct Given {
    config: Config,
    error: Option<Py<PyAny>>,
    logger: Option<Py<PyAny>>,
    delivery: Option<Py<PyAny>>,
    log_level: Option<u8>,
}

/// Reads what a client's constructor was given.
pub(crate) fn read(role: Role, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Given> {
    let py = args.py();
    if args.len() > 1 {
        return Err(PyTypeError::new_err("expected tuple containing single dict"));
    }
    let dict = match (args.get_item(0), kwargs) {
        (Ok(dict), kwargs) => {
            let dict = dict.cast_into::<PyDict>().map_err(|_| PyTypeError::new_err("expected configuration dict"))?;
            let dict = dict.copy()?;
            if let Some(kwargs) = kwargs {
                dict.update(kwargs.as_mapping())?;
            }
            dict
        }
        (Err(_), Some(kwargs)) => kwargs.copy()?,
        (Err(_), None) => return Err(PyTypeError::new_err("expected configuration dict")),
    };
    if role == Role::Consumer && !dict.contains("group.id")? {
        return Err(refused(py, Config::group_id_missing()));
    }
    if let Some(topic) = dict.get_item("default.topic.config")? {
        dict.del_item("default.topic.config")?;
        dict.call_method1("update", (checked_mapping(topic)?,))?;
    }
    let mut given = Given { config: Config::new(role), error: None, logger: None, delivery: None, log_level: None };
    for (key, value) in dict.iter() {
        let key = key.str()?;
        let key = key.to_str()?;
        let value = take(&mut given, role, key, value)?;
        given.config.set(key, value).map_err(|error| refused(py, error))?;
    }
    Ok(given)
}

/// `dict.update` also takes pairs; the original takes mappings alone.
fn checked_mapping(topic: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    topic.getattr("keys")?;
    Ok(topic)
}

/// The value of one key for the parser; an object is taken out.
fn take(given: &mut Given, role: Role, key: &str, value: Bound<'_, PyAny>) -> PyResult<ConfigValue> {
    let callable = |wrong: fn(String) -> PyErr| {
        if value.is_callable() { Ok(()) } else { Err(wrong(format!("expected {key} property as a callable function"))) }
    };
    match (key, role) {
        ("error_cb", _) => {
            callable(PyTypeError::new_err)?;
            given.error = Some(value.unbind());
        }
        ("stats_cb" | "oauth_cb", _) => callable(PyTypeError::new_err)?,
        ("throttle_cb", _) => callable(PyValueError::new_err)?,
        ("on_delivery", Role::Producer) | ("on_commit", Role::Consumer) => {
            if !value.is_callable() {
                let error = KafkaError::of_code(-186, format!("{key} requires a callable object"));
                return Err(error.into_exception(value.py()));
            }
            given.delivery = Some(value.unbind());
        }
        ("logger", _) => given.logger = Some(value).filter(|logger| !logger.is_none()).map(Bound::unbind),
        ("debug", _) => return Ok(ConfigValue::Text(value.str()?.to_str()?.to_owned())),
        _ if value.is_none() => return Ok(ConfigValue::Unset),
        _ => {
            let text = value.str()?.to_str()?.to_owned();
            if key == "log_level" {
                given.log_level = text.trim().parse().ok();
            }
            return Ok(ConfigValue::Text(text));
        }
    }
    Ok(ConfigValue::Object)
}

/// The exception of a refused configuration.
pub(crate) fn refused(py: Python<'_>, error: ConfigError) -> PyErr {
    match error.raise {
        Raise::ValueError => PyValueError::new_err(error.text),
        Raise::KafkaException => KafkaError::of_code(error.kind.librdkafka().code, error.text).into_exception(py),
    }
}

impl Given {
    /// The keys, to make settings of.
    pub(crate) fn take_config(&mut self) -> Config {
        std::mem::replace(&mut self.config, Config::new(Role::Producer))
    }

    /// Keeps the objects in `callbacks` and says where the client's notices go. `client_id` and `kind` make its name in the log.
    pub(crate) fn install(self, py: Python<'_>, callbacks: &Callbacks, client_id: &str, kind: &str) -> NoticeOptions {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let options = NoticeOptions {
            name: format!("{client_id}#{kind}-{number}"),
            queue_errors: self.error.is_some(),
            queue_logs: self.logger.is_some(),
            queue_commits: self.delivery.is_some(),
            log_level: self.log_level,
        };
        let bound = |object: Option<Py<PyAny>>| object.map(|object| object.into_bound(py));
        callbacks.error.set(py, bound(self.error));
        callbacks.logger.set(py, bound(self.logger));
        callbacks.delivery.set(py, bound(self.delivery));
        options
    }
}
