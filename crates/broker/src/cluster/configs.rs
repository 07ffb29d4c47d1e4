//! Settings of topics: the names that Kafka 4.4 knows, what values they take, and those that the broker acts on. The others
//! are accepted and reported, and change nothing: nothing is compacted, expired or stored remotely here.

use std::collections::BTreeMap;

use ottla_protocol::records::TimestampType;

use crate::log::Rules;

/// What a value must be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A number, at least this.
    Long(i64),
    /// A number of 32 bits, at least this.
    Int(i64),
    /// A share from 0 to 1.
    Share,
    /// `true` or `false`.
    Bool,
    /// One of these.
    One(&'static [&'static str]),
    /// Some of these, with commas between them.
    Some(&'static [&'static str]),
    /// Anything.
    Any,
}

/// Name, default and kind, in the order in which Kafka answers.
const KNOWN: &[(&str, &str, Kind)] = &[
    ("cleanup.policy", "delete", Kind::Some(&["compact", "delete"])),
    ("compression.gzip.level", "-1", Kind::Int(-1)),
    ("compression.lz4.level", "9", Kind::Int(1)),
    ("compression.type", "producer", Kind::One(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])),
    ("compression.zstd.level", "3", Kind::Int(-131_072)),
    ("delete.retention.ms", "86400000", Kind::Long(0)),
    ("errors.deadletterqueue.group.enable", "false", Kind::Bool),
    ("file.delete.delay.ms", "60000", Kind::Long(0)),
    ("flush.messages", "9223372036854775807", Kind::Long(1)),
    ("flush.ms", "9223372036854775807", Kind::Long(0)),
    ("follower.replication.throttled.replicas", "", Kind::Any),
    ("index.interval.bytes", "4096", Kind::Int(0)),
    ("leader.replication.throttled.replicas", "", Kind::Any),
    ("local.retention.bytes", "-2", Kind::Long(-2)),
    ("local.retention.ms", "-2", Kind::Long(-2)),
    ("max.compaction.lag.ms", "9223372036854775807", Kind::Long(1)),
    ("max.decompressed.message.bytes", "2147483639", Kind::Int(0)),
    ("max.message.bytes", "1048588", Kind::Int(0)),
    ("message.timestamp.after.max.ms", "3600000", Kind::Long(0)),
    ("message.timestamp.before.max.ms", "9223372036854775807", Kind::Long(0)),
    ("message.timestamp.type", "CreateTime", Kind::One(&["CreateTime", "LogAppendTime"])),
    ("min.cleanable.dirty.ratio", "0.5", Kind::Share),
    ("min.compaction.lag.ms", "0", Kind::Long(0)),
    ("min.insync.replicas", "1", Kind::Int(1)),
    ("preallocate", "false", Kind::Bool),
    ("remote.copy.lag.bytes", "-1", Kind::Long(-2)),
    ("remote.copy.lag.ms", "0", Kind::Long(-2)),
    ("remote.log.copy.disable", "false", Kind::Bool),
    ("remote.log.delete.on.disable", "false", Kind::Bool),
    ("remote.storage.enable", "false", Kind::Bool),
    ("retention.bytes", "-1", Kind::Long(-1)),
    ("retention.ms", "604800000", Kind::Long(-1)),
    ("segment.bytes", "1073741824", Kind::Int(1_048_576)),
    ("segment.index.bytes", "10485760", Kind::Int(4)),
    ("segment.jitter.ms", "0", Kind::Long(0)),
    ("segment.ms", "604800000", Kind::Long(1)),
    ("unclean.leader.election.enable", "false", Kind::Bool),
];

/// The settings of one topic that differ from the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfigs(BTreeMap<&'static str, String>);

