//! Takes one key after the other with its value as text, checks it by the table, and refuses what confluent-kafka 2.16.1 refuses, in its words.
//! What keys demand of each other is left to `combine`.
use std::collections::BTreeMap;

use super::scan;
use crate::config::{Key, Secret, Status, Type, find};
use crate::error::Kind;

/// The names of the partitioners, all of which are served.
pub(super) const PARTITIONERS: &[&str] =
    &["random", "consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"];

/// Which client is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `Producer`.
    Producer,
    /// `Consumer`.
    Consumer,
    /// `AdminClient`, to the original a producer that is called otherwise.
    Admin,
}

/// A value as the border hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// `str()` of what the user gave.
    Text(String),
    /// `None`.
    Unset,
    /// A callable, logger or dict that the border has taken for itself (`error_cb`, `logger`, ...).
    Object,
}

impl From<&str> for ConfigValue {
    fn from(text: &str) -> Self {
        ConfigValue::Text(text.to_owned())
    }
}

/// Which exception the face raises for a refused configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raise {
    /// `KafkaException(KafkaError(kind, text))`.
    KafkaException,
    /// `ValueError(text)`.
    ValueError,
}

/// Why a configuration is refused. No text shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key that is to blame, as the user wrote it where one key is; else the first of the keys that do not fit.
    pub key: String,
    /// The error's kind, always [`Kind::InvalidArgument`] so far.
    pub kind: Kind,
    /// Which exception is raised.
    pub raise: Raise,
    /// The original's text where it refuses the same.
    pub text: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for ConfigError {}

/// A line for the log, once for each client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// syslog's level: 4 is a warning, 5 a notice.
    pub level: u8,
    /// The original's word for what the line is about.
    pub facility: &'static str,
    /// What is said.
    pub text: String,
}

