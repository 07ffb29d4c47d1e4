//! Whom to ask for what: one Fetch in flight per broker, on its lane, within the budget (E14), partitions in turn.
use std::collections::BTreeMap;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::primitives::Uuid;

use super::super::budget::LEAST_FETCH;
use super::super::list_offsets;
use super::super::offset_reset::ResetCause;
use super::super::positions::{OFFSET_INVALID, StartOffset};
use super::state::{Fetched, Fetcher, Flight, Phase};
use crate::client::Outbox;
use crate::connection::{Network, Tag};
use crate::error::{BrokerError, Error, Kind};
use crate::machine::{Lane, NodeId, Now};
use crate::metadata::Metadata;

/// From this version on a Fetch names topics by their ids (KIP-516).
const TOPIC_IDS: i16 = 13;

impl Fetcher {
    /// Returns whether a partition went back to asking for its offset.
    pub(crate) fn send_fetches(
        &mut self,
        now: Now,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) -> bool {
        let mut wanted: BTreeMap<NodeId, Vec<(u64, usize)>> = BTreeMap::new();
        let mut reset = false;
        for slot in 0..self.partitions.len() {
            let partition = &self.partitions[slot];
            if partition.paused || !matches!(partition.phase, Phase::Fetch { .. }) {
                continue;
            }
            let (turn, retry_at_us) = (partition.turn, partition.retry_at_us);
            if retry_at_us > now.mono_us {
                self.wake_at(now, retry_at_us);
            } else if let Some((leader, _)) = self.leader(now, slot, metadata) {
                if self.is_same_topic(slot, leader, metadata, outbox) {
                    wanted.entry(leader).or_default().push((turn, slot));
                } else {
                    reset = true;
                }
            }
        }
        for flight in self.flights.values() {
            wanted.remove(&flight.node);
        }
        self.waits = false;
        let mut brokers = wanted.len();
        for (node, mut slots) in wanted {
            slots.sort_unstable();
            let dry = slots.iter().all(|(_, slot)| self.partitions[*slot].held == 0);
            // Whatever others hold, a broker that the caller may be waiting for can always send a little.
            let Some(bytes) = self.budget.share(brokers).or(dry.then_some(LEAST_FETCH)) else {
                self.waits = true;
                continue;
            };
            brokers = brokers.saturating_sub(1);
            self.send_fetch(now, node, &slots, bytes, network, metadata);
        }
        if !self.waits {
            self.told = false;
        }
        reset
    }

    /// Whether the topic is the one that was read so far; a new one of the same name is read from where the policy says.
    fn is_same_topic(&mut self, slot: usize, leader: NodeId, metadata: &Metadata, outbox: &mut Outbox) -> bool {
        let partition = &mut self.partitions[slot];
        let topic_id = metadata.topic(&partition.topic).map_or(Uuid::ZERO, |topic| topic.topic_id);
        let before = std::mem::replace(&mut partition.topic_id, topic_id);
        let Phase::Fetch { offset } = partition.phase else { return false };
        if before == Uuid::ZERO || before == topic_id {
            return true;
        }
        self.reset(slot, ResetCause::Recreated { offset, broker: leader }, outbox);
        false
    }

    fn send_fetch(
        &mut self,
        now: Now,
        node: NodeId,
        slots: &[(u64, usize)],
        bytes: usize,
        network: &mut Network,
        metadata: &mut Metadata,
    ) {
        let Some(connection) = network.ready(now, node, Lane::Fetch) else { return };
        let Some(version) = network.version(connection, ApiKey::Fetch) else {
            return network.distrust(now, connection, "no version of Fetch that this client speaks");
        };
        let max_bytes = bytes.min(usize::try_from(self.settings.fetch_max_bytes).unwrap_or(0)).max(1);
        let mut topics: Vec<FetchTopic<'_>> = Vec::new();
        let mut fetched = Vec::with_capacity(slots.len());
        for (_, slot) in slots {
            let partition = &self.partitions[*slot];
            let Phase::Fetch { offset } = partition.phase else { continue };
            let known = metadata.topic(&partition.topic);
            let topic_id = known.map_or(Uuid::ZERO, |topic| topic.topic_id);
            if version >= TOPIC_IDS && topic_id == Uuid::ZERO {
                metadata.request_update(now);
                continue;
            }
            let leader_epoch = metadata.leader(&partition.topic, partition.partition).map_or(-1, |(_, epoch)| epoch);
            let asked = FetchPartition {
                partition: partition.partition,
                current_leader_epoch: leader_epoch,
                fetch_offset: offset,
                last_fetched_epoch: if version >= 12 { partition.last_fetched_epoch } else { -1 },
                partition_max_bytes: self.settings.max_partition_fetch_bytes,
                ..Default::default()
            };
            // In turn, so one topic can come several times; brokers read it so.
            match topics.last_mut() {
                Some(topic) if topic.topic == &*partition.topic => topic.partitions.push(asked),
                _ => topics.push(FetchTopic { topic: &partition.topic, topic_id, partitions: vec![asked] }),
            }
            let (epoch, partition) = (partition.epoch, partition.partition);
            fetched.push(Fetched { slot: *slot, epoch, offset, topic_id, partition });
        }
        if fetched.is_empty() {
            return;
        }
        let request = FetchRequest {
            max_wait_ms: self.settings.fetch_wait_max_ms,
            min_bytes: self.settings.fetch_min_bytes,
            max_bytes: i32::try_from(max_bytes).unwrap_or(i32::MAX),
            isolation_level: i8::from(self.read_committed()),
            topics,
            ..Default::default()
        };
        self.next_tag += 1;
        let tag = self.next_tag;
        let parked_us = u64::try_from(self.settings.fetch_wait_max_ms).unwrap_or(0) * 1000;
        let timeout_us = self.settings.connection.socket_timeout_us.saturating_add(parked_us);
        match network.request(now, connection, version, &request, Tag::Fetch(tag), timeout_us, &[]) {
            Ok(()) => {
                self.budget.reserve(max_bytes);
                self.flights.insert(tag, Flight { node, reserved: max_bytes, partitions: fetched });
            }
            Err(error) => network.distrust(now, connection, &error.to_string()),
        }
    }

