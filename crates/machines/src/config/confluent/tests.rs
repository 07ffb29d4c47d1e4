//! Configurations that the original was run with, and what came of them; then what is our own.
use super::*;
use crate::config::{Compression, Isolation, OffsetReset, Partitioner, Status, Type, table};

fn config(role: Role, entries: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut config = Config::new(role);
    if role == Role::Consumer {
        config.set("group.id", "g".into())?;
    }
    for (name, value) in entries {
        config.set(name, (*value).into())?;
    }
    Ok(config)
}

fn producer(entries: &[(&str, &str)]) -> Result<Parsed<crate::config::ProducerSettings>, ConfigError> {
    config(Role::Producer, entries)?.producer()
}

fn consumer(entries: &[(&str, &str)]) -> Result<Parsed<crate::config::ConsumerSettings>, ConfigError> {
    config(Role::Consumer, entries)?.consumer()
}

#[test]
fn every_default_of_the_table_reads() {
    for row in table().filter(|row| row.confluent.default.is_some()) {
        assert_ne!(set::default(row), set::Value::Unset, "{}", row.confluent.name);
    }
}

#[test]
fn a_single_bad_value_is_refused_in_the_original_words() {
    let range = |name: &str, value: &str, range: &str| {
        format!("Configuration property \"{name}\" value {value} is outside allowed range {range}\n")
    };
    for (name, value, text) in [
        ("foo", "1", "No such configuration property: \"foo\"".to_owned()),
        ("", "1", "No such configuration property: \"\"".to_owned()),
        ("on_commit", "1", "No such configuration property: \"on_commit\"".to_owned()),
        ("linger.ms", "abc", "Invalid value for configuration property \"queue.buffering.max.ms\"".to_owned()),
        ("linger.ms", "-1", range("queue.buffering.max.ms", "-1", "0..900000")),
        (
            "linger.ms",
            "",
            "Float configuration property \"queue.buffering.max.ms\" cannot be set to empty value".to_owned(),
        ),
        ("acks", "x", "Invalid value for configuration property \"request.required.acks\"".to_owned()),
        ("acks", "1001", range("request.required.acks", "1001", "-1..1000")),
        (
            "acks",
            "",
            "Integer configuration property \"request.required.acks\" cannot be set to empty value".to_owned(),
        ),
        ("batch.size", "2147483648", range("batch.size", "-2147483648", "1..2147483647")),
        ("enable.idempotence", "maybe", "Expected bool value for \"enable.idempotence\": true or false".to_owned()),
        (
            "enable.idempotence",
            "",
            "Bool configuration property \"enable.idempotence\" cannot be set to empty value".to_owned(),
        ),
        (
            "compression.type",
            "foo",
            "Invalid value \"foo\" for configuration property \"compression.codec\"".to_owned(),
        ),
        (
            "compression.type",
            "",
            "Configuration property \"compression.codec\" cannot be set to empty value".to_owned(),
        ),
        (
            "compression.codec",
            "inherit",
            "Invalid value \"inherit\" for configuration property \"compression.codec\"".to_owned(),
        ),
        ("partitioner", "MURMUR2", "Invalid value for configuration property \"partitioner\": MURMUR2".to_owned()),
        ("partitioner", "", "Invalid value for configuration property \"partitioner\": (null)".to_owned()),
        ("debug", "generic,foo", "Invalid value \"foo\" for configuration property \"debug\"".to_owned()),
        ("dr_cb", "1", "Property \"dr_cb\" must be set through dedicated .._set_..() function".to_owned()),
        ("log_cb", "1", "Property \"log_cb\" must be set through dedicated .._set_..() function".to_owned()),
        ("interceptors", "x", "Internal property \"interceptors\" not settable".to_owned()),
        ("isolation.level", "foo", "Invalid value \"foo\" for configuration property \"isolation.level\"".to_owned()),
    ] {
        let error = producer(&[(name, value)]).unwrap_err();
        assert_eq!((error.text, error.raise), (text, Raise::KafkaException), "{name}={value}");
    }
}

