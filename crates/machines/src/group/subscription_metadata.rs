//! The bytes that members tell each other through the coordinator (protocol type `consumer`): what each subscribes to, and
//! what the leader gives to each.
//!
//! A subscription is written in version 3 as Java's client does, an assignment in version 0 as librdkafka does: a reader of any
//! age takes the fields that it knows and leaves the rest, so groups may be mixed. Any version is read, a newer one as the
//! newest that is known.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::messages::consumer_protocol_assignment::{ConsumerProtocolAssignment, TopicPartition};
use ottla_protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use ottla_protocol::primitives::{DecodeError, Message, Reader, Writer};

const SUBSCRIPTION_VERSION: i16 = 3;
const ASSIGNMENT_VERSION: i16 = 0;

/// What a member subscribes to, for JoinGroup.
pub(crate) fn write_subscription<'a>(topics: impl Iterator<Item = &'a Arc<str>>) -> Vec<u8> {
    let subscription =
        ConsumerProtocolSubscription { topics: topics.map(|topic| &**topic).collect(), ..Default::default() };
    write(SUBSCRIPTION_VERSION, &subscription)
}

/// The topics that a member subscribes to, sorted, each once.
///
/// # Errors
/// Of the decoder, for bytes that are no subscription.
pub(crate) fn read_subscription(bytes: &[u8]) -> Result<Vec<Arc<str>>, DecodeError> {
    let (version, mut reader) = begin(bytes)?;
    let version = version.min(ConsumerProtocolSubscription::MAX_VERSION);
    let mut topics: Vec<Arc<str>> =
        ConsumerProtocolSubscription::decode(&mut reader, version)?.topics.into_iter().map(Into::into).collect();
    topics.sort();
    topics.dedup();
    Ok(topics)
}

/// What a member is given, for SyncGroup.
pub(crate) fn write_assignment(partitions: &BTreeMap<Arc<str>, Vec<i32>>) -> Vec<u8> {
    let assigned_partitions =
        partitions.iter().map(|(topic, partitions)| TopicPartition { topic, partitions: partitions.clone() }).collect();
    write(ASSIGNMENT_VERSION, &ConsumerProtocolAssignment { assigned_partitions, user_data: None })
}

/// What this member was given, sorted by topic and partition. No bytes at all are nothing, as a coordinator sends them for a
/// member that the leader forgot.
///
/// # Errors
/// Of the decoder, for bytes that are no assignment.
pub(crate) fn read_assignment(bytes: &[u8]) -> Result<Vec<(Arc<str>, i32)>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let (version, mut reader) = begin(bytes)?;
    let version = version.min(ConsumerProtocolAssignment::MAX_VERSION);
    let assignment = ConsumerProtocolAssignment::decode(&mut reader, version)?;
    let mut partitions = Vec::new();
    for each in assignment.assigned_partitions {
        let topic: Arc<str> = each.topic.into();
        partitions.extend(each.partitions.into_iter().map(|partition| (Arc::clone(&topic), partition)));
    }
    partitions.sort();
    partitions.dedup();
    Ok(partitions)
}

fn begin(bytes: &[u8]) -> Result<(i16, Reader<'_>), DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?.max(0);
    Ok((version, reader))
}

fn write<'a>(version: i16, message: &impl Message<'a>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    writer.i16(version);
    // These versions have every field, and names come from metadata, where they are short.
    let written = message.encode(&mut writer, version);
    debug_assert!(written.is_ok());
    writer.into_parts().0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    /// As librdkafka (version 1 and 3) and Java's client wrote them for the topics `b` and `a`.
    #[test]
    fn subscriptions_of_every_version_are_read() {
        let topics = b"\0\0\0\x02\0\x01b\0\x01a";
        let owned = b"\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x05";
        let user_data = b"\0\0\0\x02xy";
        let tails: [Vec<u8>; 5] = [
            user_data.to_vec(),
            [&user_data[..], owned].concat(),
            [&b"\xff\xff\xff\xff"[..], owned, b"\0\0\0\x07"].concat(),
            [&b"\xff\xff\xff\xff\0\0\0\0"[..], b"\xff\xff\xff\xff\0\x02r1"].concat(),
            [&b"\xff\xff\xff\xff\0\0\0\0"[..], b"\xff\xff\xff\xff\0\x02r1", b"of a later version"].concat(),
        ];
        for (version, tail) in tails.into_iter().enumerate() {
            let bytes = [&[0, version as u8][..], topics, &tail].concat();
            assert_eq!(read_subscription(&bytes).unwrap(), names(&["a", "b"]), "version {version}");
        }
        assert!(read_subscription(b"\0\0\0\0\0\x09").is_err());
    }

    #[test]
    fn a_subscription_is_written_as_java_writes_it() {
        let topics = names(&["a", "bc"]);
        let bytes = write_subscription(topics.iter());
        let expected: &[u8] = b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff";
        assert_eq!(bytes, expected);
        assert_eq!(read_subscription(&bytes).unwrap(), topics);
    }

    #[test]
    fn an_assignment_comes_back_sorted_and_nothing_is_nothing() {
        let given = BTreeMap::from([("t".into(), vec![2, 0]), ("s".into(), vec![1])]);
        let bytes = write_assignment(&given);
        assert_eq!(&bytes[..2], [0, 0]);
        let read = read_assignment(&bytes).unwrap();
        assert_eq!(read, [("s".into(), 1), ("t".into(), 0), ("t".into(), 2)]);
        assert_eq!(read_assignment(b"").unwrap(), []);
        let newer = [&[0, 9][..], &bytes[2..]].concat();
        assert_eq!(read_assignment(&newer).unwrap(), read);
        assert!(read_assignment(b"\0").is_err() && read_assignment(&bytes[..9]).is_err());
    }
}
