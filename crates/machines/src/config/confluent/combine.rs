//! What keys demand of each other, in the original's words and order; then which keys are refused because they are not served; then what is
//! said in the log. A key that belongs to the other kind of client counts for nothing but a line in the log.
use super::set::{Config, ConfigError, Role, Value, Warning, default};
use crate::config::{Key, Scope, Status};

/// syslog's level of a warning.
const WARNING: u8 = 4;
/// syslog's level of a notice.
const NOTICE: u8 = 5;

/// Refuses what does not fit together or is not served, and returns what is to be logged.
pub(super) fn check(config: &mut Config) -> Result<Vec<Warning>, ConfigError> {
    let consumer = config.role == Role::Consumer;
    if consumer && config.text("group.id").is_empty() {
        return Err(Config::group_id_missing());
    }
    if let Some((key, text)) = if consumer { consumer_conflict(config) } else { producer_conflict(config) } {
        let client = match config.role {
            Role::Producer => "producer",
            Role::Consumer => "consumer",
            Role::Admin => "admin client",
        };
        return Err(ConfigError::new(key, format!("Failed to create {client}: {text}")));
    }
    let mut warnings = Vec::new();
    for (row, name) in &config.order {
        if is_of_other_client(config, row) {
            if differs(config, row) {
                warnings.push(other_client(config, row));
            }
            continue;
        }
        unserved(config, row, name, &mut warnings)?;
    }
    advice(config, &mut warnings);
    Ok(warnings)
}

/// The key to blame and the original's text.
type Conflict = Option<(&'static str, &'static str)>;

fn producer_conflict(config: &Config) -> Conflict {
    if config.boolean("enable.idempotence") {
        if config.is_set("max.in.flight.requests.per.connection")
            && config.integer("max.in.flight.requests.per.connection") > 5
        {
            return Some(("max.in.flight", "`max.in.flight` must be set <= 5 when `enable.idempotence` is true"));
        }
        if config.integer("message.send.max.retries") < 1 {
            return Some(("retries", "`retries` must be set >= 1 when `enable.idempotence` is true"));
        }
        if config.integer("queue.buffering.backpressure.threshold") > 1 {
            return Some((
                "queue.buffering.backpressure.threshold",
                "`queue.buffering.backpressure.threshold` must be set to 1 when `enable.idempotence` is true",
            ));
        }
    } else if config.boolean("enable.gapless.guarantee") {
        return Some((
            "enable.gapless.guarantee",
            "`enable.gapless.guarantee` requires `enable.idempotence` to be enabled",
        ));
    }
    if let Some(conflict) = reconnect_conflict(config) {
        return Some(conflict);
    }
    if config.boolean("enable.idempotence") {
        if config.integer("request.required.acks") != -1 {
            return Some(("acks", "`acks` must be set to `all` when `enable.idempotence` is true"));
        }
        if config.text("queuing.strategy") != "fifo" {
            return Some((
                "queuing.strategy",
                "`queuing.strategy` must be set to `fifo` when `enable.idempotence` is true",
            ));
        }
    }
    let timeout = config.integer("message.timeout.ms");
    let both = config.is_set("message.timeout.ms") && config.is_set("queue.buffering.max.ms");
    if both && timeout != 0 && f64::from(timeout) <= config.float("queue.buffering.max.ms") {
        return Some(("message.timeout.ms", "`message.timeout.ms` must be greater than `linger.ms`"));
    }
    None
}

fn consumer_conflict(config: &Config) -> Conflict {
    if config.integer("max.poll.interval.ms") < config.integer("session.timeout.ms") {
        // The missing blank is the original's.
        return Some(("max.poll.interval.ms", "`max.poll.interval.ms`must be >= `session.timeout.ms`"));
    }
    if config.is_set("fetch.max.bytes") && config.integer("fetch.max.bytes") < config.integer("message.max.bytes") {
        return Some(("fetch.max.bytes", "`fetch.max.bytes` must be >= `message.max.bytes`"));
    }
    if config.is_set("receive.message.max.bytes")
        && i64::from(config.integer("receive.message.max.bytes")) < fetch_max_bytes(config) + 512
    {
        return Some(("receive.message.max.bytes", "`receive.message.max.bytes` must be >= `fetch.max.bytes` + 512"));
    }
    reconnect_conflict(config)
}