#[test]
fn keys_that_do_not_fit_each_other_are_refused_in_the_original_words() {
    for (entries, text) in [
        (
            &[("enable.idempotence", "true"), ("acks", "1")][..],
            "`acks` must be set to `all` when `enable.idempotence` is true",
        ),
        (
            &[("enable.idempotence", "true"), ("max.in.flight", "6")],
            "`max.in.flight` must be set <= 5 when `enable.idempotence` is true",
        ),
        (
            &[("enable.idempotence", "true"), ("retries", "0")],
            "`retries` must be set >= 1 when `enable.idempotence` is true",
        ),
        (
            &[("enable.idempotence", "true"), ("queuing.strategy", "lifo")],
            "`queuing.strategy` must be set to `fifo` when `enable.idempotence` is true",
        ),
        (
            &[("enable.gapless.guarantee", "true")],
            "`enable.gapless.guarantee` requires `enable.idempotence` to be enabled",
        ),
        (&[("linger.ms", "5"), ("message.timeout.ms", "5")], "`message.timeout.ms` must be greater than `linger.ms`"),
        (
            &[("reconnect.backoff.ms", "20000"), ("acks", "1"), ("enable.idempotence", "1")],
            "`reconnect.backoff.max.ms` must be >= `reconnect.backoff.ms`",
        ),
    ] {
        assert_eq!(producer(entries).unwrap_err().text, format!("Failed to create producer: {text}"));
        let admin = config(Role::Admin, entries).unwrap().admin();
        assert_eq!(admin.unwrap_err().text, format!("Failed to create admin client: {text}"));
    }
    for (entries, text) in [
        (
            &[("session.timeout.ms", "400000"), ("receive.message.max.bytes", "1000")][..],
            "`max.poll.interval.ms`must be >= `session.timeout.ms`",
        ),
        (&[("fetch.max.bytes", "100")], "`fetch.max.bytes` must be >= `message.max.bytes`"),
        (
            &[("receive.message.max.bytes", "52429311")],
            "`receive.message.max.bytes` must be >= `fetch.max.bytes` + 512",
        ),
    ] {
        assert_eq!(consumer(entries).unwrap_err().text, format!("Failed to create consumer: {text}"));
    }
    assert!(consumer(&[("receive.message.max.bytes", "52429312")]).is_ok());
}

#[test]
fn a_consumer_needs_a_group_id() {
    for value in [None, Some(ConfigValue::Unset), Some("".into())] {
        let mut config = Config::new(Role::Consumer);
        if let Some(value) = value {
            config.set("group.id", value).unwrap();
        }
        let error = config.consumer().unwrap_err();
        assert_eq!(
            (error.raise, error.text.as_str()),
            (Raise::ValueError, "Failed to create consumer: group.id must be set")
        );
    }
}

#[test]
fn defaults_are_those_of_the_original() {
    let settings = producer(&[]).unwrap().settings;
    assert_eq!((settings.acks, settings.request_timeout_ms, settings.linger_us), (-1, 30_000, 5_000));
    assert_eq!(
        (settings.batch_size, settings.batch_num_messages, settings.message_max_bytes),
        (1_000_000, 10_000, 1_000_000)
    );
    assert_eq!((settings.queue_max_messages, settings.queue_max_bytes), (100_000, 1 << 30));
    assert_eq!((settings.delivery_timeout_us, settings.retries), (300_000_000, i32::MAX as u32));
    assert_eq!((settings.codec, settings.partitioner), (Compression::None, Partitioner::ConsistentRandom));
    assert_eq!((settings.sticky_linger_us, settings.connection.max_in_flight), (10_000, 1_000_000));
    assert!(!settings.idempotence && settings.connection.allow_auto_create_topics);
    assert_eq!(
        (settings.connection.client_id.as_str(), settings.connection.socket_timeout_us),
        ("rdkafka", 60_000_000)
    );

    let settings = consumer(&[]).unwrap().settings;
    assert_eq!((settings.isolation, settings.auto_offset_reset), (Isolation::ReadCommitted, OffsetReset::Latest));
    assert_eq!((settings.fetch_max_bytes, settings.max_partition_fetch_bytes), (52_428_800, 1 << 20));
    assert_eq!(settings.queued_max_bytes, 64 << 20);
    assert!(settings.check_crcs && !settings.partition_eof && !settings.connection.allow_auto_create_topics);
    assert!(!consumer(&[("check.crcs", "false")]).unwrap().settings.check_crcs);
}

