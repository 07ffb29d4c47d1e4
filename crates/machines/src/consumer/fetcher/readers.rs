//! Which broker each partition is read from, looked at only when something of the partition, or the cluster, changed: an idle
//! partition costs nothing.
//!
//! That is its leader, or a replica near by that the leader named (KIP-392). Which of the partitions a broker's session has to
//! be told of anew follows from it; sending is left to `requests`.
use std::sync::Arc;

use ottla_protocol::primitives::Uuid;

use super::super::offset_reset::ResetCause;
use super::super::positions::{OFFSET_INVALID, StartOffset};
use super::state::{Fetcher, Phase};
use crate::client::Outbox;
use crate::connection::Network;
use crate::error::{BrokerError, Error, Kind};
use crate::machine::{NodeId, Now};
use crate::metadata::Metadata;

/// How long a replica that the leader named is read from before the leader is asked again, as in Java's client.
const PREFERRED_US: u64 = 300_000_000;

/// What a broker was last told of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) node: NodeId,
    /// The partition's fetch epoch then (E17).
    pub(crate) epoch: u64,
    pub(crate) topic_id: Uuid,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) last_fetched_epoch: i32,
}

impl Fetcher {
    /// Something of the partition changed: whom to ask for what is looked at again.
    pub(crate) fn touch(&mut self, slot: usize) {
        self.due.insert(slot);
    }

    /// Looks at what is due.
    pub(crate) fn place(&mut self, now: Now, network: &Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        let cluster = metadata.generation();
        if self.cluster_seen != cluster {
            self.cluster_seen = cluster;
            self.due.extend(0..self.partitions.len());
        }
        if self.answers_seen != metadata.answers() {
            self.answers_seen = metadata.answers();
            self.due.append(&mut self.leaderless);
        }
        while let Some((at_us, slot)) = self.timers.first().copied().filter(|(at_us, _)| *at_us <= now.mono_us) {
            self.timers.remove(&(at_us, slot));
            self.due.insert(slot);
        }
        // Each look may find that another is needed: a start that is settled is read at once.
        for _ in 0..3 {
            for slot in std::mem::take(&mut self.due) {
                self.look(now, slot, network, metadata, outbox);
            }
        }
    }

    fn look(&mut self, now: Now, slot: usize, network: &Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        let Some(partition) = self.partitions.get(slot) else { return };
        if let Phase::Start(start) = partition.phase {
            self.settle(slot, start);
        }
        let (phase, retry_at_us, paused) = match self.partitions.get(slot) {
            Some(partition) => (partition.phase, partition.retry_at_us, partition.paused),
            None => return,
        };
        self.asking.remove(&slot);
        let mut reader = None;
        let wants = match phase {
            Phase::Start(_) => true,
            Phase::Fetch { .. } => !paused,
            Phase::Asking { .. } | Phase::Stopped => false,
        };
        if wants && retry_at_us > now.mono_us {
            self.timers.insert((retry_at_us, slot));
        } else if wants && let Some((leader, _)) = self.leader(now, slot, metadata) {
            match phase {
                Phase::Fetch { .. } if self.is_same_topic(slot, leader, metadata, outbox) => {
                    reader = Some(self.nearest(now, slot, leader, network));
                }
                Phase::Fetch { .. } => self.touch(slot),
                _ => drop(self.asking.insert(slot)),
            }
        }
        self.read_from(slot, reader, metadata);
    }

    /// The replica that the leader named, while it can be reached.
    fn nearest(&mut self, now: Now, slot: usize, leader: NodeId, network: &Network) -> NodeId {
        let Some((replica, until_us)) = self.partitions[slot].preferred else { return leader };
        if until_us > now.mono_us && !network.is_down(replica) {
            self.timers.insert((until_us, slot));
            return replica;
        }
        self.partitions[slot].preferred = None;
        leader
    }

    /// The leader names a replica to read from (KIP-392). Returns whether it is news.
    pub(crate) fn prefer(&mut self, now: Now, slot: usize, replica: NodeId) -> bool {
        let Some(partition) = self.partitions.get_mut(slot) else { return false };
        let before = partition.preferred.replace((replica, now.mono_us.saturating_add(PREFERRED_US)));
        before.is_none_or(|(known, _)| known != replica)
    }

    fn read_from(&mut self, slot: usize, reader: Option<NodeId>, metadata: &Metadata) {
        let wanted = reader.and_then(|node| self.wanted_of(slot, node, metadata));
        let Self { partitions, sessions, .. } = self;
        let Some(partition) = partitions.get_mut(slot) else { return };
        if partition.reader != reader
            && let Some(before) = partition.reader.take()
            && let Some(session) = sessions.get_mut(&before)
        {
            session.leave(slot, None);
        }
        if let Some(told) = partition.told.take_if(|told| Some(told.node) != reader)
            && let Some(session) = sessions.get_mut(&told.node)
        {
            session.leave(slot, Some((Arc::clone(&partition.topic), told.topic_id, partition.partition)));
        }
        if let Some(node) = reader {
            let known = partition.told.is_some() && partition.told == wanted;
            sessions.entry(node).or_default().enter(slot, known);
            partition.reader = reader;
        }
    }

    /// What is to be told of a partition now; `None` where nothing is to be read.
    pub(crate) fn wanted_of(&self, slot: usize, node: NodeId, metadata: &Metadata) -> Option<Told> {
        let partition = self.partitions.get(slot)?;
        let Phase::Fetch { offset } = partition.phase else { return None };
        let leader_epoch = metadata.leader(&partition.topic, partition.partition).map_or(-1, |(_, epoch)| epoch);
        Some(Told {
            node,
            epoch: partition.epoch,
            topic_id: partition.topic_id,
            offset,
            leader_epoch,
            last_fetched_epoch: partition.last_fetched_epoch,
        })
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

    /// The partition's leader; without one, metadata is asked for, and what does not exist is reported once.
    fn leader(&mut self, now: Now, slot: usize, metadata: &mut Metadata) -> Option<(NodeId, i32)> {
        let partition = &self.partitions[slot];
        let (topic, number, epoch) = (partition.topic.clone(), partition.partition, partition.epoch);
        if let Some(leader) = metadata.leader(&topic, number) {
            self.partitions[slot].missing_since_us = None;
            return Some(leader);
        }
        self.leaderless.insert(slot);
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
                self.timers.insert((now.mono_us + (patience_us - waited_us), slot));
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

    /// Where a partition of an answer is, if it is what its broker was last asked for.
    pub(crate) fn asked(&self, topic: &str, partition: i32, topic_id: Uuid, node: NodeId) -> Option<(usize, Told)> {
        let order = |known: &super::state::Partition| (*known.topic).cmp(topic).then(known.partition.cmp(&partition));
        let slot = self.partitions.binary_search_by(order).ok()?;
        let found = self.partitions.get(slot)?;
        let told = found.told.as_ref().filter(|told| {
            // E17, and brokers that know no ids.
            told.node == node && told.epoch == found.epoch && (topic_id == Uuid::ZERO || told.topic_id == topic_id)
        })?;
        Some((slot, told.clone()))
    }

    /// The offset that is asked for next, for starts that are settled.
    pub(crate) fn is_asking(&self, slot: usize) -> Option<StartOffset> {
        match self.partitions.get(slot)?.phase {
            Phase::Start(start) => Some(start),
            _ => None,
        }
    }
}
