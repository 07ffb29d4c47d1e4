//! Fills the typed settings from the checked values, with the adjustments that the original makes where a key was not set.
use super::combine::{bad_address, check, fetch_max_bytes};
use super::set::{Config, ConfigError, Parsed, Role, Value, Warning};
use crate::config::{
    AddressFamily, AdminSettings, Assignor, Compression, ConnectionSettings, ConsumerSettings, GroupSettings,
    Isolation, OffsetReset, Partitioner, ProducerSettings, bootstrap,
};

impl Config {
    /// The producer's settings, or what does not fit together.
    pub fn producer(mut self) -> Result<Parsed<ProducerSettings>, ConfigError> {
        let mut warnings = check(&mut self)?;
        Ok(Parsed { settings: producer(&self, &mut warnings)?, warnings })
    }

    /// The consumer's settings, or what does not fit together.
    pub fn consumer(mut self) -> Result<Parsed<ConsumerSettings>, ConfigError> {
        let mut warnings = check(&mut self)?;
        Ok(Parsed { settings: consumer(&self, &mut warnings)?, warnings })
    }

    /// The admin client's settings, or what does not fit together.
    pub fn admin(mut self) -> Result<Parsed<AdminSettings>, ConfigError> {
        let mut warnings = check(&mut self)?;
        Ok(Parsed { settings: admin(&self, &mut warnings)?, warnings })
    }
}

fn producer(config: &Config, warnings: &mut Vec<Warning>) -> Result<ProducerSettings, ConfigError> {
    let idempotence = config.boolean("enable.idempotence");
    let (linger_us, delivery_timeout_us) = linger_and_timeout(config);
    let sticky_linger_us = match config.is_set("sticky.partitioning.linger.ms") {
        true => micros(config.integer("sticky.partitioning.linger.ms")),
        // As in the original: twice the linger, at most the key's upper limit.
        false => (2 * linger_us).min(900_000_000),
    };
    let compression_level = match config.integer("compression.level") {
        -1 => None,
        level => Some(level),
    };
    let queue_max_messages = match size(config.integer("queue.buffering.max.messages")) {
        0 => usize::MAX,
        limit => limit,
    };
    Ok(ProducerSettings {
        connection: connection(config, warnings)?,
        // The table's range is -1 to 1000.
        acks: config.integer("request.required.acks") as i16,
        request_timeout_ms: config.integer("request.timeout.ms"),
        delivery_timeout_us,
        linger_us,
        batch_size: size(config.integer("batch.size")),
        batch_num_messages: size(config.integer("batch.num.messages")),
        message_max_bytes: size(config.integer("message.max.bytes")),
        queue_max_messages,
        queue_max_bytes: size(config.integer("queue.buffering.max.kbytes")).saturating_mul(1024),
        retries: config.integer("message.send.max.retries").unsigned_abs(),
        idempotence,
        gapless: config.boolean("enable.gapless.guarantee"),
        codec: match config.text("compression.codec").as_str() {
            "gzip" => Compression::Gzip,
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4,
            "zstd" => Compression::Zstd,
            _ => Compression::None,
        },
        compression_level,
        partitioner: match config.text("partitioner").as_str() {
            "random" => Partitioner::Random,
            "consistent" => Partitioner::Consistent,
            "murmur2" => Partitioner::Murmur2,
            "murmur2_random" => Partitioner::Murmur2Random,
            "fnv1a" => Partitioner::Fnv1a,
            "fnv1a_random" => Partitioner::Fnv1aRandom,
            _ => Partitioner::ConsistentRandom,
        },
        sticky_linger_us,
        delivery_report_only_error: config.boolean("delivery.report.only.error"),
    })
}