#[test]
fn what_the_user_did_not_set_gives_way() {
    let settings = producer(&[("enable.idempotence", "true")]).unwrap().settings;
    assert_eq!((settings.connection.max_in_flight, settings.acks), (5, -1));
    let settings = producer(&[("linger.ms", "400000")]).unwrap().settings;
    assert_eq!((settings.linger_us, settings.delivery_timeout_us), (400_000_000, 400_001_000));
    let settings = producer(&[("delivery.timeout.ms", "3")]).unwrap().settings;
    assert_eq!((settings.linger_us, settings.delivery_timeout_us), (2_900, 3_000));
    let settings = producer(&[("delivery.timeout.ms", "0"), ("queue.buffering.max.messages", "0")]).unwrap().settings;
    assert_eq!((settings.delivery_timeout_us, settings.queue_max_messages), (u64::MAX, usize::MAX));
    let settings = consumer(&[("message.max.bytes", "200000000")]).unwrap().settings;
    assert_eq!((settings.fetch_max_bytes, settings.connection.receive_message_max_bytes), (200_000_000, 200_000_512));
    assert_eq!(consumer(&[("queued.max.messages.kbytes", "1")]).unwrap().settings.fetch_max_bytes, 1_000_000);
}

#[test]
fn the_last_of_two_names_counts() {
    let settings = producer(&[("acks", "1"), ("request.required.acks", "ALL"), ("linger.ms", "0.5")]).unwrap().settings;
    assert_eq!((settings.acks, settings.linger_us), (-1, 500));
    assert!(producer(&[("retries", "0"), ("message.send.max.retries", "1"), ("enable.idempotence", "t")]).is_ok());
}

#[test]
fn each_partitioner_is_served() {
    let chosen: Vec<_> =
        set::PARTITIONERS.iter().map(|name| producer(&[("partitioner", name)]).unwrap().settings.partitioner).collect();
    use Partitioner::*;
    assert_eq!(chosen, [Random, Consistent, ConsistentRandom, Murmur2, Murmur2Random, Fnv1a, Fnv1aRandom]);
}

/// A value other than the default that the type accepts.
fn other_value(kind: Type, default: Option<&str>) -> Option<String> {
    Some(match kind {
        Type::Boolean => (default != Some("true")).to_string(),
        Type::Integer(low, high) => if default == Some(&low.to_string()) { high } else { low }.to_string(),
        Type::Float(_, high) => high.to_string(),
        Type::Enum(words) => words.iter().find(|word| Some(**word) != default)?.to_string(),
        Type::Flags(words) => words.first()?.to_string(),
        Type::Text | Type::PatternList => "hunter2".to_owned(),
        Type::Callback | Type::Internal | Type::Object => return None,
    })
}