fn reconnect_conflict(config: &Config) -> Conflict {
    (config.integer("reconnect.backoff.max.ms") < config.integer("reconnect.backoff.ms"))
        .then_some(("reconnect.backoff.ms", "`reconnect.backoff.max.ms` must be >= `reconnect.backoff.ms`"))
}

fn is_of_other_client(config: &Config, row: &Key) -> bool {
    match row.scope {
        Scope::Both => false,
        Scope::Consumer => config.role != Role::Consumer,
        Scope::Producer => config.role == Role::Consumer,
    }
}

/// Whether the user set the key to other than its default.
fn differs(config: &Config, row: &'static Key) -> bool {
    match config.values.get(row.confluent.name) {
        None | Some(Value::Unset) => false,
        Some(value) => *value != default(row),
    }
}

fn other_client(config: &Config, row: &Key) -> Warning {
    let (whose, this) = if config.role == Role::Consumer { ("producer", "consumer") } else { ("consumer", "producer") };
    warning(format!(
        "Configuration property {} is a {whose} property and will be ignored by this {this} instance",
        row.confluent.name
    ))
}

/// Refuses or logs a key of this client that does nothing here.
/// They are named as the user wrote them.
fn unserved(config: &Config, row: &'static Key, name: &str, warnings: &mut Vec<Warning>) -> Result<(), ConfigError> {
    if !differs(config, row) {
        return Ok(());
    }
    let its_default = match row.confluent.default {
        Some(text) => format!("set it to its default \"{text}\" or remove it"),
        None => "remove it".to_owned(),
    };
    match row.confluent.status {
        Status::Served => {}
        Status::NoEffect(because) if row.confluent.deprecated => {
            warnings.push(warning(format!("Configuration property {name} is deprecated and has no effect: {because}")));
        }
        Status::NoEffect(_) => {}
        Status::NotYet { changes_data: false } => warnings
            .push(warning(format!("Configuration property {name} is not served by this release and will be ignored"))),
        Status::NotYet { changes_data: true } => {
            return Err(ConfigError::new(
                name,
                format!(
                    "Configuration property \"{name}\" is not served by this release. It changes what is sent, stored \
                     or trusted, so it is refused rather than ignored: {its_default}"
                ),
            ));
        }
        Status::Refused(because) => {
            return Err(ConfigError::new(
                name,
                format!("Configuration property \"{name}\" is refused: {because}; {its_default}"),
            ));
        }
    }
    Ok(())
}

/// What the original, or the state of this release, has to say about accepted settings.
fn advice(config: &Config, warnings: &mut Vec<Warning>) {
    let (backoff, backoff_max) = (config.integer("retry.backoff.ms"), config.integer("retry.backoff.max.ms"));
    if backoff > backoff_max {
        warnings.push(warning(format!(
            "Configuration `retry.backoff.ms` with value {backoff} is greater than configuration \
             `retry.backoff.max.ms` with value {backoff_max}. A static backoff with value `retry.backoff.max.ms` will \
             be applied."
        )));
    }
    if config.role == Role::Consumer {
        let (wait, timeout) = (config.integer("fetch.wait.max.ms"), config.integer("socket.timeout.ms"));
        if wait.saturating_add(1000) > timeout {
            warnings.push(warning(format!(
                "Configuration property `fetch.wait.max.ms` ({wait}) should be set lower than `socket.timeout.ms` \
                 ({timeout}) by at least 1000ms to avoid blocking and timing out sub-sequent requests"
            )));
        }
    }
    if config.text("metadata.broker.list").is_empty() {
        warnings.push(notice(
            "No `bootstrap.servers` configured: client will not be able to connect to Kafka cluster".to_owned(),
        ));
    }
}

fn warning(text: String) -> Warning {
    Warning { level: WARNING, facility: "CONFWARN", text }
}

fn notice(text: String) -> Warning {
    Warning { level: NOTICE, facility: "CONFWARN", text }
}

/// An address of the bootstrap list that cannot be used, while others can.
pub(super) fn bad_address(text: String) -> Warning {
    Warning { level: WARNING, facility: "BROKER", text }
}

/// `fetch.max.bytes`; where it is not set, between `message.max.bytes` and what the queue may hold, as in the original.
pub(super) fn fetch_max_bytes(config: &Config) -> i64 {
    let bytes = i64::from(config.integer("fetch.max.bytes"));
    if config.is_set("fetch.max.bytes") {
        return bytes;
    }
    let queue = i64::from(config.integer("queued.max.messages.kbytes")) * 1024;
    bytes.min(queue).max(i64::from(config.integer("message.max.bytes")))
}