    /// Asks for the offsets of logical starts, or settles them by the policy.
    pub(crate) fn send_queries(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata) {
        let mut wanted: BTreeMap<NodeId, Vec<(usize, i32, StartOffset)>> = BTreeMap::new();
        for slot in 0..self.partitions.len() {
            if let Phase::Start(start) = self.partitions[slot].phase {
                self.settle(slot, start);
            }
            let partition = &self.partitions[slot];
            let Phase::Start(start) = partition.phase else { continue };
            let retry_at_us = partition.retry_at_us;
            if retry_at_us > now.mono_us {
                self.wake_at(now, retry_at_us);
            } else if let Some((leader, epoch)) = self.leader(now, slot, metadata) {
                wanted.entry(leader).or_default().push((slot, epoch, start));
            }
        }
        for (node, slots) in wanted {
            self.send_query(now, node, &slots, network);
        }
    }

    fn send_query(&mut self, now: Now, node: NodeId, slots: &[(usize, i32, StartOffset)], network: &mut Network) {
        let Some(connection) = network.ready(now, node, Lane::General) else { return };
        let Some(version) = network.version(connection, ApiKey::ListOffsets) else {
            return network.distrust(now, connection, "no version of ListOffsets that this client speaks");
        };
        let mut topics: Vec<ListOffsetsTopic<'_>> = Vec::new();
        for (slot, leader_epoch, start) in slots {
            let partition = &self.partitions[*slot];
            let timestamp =
                if *start == StartOffset::Beginning { list_offsets::EARLIEST } else { list_offsets::LATEST };
            let asked: ListOffsetsPartition = list_offsets::asked(partition.partition, *leader_epoch, timestamp);
            match topics.last_mut() {
                Some(topic) if topic.name == &*partition.topic => topic.partitions.push(asked),
                _ => topics.push(ListOffsetsTopic { name: &partition.topic, partitions: vec![asked] }),
            }
        }
        let request = list_offsets::many(topics, self.read_committed());
        self.next_tag += 1;
        let tag = self.next_tag;
        let timeout_us = self.settings.connection.socket_timeout_us;
        match network.request(now, connection, version, &request, Tag::ListOffsets(tag), timeout_us, &[]) {
            Ok(()) => {
                let mut asked = Vec::with_capacity(slots.len());
                for (slot, _, start) in slots {
                    self.partitions[*slot].phase = Phase::Asking { from: *start };
                    asked.push((*slot, self.partitions[*slot].epoch));
                }
                self.queries.insert(tag, asked);
            }
            Err(error) => network.distrust(now, connection, &error.to_string()),
        }
    }

    /// The partition's leader; without one, metadata is asked for, and what does not exist is reported once.
    fn leader(&mut self, now: Now, slot: usize, metadata: &mut Metadata) -> Option<(NodeId, i32)> {
        let partition = &self.partitions[slot];
        let (topic, number, epoch) = (partition.topic.clone(), partition.partition, partition.epoch);
        if let Some(leader) = metadata.leader(&topic, number) {
            self.partitions[slot].missing_since_us = None;
            return Some(leader);
        }
        if !metadata.is_watched(&topic) {
            // A query that watched it too has ended.
            metadata.watch(now, &topic);
        }
        metadata.request_update(now);
        let error = match metadata.topic(&topic) {
            Some(known) if known.error == 0 && usize::try_from(number).is_ok_and(|at| at < known.partitions.len()) => {
                return None;
            }
            Some(known) if known.error == 0 => {
                let text = format!("{topic} [{number}]: the topic has {} partitions", known.partitions.len());
                Error::with_text(Kind::UnknownPartition, text)
            }
            Some(known) => {
                let kind = Kind::Broker(BrokerError(known.error));
                Error::with_text(kind, format!("Subscribed topic not available: {topic}: {}", kind.description()))
            }
            None => return None,
        };
        // A topic or partition that was just made is not announced everywhere at once.
        let unknown = matches!(error.kind, Kind::UnknownPartition | Kind::Broker(BrokerError(3)));
        if unknown {
            let patience_us = self.settings.connection.topic_metadata_propagation_max_us;
            let since_us = *self.partitions[slot].missing_since_us.get_or_insert(now.mono_us);
            let waited_us = now.mono_us.saturating_sub(since_us);
            if waited_us < patience_us {
                self.wake_at(now, now.mono_us + (patience_us - waited_us));
                return None;
            }
        } else if error.kind.is_retriable() {
            return None;
        }
        if self.partitions[slot].reported.replace(error.kind) != Some(error.kind) {
            self.report(slot, epoch, OFFSET_INVALID, error);
        }
        None
    }
}
