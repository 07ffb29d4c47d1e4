//! Whom to ask for what: one Fetch in flight per broker, on its lane, within the budget (E14), in its session (KIP-227).
//!
//! Whose partitions a broker is asked for is decided in `readers`, what its session knows in `fetch_session`.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::primitives::Uuid;

use super::super::budget::LEAST_FETCH;
use super::super::fetch_session::forgotten_topics;
use super::super::list_offsets;
use super::super::positions::StartOffset;
use super::readers::Told;
use super::state::{Fetcher, Flight, Phase};
use crate::connection::{Network, Tag};
use crate::machine::{ConnectionId, Lane, NodeId, Now};
use crate::metadata::Metadata;

/// From this version on a Fetch names topics by their ids (KIP-516).
const TOPIC_IDS: i16 = 13;
/// From this version on there are sessions (KIP-227).
const SESSIONS: i16 = 7;
/// From this version on a Fetch says where the client is (KIP-392).
const RACKS: i16 = 11;
/// From this version on a Fetch says what it fetched last (KIP-595).
const LAST_FETCHED: i16 = 12;

impl Fetcher {
    /// Asks the brokers that have something to be asked for and are not being asked.
    pub(crate) fn send_fetches(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata) {
        let idle =
            self.sessions.iter().filter(|(_, session)| session.in_flight.is_none() && !session.wanted.is_empty());
        let nodes: Vec<NodeId> = idle.map(|(node, _)| *node).collect();
        self.waits = false;
        let mut brokers = nodes.len();
        for node in nodes {
            // Whatever others hold, a broker that the caller may be waiting for can always send a little.
            let share = self.budget.share(brokers);
            let Some(bytes) = share.or_else(|| self.is_dry(node).then_some(LEAST_FETCH)) else {
                self.waits = true;
                continue;
            };
            brokers = brokers.saturating_sub(1);
            self.send_fetch(now, node, bytes, network, metadata);
        }
        if !self.waits {
            self.told = false;
        }
    }

    /// Whether nothing that is held came from this broker.
    fn is_dry(&self, node: NodeId) -> bool {
        !self.holding.iter().any(|epoch| {
            let partition = self.slot_of(*epoch).and_then(|slot| self.partitions.get(slot));
            partition.is_some_and(|partition| partition.held > 0 && partition.reader == Some(node))
        })
    }

    fn send_fetch(&mut self, now: Now, node: NodeId, bytes: usize, network: &mut Network, metadata: &mut Metadata) {
        let Some(connection) = network.ready(now, node, Lane::Fetch) else { return };
        let Some(version) = network.version(connection, ApiKey::Fetch) else {
            return network.distrust(now, connection, "no version of Fetch that this client speaks");
        };
        let Some(session) = self.sessions.get_mut(&node) else { return };
        let (session_id, session_epoch) = if version >= SESSIONS { session.next(connection) } else { (0, -1) };
        let full = version < SESSIONS || session.is_full();
        let named: Vec<usize> = if full { self.in_turn(node) } else { session.changed.iter().copied().collect() };
        let mut asked = Vec::with_capacity(named.len());
        for slot in named {
            let Some(wanted) = self.wanted_of(slot, node, metadata) else { continue };
            if version >= TOPIC_IDS && wanted.topic_id == Uuid::ZERO {
                metadata.request_update(now);
                continue;
            }
            asked.push((slot, wanted));
        }
        if full && asked.is_empty() {
            return;
        }
        let max_bytes = bytes.min(usize::try_from(self.settings.fetch_max_bytes).unwrap_or(0)).max(1);
        self.next_tag += 1;
        let tag = self.next_tag;
        if self.request_fetch(now, connection, (session_id, session_epoch), version, &asked, max_bytes, network) {
            self.budget.reserve(max_bytes);
            if let Some(session) = self.sessions.get_mut(&node) {
                session.in_flight = Some(tag);
                for (slot, _) in &asked {
                    session.changed.remove(slot);
                }
            }
            let named = asked.iter().map(|(slot, told)| (*slot, told.epoch)).collect();
            for (slot, told) in asked {
                self.partitions[slot].told = Some(told);
            }
            self.flights.insert(tag, Flight { node, reserved: max_bytes, full, named });
        }
    }

