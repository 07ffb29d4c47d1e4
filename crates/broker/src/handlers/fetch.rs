//! Fetch: takes a request into its session, waits for enough records, and decides what is answered when. Putting the
//! answer together is `fetch_answer`'s.

use std::sync::Arc;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::fetch::{FetchRequest, FetchResponse};

use super::fetch_answer::answer;
use super::fetch_waiting::{Waiting, check_leader, diverges, find};
use super::{Answer, Attempt, Call, Handled};
use crate::cluster::Cluster;
use crate::fetch_sessions::{Asked, PartitionName};
use crate::machine::RequestId;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let waiting = match call.attempt {
        Attempt::First => match begin(cluster, call)? {
            Ok(waiting) => waiting,
            Err(code) => {
                return Ok(call.reply(&FetchResponse { error_code: code.0, ..FetchResponse::default() }));
            }
        },
        Attempt::Woken | Attempt::TimedOut => match cluster.fetches.remove(&call.id) {
            Some(waiting) => waiting,
            None => return Ok(Answer::Close),
        },
    };
    if call.attempt == Attempt::TimedOut || call.now.mono_us >= waiting.until_us || is_ready(cluster, call, &waiting) {
        if call.attempt != Attempt::First {
            forget(cluster, call.id, &waiting);
        }
        return Ok(answer(cluster, call, &waiting));
    }
    if call.attempt == Attempt::First {
        for asked in &waiting.partitions {
            if let Some((topic, partition)) = find(cluster, &asked.name).map(|(topic, _)| (topic, asked.name.partition))
                && let Some(partition) =
                    cluster.topics.by_name_mut(&topic).and_then(|topic| topic.partition_mut(partition))
            {
                partition.await_change(call.id);
            }
        }
    }
    let until_us = Some(waiting.until_us);
    cluster.fetches.insert(call.id, waiting);
    Ok(Answer::Parked { until_us })
}

/// The connection of a parked Fetch is gone.
pub(super) fn abandon(cluster: &mut Cluster, call: &Call) {
    if let Some(waiting) = cluster.fetches.remove(&call.id) {
        forget(cluster, call.id, &waiting);
    }
}

fn forget(cluster: &mut Cluster, request: RequestId, waiting: &Waiting) {
    for asked in &waiting.partitions {
        if let Some((topic, _)) = find(cluster, &asked.name)
            && let Some(topic) = cluster.topics.by_name_mut(&topic)
            && let Some(partition) = topic.partition_mut(asked.name.partition)
        {
            partition.forget_waiting(request);
        }
    }
}

/// Decodes the request and takes it into its session.
fn begin(
    cluster: &mut Cluster,
    call: &Call,
) -> Result<Result<Waiting, ErrorCode>, ottla_protocol::primitives::DecodeError> {
    let request: FetchRequest<'_> = call.decode()?;
    let name = |topic: &str, id, partition| PartitionName { id, topic: Arc::from(topic), partition };
    let mut asked = Vec::new();
    for topic in &request.topics {
        asked.extend(topic.partitions.iter().map(|partition| Asked {
            name: name(topic.topic, topic.topic_id, partition.partition),
            fetch_offset: partition.fetch_offset,
            current_leader_epoch: partition.current_leader_epoch,
            last_fetched_epoch: partition.last_fetched_epoch,
            max_bytes: partition.partition_max_bytes,
        }));
    }
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        forgotten.extend(topic.partitions.iter().map(|partition| name(topic.topic, topic.topic_id, *partition)));
    }
    let sessions = cluster.fetch_sessions.entry(call.node).or_default();
    let uses_topic_ids = call.version >= 13;
    let opened = sessions.open(call.now, request.session_id, request.session_epoch, uses_topic_ids, asked, &forgotten);
    let (kind, partitions) = match opened {
        Ok(opened) => opened,
        Err(code) => return Ok(Err(code)),
    };
    let unknown = partitions.iter().map(|asked| find(cluster, &asked.name).is_none()).collect();
    let at_least_zero = |number: i32| number.max(0) as usize;
    Ok(Ok(Waiting {
        kind,
        partitions,
        max_bytes: at_least_zero(request.max_bytes.min(cluster.settings().fetch_max_bytes)),
        read_committed: request.isolation_level == 1,
        min_bytes: at_least_zero(request.min_bytes.min(cluster.settings().fetch_max_bytes)),
        until_us: call.now.after_ms(at_least_zero(request.max_wait_ms) as u64),
        unknown,
    }))
}

/// Whether there is enough to answer, or something that the client should know at once.
fn is_ready(cluster: &Cluster, call: &Call, waiting: &Waiting) -> bool {
    let (mut bytes, mut known) = (0, false);
    for (asked, unknown) in waiting.partitions.iter().zip(&waiting.unknown) {
        if *unknown {
            continue;
        }
        known = true;
        let Some((_, partition)) = find(cluster, &asked.name) else { return true };
        let log = partition.log();
        let offset = asked.fetch_offset;
        if check_leader(partition, call.node, asked.current_leader_epoch).is_err()
            || !(log.start_offset()..=log.end_offset()).contains(&offset)
            || diverges(partition, asked) != Ok(None)
        {
            return true;
        }
        let most = (asked.max_bytes.max(1) as usize).min(waiting.min_bytes);
        bytes += log.available(offset, waiting.read_committed, most).min(most);
    }
    !known || bytes >= waiting.min_bytes
}