#[test]
fn every_unserved_key_is_refused_or_logged_and_never_at_its_default() {
    for row in table() {
        let (name, role) = (
            row.confluent.name,
            if row.scope == crate::config::Scope::Consumer { Role::Consumer } else { Role::Producer },
        );
        let legacy = row.confluent.section == crate::config::Section::Topic;
        let Some(value) = other_value(row.confluent.kind, row.confluent.default) else { continue };
        if row.confluent.alias_of.is_some() || legacy {
            continue;
        }
        let said = |value: &str| -> Result<bool, String> {
            let warnings = match role {
                Role::Consumer => consumer(&[(name, value)]).map(|parsed| parsed.warnings),
                _ => producer(&[(name, value)]).map(|parsed| parsed.warnings),
            };
            match warnings {
                Ok(warnings) => Ok(warnings.iter().any(|warning| warning.text.contains(&format!("property {name} ")))),
                Err(error) => Err(error.text),
            }
        };
        if let Some(default) = row.confluent.default.filter(|_| name != "fetch.max.bytes") {
            assert_eq!(said(default), Ok(false), "{name}={default}");
        }
        match row.confluent.status {
            Status::NotYet { changes_data: true } | Status::Refused(_) => {
                let text = said(&value).unwrap_err();
                assert!(text.contains(&format!("\"{name}\"")) && !text.contains("hunter2"), "{text}");
            }
            Status::NotYet { changes_data: false } => {
                assert_eq!(said(&value), Ok(true), "{name}={value}");
            }
            _ => {}
        }
    }
}

#[test]
fn offsets_are_committed_unasked_unless_that_is_turned_off() {
    let interval = |entries: &[(&str, &str)]| consumer(entries).unwrap().settings.auto_commit_interval_us;
    assert_eq!(interval(&[]), Some(5_000_000));
    assert_eq!(interval(&[("auto.commit.interval.ms", "250")]), Some(250_000));
    assert_eq!(interval(&[("auto.commit.interval.ms", "0")]), None);
    assert_eq!(interval(&[("enable.auto.commit", "false")]), None);
}

#[test]
fn a_key_of_the_other_client_is_ignored_with_a_line_in_the_log() {
    let parsed = producer(&[("group.instance.id", "x"), ("fetch.min.bytes", "1"), ("bootstrap.servers", "a")]).unwrap();
    let texts: Vec<_> = parsed.warnings.iter().map(|warning| warning.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Configuration property group.instance.id is a consumer property and will be ignored by this producer instance"
        ]
    );
    let parsed = consumer(&[("acks", "1"), ("enable.auto.commit", "false"), ("bootstrap.servers", "a")]).unwrap();
    assert_eq!(
        parsed.warnings[0].text,
        "Configuration property request.required.acks is a producer property and will be ignored by this consumer instance"
    );
    assert_eq!(parsed.warnings.len(), 1);
}

#[test]
fn bad_addresses_are_logged_and_refused_when_no_other_is_left() {
    let parsed = producer(&[("bootstrap.servers", "a:1,SSL://b:1")]).unwrap();
    assert_eq!(parsed.settings.connection.bootstrap.len(), 1);
    assert_eq!((parsed.warnings[0].facility, parsed.warnings[0].level), ("BROKER", 4));
    let error = producer(&[("bootstrap.servers", "a:b")]).unwrap_err();
    assert_eq!(
        error.text,
        "No usable address in \"bootstrap.servers\": Broker name \"a:b\" parse error: port \"b\" is not a number from 1 to 65535"
    );
    let parsed = producer(&[]).unwrap();
    assert!(parsed.warnings[0].text.starts_with("No `bootstrap.servers` configured"));
}

#[test]
fn the_binding_hands_over_its_own_keys_as_objects() {
    let mut config = Config::new(Role::Producer);
    for name in ["error_cb", "on_delivery", "logger"] {
        config.set(name, ConfigValue::Object).unwrap();
    }
    config.set("stats_cb", ConfigValue::Object).unwrap();
    let warnings = config.producer().unwrap().warnings;
    assert!(warnings[0].text.contains("stats_cb"), "{warnings:?}");
    let mut config = Config::new(Role::Producer);
    config.set("oauth_cb", ConfigValue::Object).unwrap();
    assert!(config.producer().unwrap_err().text.contains("oauth_cb"));
    assert!(Config::new(Role::Admin).set("on_delivery", ConfigValue::Object).is_err());
}