/// `linger.ms` and `message.timeout.ms`. Where they cross, the one that the user did not set gives way (`combine` refuses two that cross).
fn linger_and_timeout(config: &Config) -> (u64, u64) {
    let linger_us = (config.float("queue.buffering.max.ms") * 1000.0) as u64;
    let timeout_us = match micros(config.integer("message.timeout.ms")) {
        0 => u64::MAX,
        timeout_us => timeout_us,
    };
    if timeout_us > linger_us {
        (linger_us, timeout_us)
    } else if config.is_set("message.timeout.ms") {
        (timeout_us - 100, timeout_us)
    } else {
        (linger_us, linger_us + 1000)
    }
}

fn consumer(config: &Config, warnings: &mut Vec<Warning>) -> Result<ConsumerSettings, ConfigError> {
    let fetch_max = fetch_max_bytes(config);
    let mut connection = connection(config, warnings)?;
    if !config.is_set("receive.message.max.bytes") {
        // Room for a whole Fetch response and its frame, as in the original.
        connection.receive_message_max_bytes =
            connection.receive_message_max_bytes.max(usize::try_from(fetch_max).unwrap_or(0) + 512);
    }
    Ok(ConsumerSettings {
        connection,
        group: group(config)?,
        rack: config.text("client.rack"),
        auto_commit_interval_us: match config.integer("auto.commit.interval.ms") {
            0 => None,
            interval => config.boolean("enable.auto.commit").then(|| micros(interval)),
        },
        store_on_handover: config.boolean("enable.auto.offset.store"),
        isolation: match config.text("isolation.level").as_str() {
            "read_uncommitted" => Isolation::ReadUncommitted,
            _ => Isolation::ReadCommitted,
        },
        auto_offset_reset: match config.text("auto.offset.reset").as_str() {
            "smallest" | "earliest" | "beginning" => OffsetReset::Earliest,
            "error" => OffsetReset::Error,
            _ => OffsetReset::Latest,
        },
        fetch_min_bytes: config.integer("fetch.min.bytes"),
        fetch_wait_max_ms: config.integer("fetch.wait.max.ms"),
        fetch_max_bytes: i32::try_from(fetch_max).unwrap_or(i32::MAX),
        max_partition_fetch_bytes: config.integer("fetch.message.max.bytes"),
        queued_max_bytes: size(config.integer("queued.max.messages.kbytes")).saturating_mul(1024),
        fetch_error_backoff_us: micros(config.integer("fetch.error.backoff.ms")),
        // The original's default is false; here CRCs are checked unless the user says not to (E18).
        check_crcs: !config.is_set("check.crcs") || config.boolean("check.crcs"),
        partition_eof: config.boolean("enable.partition.eof"),
    })
}

fn group(config: &Config) -> Result<GroupSettings, ConfigError> {
    const STRATEGY: &str = "partition.assignment.strategy";
    let strategy = config.text(STRATEGY);
    let names = strategy.split(',').map(str::trim).filter(|name| !name.is_empty());
    let assignors = names.map(|name| match name {
        "range" => Ok(Assignor::Range),
        "roundrobin" => Ok(Assignor::RoundRobin),
        "cooperative-sticky" => Err(ConfigError::new(
            STRATEGY,
            "Failed to create consumer: The strategy \"cooperative-sticky\" is not served yet; choose among range and roundrobin".to_owned(),
        )),
        _ => Err(ConfigError::new(STRATEGY, format!("Failed to create consumer: Unsupported partition.assignment.strategy: {name}"))),
    });
    let instance_id = config.text("group.instance.id");
    Ok(GroupSettings {
        group_id: config.text("group.id"),
        instance_id: (!instance_id.is_empty()).then_some(instance_id),
        protocol_type: config.text("group.protocol.type"),
        assignors: assignors.collect::<Result<_, _>>()?,
        session_timeout_ms: config.integer("session.timeout.ms"),
        heartbeat_interval_us: micros(config.integer("heartbeat.interval.ms")),
        max_poll_interval_us: micros(config.integer("max.poll.interval.ms")),
        coordinator_query_interval_us: micros(config.integer("coordinator.query.interval.ms")),
    })
}