/// Settings, and what is to be said about them in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<Settings> {
    /// Every field filled.
    pub settings: Settings,
    /// In the order in which they are logged.
    pub warnings: Vec<Warning>,
}

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Boolean(bool),
    Integer(i32),
    Float(f64),
    /// A word of the table.
    Word(&'static str),
    /// Words of the table, in its order.
    Words(Vec<&'static str>),
    Text(String),
    Secret(Secret),
    /// Set to nothing.
    Unset,
    Object,
}

/// A configuration under way.
#[derive(Debug)]
pub struct Config {
    pub(super) role: Role,
    /// By the name of the row, so that a later alias replaces an earlier one.
    pub(super) values: BTreeMap<&'static str, Value>,
    /// The rows that were set with the name that the user wrote, in the order of the first time.
    pub(super) order: Vec<(&'static Key, String)>,
}

impl Config {
    /// Nothing set yet.
    pub fn new(role: Role) -> Self {
        Self { role, values: BTreeMap::new(), order: Vec::new() }
    }

    /// The error of a consumer whose dict has no `group.id`; the original looks for it before any other key.
    pub fn group_id_missing() -> ConfigError {
        ConfigError {
            key: "group.id".to_owned(),
            kind: Kind::InvalidArgument,
            raise: Raise::ValueError,
            text: "Failed to create consumer: group.id must be set".to_owned(),
        }
    }

    /// Sets one key. `default.topic.config` is not set as such: the border merges its items into the dict first, as the original does.
    pub fn set(&mut self, name: &str, value: ConfigValue) -> Result<(), ConfigError> {
        let row = find(name)
            .filter(|row| self.knows(row))
            .ok_or_else(|| ConfigError::new(name, format!("No such configuration property: \"{name}\"")))?;
        let value = read(row, value).map_err(|text| ConfigError::new(name, text))?;
        if self.values.insert(row.confluent.name, value).is_none() {
            self.order.push((row, name.to_owned()));
        }
        Ok(())
    }

    /// Keys of librdkafka are known to every client; those of the binding only to the class that takes them.
    fn knows(&self, row: &Key) -> bool {
        match row.confluent.name {
            "on_delivery" => self.role == Role::Producer,
            "on_commit" => self.role == Role::Consumer,
            _ => true,
        }
    }

    /// Whether the user set the key, to whatever value. `name` is a row's, not an alias.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The key's value, else its default.
    pub(super) fn value(&self, name: &'static str) -> Value {
        match self.values.get(name) {
            Some(value) => value.clone(),
            None => find(name).map_or(Value::Unset, default),
        }
    }

    pub(super) fn boolean(&self, name: &'static str) -> bool {
        self.value(name) == Value::Boolean(true)
    }

    pub(super) fn integer(&self, name: &'static str) -> i32 {
        match self.value(name) {
            Value::Integer(value) => value,
            other => unreachable!("{name} is {other:?}: the tests read every key that `fill` and `combine` name"),
        }
    }

    pub(super) fn float(&self, name: &'static str) -> f64 {
        match self.value(name) {
            Value::Float(value) => value,
            other => unreachable!("{name} is {other:?}: the tests read every key that `fill` and `combine` name"),
        }
    }

    /// A text, empty where none is set.
    pub(super) fn text(&self, name: &'static str) -> String {
        match self.value(name) {
            Value::Text(text) => text,
            Value::Word(word) => word.to_owned(),
            _ => String::new(),
        }
    }
}

impl ConfigError {
    /// A `KafkaException` that blames `key`.
    pub(super) fn new(key: &str, text: String) -> Self {
        Self { key: key.to_owned(), kind: Kind::InvalidArgument, raise: Raise::KafkaException, text }
    }
}

/// The row's default, read as a user's value would be.
pub(super) fn default(row: &'static Key) -> Value {
    match row.confluent.default {
        // A default of the table always reads: a test reads them all.
        Some(text) => read(row, ConfigValue::from(text)).unwrap_or(Value::Unset),
        None => Value::Unset,
    }
}

/// Reads a value by the row's type. Errors are the original's texts; they name the row, not the alias, as there.
pub(super) fn read(row: &'static Key, value: ConfigValue) -> Result<Value, String> {
    let column = &row.confluent;
    let name = column.name;
    let text = match (value, column.kind) {
        (ConfigValue::Object, Type::Object) => return Ok(Value::Object),
        (ConfigValue::Object, Type::Callback) if !matches!(column.status, Status::Refused(_)) => {
            return Ok(Value::Object);
        }
        (_, Type::Object | Type::Callback) => {
            return Err(format!("Property \"{name}\" must be set through dedicated .._set_..() function"));
        }
        (_, Type::Internal) => return Err(format!("Internal property \"{name}\" not settable")),
        (ConfigValue::Text(text), _) => text,
        (ConfigValue::Unset | ConfigValue::Object, _) => String::new(),
    };
    let range = |low: i64, high: i64, shown: String| {
        format!("Configuration property \"{name}\" value {shown} is outside allowed range {low}..{high}\n")
    };
    let empty = |what: &str| format!("{what} property \"{name}\" cannot be set to empty value");
    match column.kind {
        Type::Boolean if text.is_empty() => Err(empty("Bool configuration")),
        Type::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(Value::Boolean(true)),
            "false" | "f" | "0" => Ok(Value::Boolean(false)),
            _ => Err(format!("Expected bool value for \"{name}\": true or false")),
        },
        Type::Integer(..) if text.is_empty() => Err(empty("Integer configuration")),
        Type::Integer(low, high) => {
            let all = name == "request.required.acks" && text.eq_ignore_ascii_case("all");
            let value = if all { Some(-1) } else { scan::integer(&text) };
            let value = value.ok_or_else(|| format!("Invalid value for configuration property \"{name}\""))?;
            if !(low..=high).contains(&i64::from(value)) {
                return Err(range(low, high, value.to_string()));
            }
            Ok(Value::Integer(value))
        }
        Type::Float(..) if text.is_empty() => Err(empty("Float configuration")),
        Type::Float(low, high) => {
            let value = scan::float(&text);
            let value = value.ok_or_else(|| format!("Invalid value for configuration property \"{name}\""))?;
            if value < low as f64 || value > high as f64 {
                return Err(range(low, high, scan::shown(value)));
            }
            Ok(Value::Float(value))
        }
        Type::Enum(_) | Type::Flags(_) if text.is_empty() => Err(empty("Configuration")),
        Type::Enum(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(&text)) {
            Some(word) => Ok(Value::Word(word)),
            None => Err(invalid(name, &text)),
        },
        Type::Flags(words) => flags(name, words, &text).map(Value::Words),
        Type::Text | Type::PatternList => {
            let checked: Option<&[&str]> = match name {
                "partitioner" => Some(PARTITIONERS),
                _ => None,
            };
            let wrong = match checked {
                Some(words) => !words.contains(&text.as_str()),
                // The original checks these two, and takes nothing for wrong.
                None => text.is_empty() && ["broker.version.fallback", "sasl.mechanisms"].contains(&name),
            };
            if wrong {
                let shown = if text.is_empty() { "(null)" } else { &text };
                Err(format!("Invalid value for configuration property \"{name}\": {shown}"))
            } else if text.is_empty() {
                Ok(Value::Unset)
            } else if row.secret {
                Ok(Value::Secret(Secret::new(text)))
            } else {
                Ok(Value::Text(text))
            }
        }
        // Returned above.
        Type::Callback | Type::Internal | Type::Object => Ok(Value::Object),
    }
}

/// Words with commas between; `+` in front adds and `-` takes away, as in the original.
fn flags(name: &str, words: &'static [&'static str], text: &str) -> Result<Vec<&'static str>, String> {
    let mut chosen = vec![false; words.len()];
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (on, word) = match part.strip_prefix('-') {
            Some(word) => (false, word),
            None => (true, part.strip_prefix('+').unwrap_or(part)),
        };
        let at = words.iter().position(|known| known.eq_ignore_ascii_case(word)).ok_or_else(|| invalid(name, word))?;
        chosen[at] = on;
    }
    Ok(words.iter().zip(chosen).filter(|(_, on)| *on).map(|(word, _)| *word).collect())
}

fn invalid(name: &str, text: &str) -> String {
    format!("Invalid value \"{text}\" for configuration property \"{name}\"")
}