    /// The slots of a broker, the one first that waited longest: where a broker keeps no session, the order is ours.
    fn in_turn(&self, node: NodeId) -> Vec<usize> {
        let Some(session) = self.sessions.get(&node) else { return Vec::new() };
        let mut slots: Vec<_> = session.wanted.iter().map(|slot| (self.partitions[*slot].turn, *slot)).collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, slot)| slot).collect()
    }

    #[allow(clippy::too_many_arguments, reason = "each is at hand one by one; a struct would only name them")]
    fn request_fetch(
        &mut self,
        now: Now,
        connection: ConnectionId,
        session: (i32, i32),
        version: i16,
        asked: &[(usize, Told)],
        max_bytes: usize,
        network: &mut Network,
    ) -> bool {
        let node = network.node_of(connection).unwrap_or(NodeId(-1));
        let keys = asked.iter().map(|(slot, told)| {
            let partition = &self.partitions[*slot];
            (Arc::clone(&partition.topic), told.topic_id, partition.partition)
        });
        let keys: Vec<_> = keys.collect();
        let forgotten =
            self.sessions.get_mut(&node).map(|session| session.forget(keys.into_iter())).unwrap_or_default();
        let forgotten = if version >= SESSIONS { forgotten } else { Vec::new() };
        let mut topics: Vec<FetchTopic<'_>> = Vec::new();
        let mut last: Option<&str> = None;
        for (slot, told) in asked {
            let partition = &self.partitions[*slot];
            let one = FetchPartition {
                partition: partition.partition,
                current_leader_epoch: told.leader_epoch,
                fetch_offset: told.offset,
                last_fetched_epoch: if version >= LAST_FETCHED { told.last_fetched_epoch } else { -1 },
                partition_max_bytes: self.settings.max_partition_fetch_bytes,
                ..Default::default()
            };
            // In turn, so one topic can come several times; brokers read it so.
            if last == Some(&*partition.topic)
                && let Some(topic) = topics.last_mut()
            {
                topic.partitions.push(one);
                continue;
            }
            last = Some(&partition.topic);
            topics.push(FetchTopic { topic: &partition.topic, topic_id: told.topic_id, partitions: vec![one] });
        }
        let request = FetchRequest {
            max_wait_ms: self.settings.fetch_wait_max_ms,
            min_bytes: self.settings.fetch_min_bytes,
            max_bytes: i32::try_from(max_bytes).unwrap_or(i32::MAX),
            isolation_level: i8::from(self.read_committed()),
            session_id: session.0,
            session_epoch: session.1,
            topics,
            forgotten_topics_data: forgotten_topics(&forgotten, version >= TOPIC_IDS),
            rack_id: if version >= RACKS { &self.settings.rack } else { "" },
            ..Default::default()
        };
        let parked_us = u64::try_from(self.settings.fetch_wait_max_ms).unwrap_or(0) * 1000;
        let timeout_us = self.settings.connection.socket_timeout_us.saturating_add(parked_us);
        match network.request(now, connection, version, &request, Tag::Fetch(self.next_tag), timeout_us, &[]) {
            Ok(()) => true,
            Err(error) => {
                network.distrust(now, connection, &error.to_string());
                false
            }
        }
    }

    /// Asks for the offsets of logical starts.
    pub(crate) fn send_queries(&mut self, now: Now, network: &mut Network, metadata: &Metadata) {
        let mut wanted: BTreeMap<NodeId, Vec<(usize, i32, StartOffset)>> = BTreeMap::new();
        for slot in &self.asking {
            let Some(start) = self.is_asking(*slot) else { continue };
            let partition = &self.partitions[*slot];
            // One that lost its leader meanwhile is looked at again.
            if let Some((leader, epoch)) = metadata.leader(&partition.topic, partition.partition) {
                wanted.entry(leader).or_default().push((*slot, epoch, start));
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
                    self.asking.remove(slot);
                    asked.push((*slot, self.partitions[*slot].epoch));
                }
                self.queries.insert(tag, asked);
            }
            Err(error) => network.distrust(now, connection, &error.to_string()),
        }
    }
}