fn admin(config: &Config, warnings: &mut Vec<Warning>) -> Result<AdminSettings, ConfigError> {
    Ok(AdminSettings {
        connection: connection(config, warnings)?,
        // As in the original, an operation without a time of its own has a request's.
        request_timeout_us: micros(config.integer("socket.timeout.ms")),
    })
}

fn connection(config: &Config, warnings: &mut Vec<Warning>) -> Result<ConnectionSettings, ConfigError> {
    let list = config.text("metadata.broker.list");
    let (bootstrap, refused) = bootstrap::parse(&list);
    if let (true, Some(first)) = (bootstrap.is_empty(), refused.first()) {
        // The original only logs and never connects; an application that waits for ever is harder to understand.
        let text = format!("No usable address in \"bootstrap.servers\": {first}");
        return Err(ConfigError::new("bootstrap.servers", text));
    }
    warnings.extend(refused.into_iter().map(bad_address));
    let refresh = config.integer("topic.metadata.refresh.interval.ms");
    let retry_backoff_max_us = micros(config.integer("retry.backoff.max.ms"));
    let idempotent = config.role != Role::Consumer && config.boolean("enable.idempotence");
    let max_in_flight = size(config.integer("max.in.flight.requests.per.connection"));
    Ok(ConnectionSettings {
        client_id: match config.value("client.id") {
            Value::Text(text) => text,
            _ => String::new(),
        },
        bootstrap,
        address_family: match config.text("broker.address.family").as_str() {
            "v4" => AddressFamily::V4,
            "v6" => AddressFamily::V6,
            _ => AddressFamily::Any,
        },
        socket_timeout_us: micros(config.integer("socket.timeout.ms")),
        connection_setup_timeout_us: micros(config.integer("socket.connection.setup.timeout.ms")),
        api_version_request_timeout_us: micros(config.integer("api.version.request.timeout.ms")),
        connections_max_idle_us: micros(config.integer("connections.max.idle.ms")),
        reconnect_backoff_us: micros(config.integer("reconnect.backoff.ms")),
        reconnect_backoff_max_us: micros(config.integer("reconnect.backoff.max.ms")),
        retry_backoff_us: micros(config.integer("retry.backoff.ms")).min(retry_backoff_max_us),
        retry_backoff_max_us,
        topic_metadata_refresh_interval_us: (refresh > 0).then(|| micros(refresh)),
        topic_metadata_refresh_fast_interval_us: micros(config.integer("topic.metadata.refresh.fast.interval.ms")),
        topic_metadata_propagation_max_us: micros(config.integer("topic.metadata.propagation.max.ms")),
        // More in flight than 5 and the broker could not tell a duplicate (KIP-98).
        max_in_flight: if idempotent { max_in_flight.min(5) } else { max_in_flight },
        receive_message_max_bytes: size(config.integer("receive.message.max.bytes")),
        socket_send_buffer_bytes: buffer(config.integer("socket.send.buffer.bytes")),
        socket_receive_buffer_bytes: buffer(config.integer("socket.receive.buffer.bytes")),
        nodelay: config.boolean("socket.nagle.disable"),
        keepalive: config.boolean("socket.keepalive.enable"),
        // As in the original, asking creates for a producer (and for an admin client, which is one there), not for a consumer.
        allow_auto_create_topics: match config.is_set("allow.auto.create.topics") {
            true => config.boolean("allow.auto.create.topics"),
            false => config.role != Role::Consumer,
        },
        log_level: u8::try_from(config.integer("log_level")).unwrap_or(7),
    })
}

/// Milliseconds of a key whose range has no negative numbers, as microseconds.
fn micros(milliseconds: i32) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0) * 1000
}

/// A number of a key whose range has no negative numbers.
fn size(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// A socket buffer, 0 for the system's.
fn buffer(bytes: i32) -> Option<u32> {
    u32::try_from(bytes).ok().filter(|&bytes| bytes > 0)
}
