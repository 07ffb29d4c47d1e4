//! CreateTopics: what is asked, checked in Kafka's order, and answered in its words.

use std::collections::BTreeMap;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use ottla_protocol::primitives::Uuid;

use super::{Call, Handled};
use crate::cluster::{Cluster, CreateError, NewTopic, TopicConfigs};

/// Where a setting comes from: the topic itself, or Kafka's default.
const FROM_TOPIC: i8 = 1;
const FROM_DEFAULT: i8 = 5;

type Refused = (ErrorCode, String);

/// A topic that was made, or could be.
struct Made {
    id: Uuid,
    partitions: i32,
    replication_factor: i16,
    configs: TopicConfigs,
}

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: CreateTopicsRequest<'_> = call.decode()?;
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in &request.topics {
        *names.entry(topic.name).or_default() += 1;
    }
    let mut results: Vec<(&str, Result<Made, Refused>)> = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        if results.iter().any(|(name, _)| *name == topic.name) {
            continue;
        }
        let result = if names.get(topic.name).is_some_and(|count| *count > 1) {
            Err((ErrorCode::INVALID_REQUEST, "Duplicate topic name.".into()))
        } else {
            make(cluster, topic, request.validate_only)
        };
        results.push((topic.name, result));
    }
    let topics = results.iter().map(|(name, result)| told(name, result)).collect();
    Ok(call.reply(&CreateTopicsResponse { topics, ..CreateTopicsResponse::default() }))
}

fn make(cluster: &mut Cluster, topic: &CreatableTopic<'_>, validate_only: bool) -> Result<Made, Refused> {
    let manual = !topic.assignments.is_empty();
    let mut new = NewTopic {
        partitions: (topic.num_partitions != -1).then_some(topic.num_partitions),
        replication_factor: (topic.replication_factor != -1).then_some(topic.replication_factor),
        ..NewTopic::default()
    };
    if manual {
        new.assignments = assignments(topic)?;
    }
    for config in &topic.configs {
        let set = match config.value {
            Some(value) => new.configs.set(config.name, value),
            None => Err(format!("Null value not supported for topic configs: {}", config.name)),
        };
        // Names come before settings.
        set.map_err(|wrong| match cluster.check_new_topic(topic.name, &new) {
            Err(error @ (CreateError::Exists | CreateError::InvalidName)) => refused(topic.name, &error),
            _ => (ErrorCode::INVALID_CONFIG, wrong),
        })?;
    }
    let replicas = cluster.check_new_topic(topic.name, &new).map_err(|error| refused(topic.name, &error))?;
    let configs = new.configs.clone();
    let id = if validate_only {
        // Kafka answers with an id that it then forgets.
        Uuid(cluster.random.bytes16())
    } else {
        cluster.make_topic(topic.name, new).map_err(|error| refused(topic.name, &error))?
    };
    let replication_factor = replicas.first().map_or(0, |replicas| replicas.len() as i16);
    Ok(Made { id, partitions: replicas.len() as i32, replication_factor, configs })
}

fn assignments(topic: &CreatableTopic<'_>) -> Result<Vec<Vec<i32>>, Refused> {
    if topic.replication_factor != -1 {
        let text = "A manual partition assignment was specified, but replication factor was not set to -1.";
        return Err((ErrorCode::INVALID_REQUEST, text.into()));
    }
    if topic.num_partitions != -1 {
        let text = "A manual partition assignment was specified, but numPartitions was not set to -1.";
        return Err((ErrorCode::INVALID_REQUEST, text.into()));
    }
    let mut replicas = BTreeMap::new();
    for assignment in &topic.assignments {
        if replicas.insert(assignment.partition_index, assignment.broker_ids.clone()).is_some() {
            let text =
                format!("Found multiple manual partition assignments for partition {}", assignment.partition_index);
            return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, text));
        }
    }
    if replicas.keys().zip(0..).any(|(index, expected)| *index != expected) {
        let text = "partitions should be a consecutive 0-based integer sequence";
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, text.into()));
    }
    Ok(replicas.into_values().collect())
}

fn refused(name: &str, error: &CreateError) -> Refused {
    match error {
        CreateError::Exists => (ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists.")),
        CreateError::InvalidName => (ErrorCode::INVALID_TOPIC_EXCEPTION, invalid_name(name)),
        CreateError::Collides(other) => {
            (ErrorCode::INVALID_TOPIC_EXCEPTION, format!("Topic '{name}' collides with existing topic: {other}"))
        }
        CreateError::InvalidPartitions => {
            let text = "Number of partitions was set to an invalid non-positive value.";
            (ErrorCode::INVALID_PARTITIONS, text.into())
        }
        CreateError::TooManyPartitions(max) => {
            let text = format!("The embedded broker makes no topic of more than {max} partitions.");
            (ErrorCode::INVALID_PARTITIONS, text)
        }
        CreateError::InvalidReplicationFactor => {
            let text = "Replication factor must be larger than 0, or -1 to use the default value.";
            (ErrorCode::INVALID_REPLICATION_FACTOR, text.into())
        }
        CreateError::TooFewBrokers { wanted, alive } => {
            let text = format!(
                "Unable to replicate the partition {wanted} time(s): The target replication factor of {wanted} cannot be \
                 reached because only {alive} broker(s) are registered or some brokers have all their log directories \
                 cordoned."
            );
            (ErrorCode::INVALID_REPLICATION_FACTOR, text)
        }
        CreateError::InvalidAssignment(text) => (ErrorCode::INVALID_REPLICA_ASSIGNMENT, text.clone()),
    }
}

fn invalid_name(name: &str) -> String {
    if name.is_empty() {
        "Topic name is invalid: the empty string is not allowed".into()
    } else if name == "." || name == ".." {
        format!("Topic name is invalid: '{name}' is not allowed")
    } else if name.len() > 249 {
        format!("Topic name is invalid: the length of '{name}' is longer than the max allowed length 249")
    } else {
        format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        )
    }
}

fn told<'a>(name: &'a str, result: &'a Result<Made, Refused>) -> CreatableTopicResult<'a> {
    match result {
        Ok(made) => {
            let config = |(name, value, set): (&'static str, &'a str, bool)| CreatableTopicConfigs {
                name,
                value: Some(value),
                config_source: if set { FROM_TOPIC } else { FROM_DEFAULT },
                ..CreatableTopicConfigs::default()
            };
            CreatableTopicResult {
                name,
                topic_id: made.id,
                num_partitions: made.partitions,
                replication_factor: made.replication_factor,
                configs: Some(made.configs.all().map(config).collect()),
                error_message: None,
                ..CreatableTopicResult::default()
            }
        }
        Err((code, message)) => CreatableTopicResult {
            name,
            error_code: code.0,
            error_message: Some(message),
            ..CreatableTopicResult::default()
        },
    }
}