impl TopicConfigs {
    /// Sets one.
    ///
    /// # Errors
    /// What is wrong, in Kafka's words.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let Some((name, _, kind)) = KNOWN.iter().find(|(known, ..)| *known == name) else {
            return Err(format!("Unknown topic config name: {name}"));
        };
        let value = value.trim();
        check(*kind, value).map_err(|wrong| format!("Invalid value {value} for configuration {name}: {wrong}"))?;
        self.0.insert(name, value.to_owned());
        Ok(())
    }

    /// All of them: name, value, and whether it was set.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str, bool)> {
        KNOWN.iter().map(|(name, default, _)| match self.0.get(name) {
            Some(value) => (*name, value.as_str(), true),
            None => (*name, *default, false),
        })
    }

    fn number(&self, name: &str, default: i64) -> i64 {
        self.0.get(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// What batches are held to.
    pub(crate) fn rules(&self, message_max_bytes: i32, wall_ms: i64) -> Rules {
        let append_time = self.0.get("message.timestamp.type").is_some_and(|value| value == "LogAppendTime");
        let max = self.number("max.message.bytes", i64::from(message_max_bytes));
        Rules {
            max_message_bytes: i32::try_from(max).unwrap_or(i32::MAX),
            timestamp_type: if append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            timestamp_after_max_ms: self.number("message.timestamp.after.max.ms", 3_600_000),
            timestamp_before_max_ms: self.number("message.timestamp.before.max.ms", i64::MAX),
            wall_ms,
        }
    }
}

fn check(kind: Kind, value: &str) -> Result<(), String> {
    let least = |number: Option<i64>, name: &str, least: i64| match number {
        None => Err(format!("Not a number of type {name}")),
        Some(number) if number < least => Err(format!("Value must be at least {least}")),
        Some(_) => Ok(()),
    };
    let one_of = |words: &[&str], value: &str| {
        if words.contains(&value) { Ok(()) } else { Err(format!("String must be one of: {}", words.join(", "))) }
    };
    match kind {
        Kind::Long(min) => least(value.parse().ok(), "LONG", min),
        Kind::Int(min) => least(value.parse::<i32>().ok().map(i64::from), "INT", min),
        Kind::Share => match value.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(()),
            Ok(share) if share > 1.0 => Err("Value must be no more than 1".into()),
            Ok(_) => Err("Value must be at least 0".into()),
            Err(_) => Err("Not a number of type DOUBLE".into()),
        },
        Kind::Bool if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") => Ok(()),
        Kind::Bool => Err("Expected value to be either true or false".into()),
        Kind::One(words) => one_of(words, value),
        Kind::Some(words) => value.split(',').try_for_each(|word| one_of(words, word.trim())),
        Kind::Any => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_in_kafkas_words() {
        let mut configs = TopicConfigs::default();
        for (name, value, wrong) in [
            ("foo", "1", "Unknown topic config name: foo"),
            ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
            (
                "cleanup.policy",
                "x",
                "Invalid value x for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (
                "max.message.bytes",
                "-1",
                "Invalid value -1 for configuration max.message.bytes: Value must be at least 0",
            ),
        ] {
            assert_eq!(configs.set(name, value), Err(wrong.to_owned()));
        }
        assert_eq!(configs, TopicConfigs::default());
        assert_eq!(configs.set("cleanup.policy", "compact,delete"), Ok(()));
        assert_eq!(configs.set("max.message.bytes", "100"), Ok(()));
        assert_eq!(configs.set("message.timestamp.type", "LogAppendTime"), Ok(()));
        let rules = configs.rules(7, 0);
        assert_eq!((rules.max_message_bytes, rules.timestamp_type), (100, TimestampType::LogAppendTime));
        assert_eq!(TopicConfigs::default().rules(7, 0).max_message_bytes, 7);
    }

    #[test]
    fn every_default_is_a_value_that_may_be_set() {
        for (name, default, _) in KNOWN {
            assert_eq!(TopicConfigs::default().set(name, default), Ok(()), "{name}");
        }
        assert_eq!(TopicConfigs::default().all().count(), KNOWN.len());
    }
}
