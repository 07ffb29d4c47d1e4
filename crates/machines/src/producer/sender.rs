//! The sender: which sealed batch goes when and where. What an answer means for a batch stands in [`super::answers`].
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::compression::Codec;
use ottla_protocol::primitives::Uuid;

use super::accumulator::Accumulator;
use super::batch::{Batch, Sealed, UNASSIGNED};
use super::chunks::Pool;
use super::exchange::{Ended, Partitions, Placement};
use super::idempotence::Idempotence;
use super::open_batch::OpenBatch;
use super::placing;
use super::produce_request::{self, BY_TOPIC_ID, TopicName};
use crate::client::{Edges, Outbox};
use crate::config::{Compression, ProducerSettings};
use crate::connection::{Network, Tag};
use crate::error::{Error, Kind};
use crate::job::{Computed, Job};
use crate::machine::{Chunk, ConnectionId, Lane, NodeId, Now};
use crate::metadata::Metadata;
use crate::random::Random;

/// E6: batches that one hold of the lock may move.
const PER_HOLD: usize = 64;
/// What one request carries at most, or else a single batch.
const REQUEST_BYTES: usize = 1 << 20;
/// Requests in flight to one broker; the broker remembers as many batches of an idempotent producer.
const PIPELINE: usize = 5;
/// E7: free chunks of an idle client go back to the system within this.
const IDLE_US: u64 = 4_000_000;

/// What the sender knows of a topic, by its number in the accumulator.
#[derive(Debug)]
pub(super) struct SentTopic {
    pub(super) name: Arc<str>,
    /// Partitions that the accumulator was told of; 0 before the first time.
    pub(super) count: usize,
    pub(super) available: Vec<u32>,
    pub(super) refused: Option<i16>,
    /// Batches whose records have no partition yet (E10).
    pub(super) unassigned: VecDeque<Batch>,
}

/// The batches of one partition that wait to be sent, oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) batches: VecDeque<Batch>,
    pub(super) compressing: BTreeSet<u64>,
    pub(super) in_flight: usize,
    /// Those of them that were sent before.
    pub(super) retried: usize,
    /// Where those in flight went.
    pub(super) node: Option<NodeId>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) batches: Vec<Batch>,
    pub(super) node: NodeId,
    /// Its topics as it named them: one may be made anew, under another id, before the answer comes.
    pub(super) names: BTreeMap<u32, TopicName>,
}

/// See the module.
#[derive(Debug)]
pub struct Sender {
    pub(super) settings: ProducerSettings,
    pub(super) codec: Codec,
    pub(super) random: Random,
    pub(super) topics: Vec<SentTopic>,
    pub(super) names: BTreeMap<u32, TopicName>,
    pub(super) queues: BTreeMap<(u32, i32), Queue>,
    pub(super) sent: BTreeMap<u64, Sent>,
    pub(super) ended: VecDeque<Ended>,
    pub(super) fatal: Option<Error>,
    pub(super) idempotence: Option<Idempotence>,
    taken: Vec<Sealed>,
    fresh: Vec<Arc<str>>,
    placements: Vec<Placement>,
    garbage: Vec<Chunk>,
    next_batch: u64,
    next_request: u64,
    metadata_generation: u64,
    linger_until_us: Option<u64>,
    /// That time has come: an exchange is wanted.
    linger_over: bool,
    /// When the client fell idle with free chunks in its pool; they are given back [`IDLE_US`] later (E7).
    idle_since_us: Option<u64>,
    spare: Option<Pool>,
    idle_over: bool,
}

impl Sender {
    pub fn new(settings: &ProducerSettings, seed: u64) -> Self {
        let codec = match settings.codec {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip,
            Compression::Snappy => Codec::Snappy,
            Compression::Lz4 => Codec::Lz4,
            Compression::Zstd => Codec::Zstd,
        };
        Self {
            codec,
            random: Random::new(seed),
            topics: Vec::new(),
            names: BTreeMap::new(),
            queues: BTreeMap::new(),
            sent: BTreeMap::new(),
            ended: VecDeque::new(),
            fatal: None,
            idempotence: settings.idempotence.then(Idempotence::new),
            taken: Vec::with_capacity(PER_HOLD),
            fresh: Vec::with_capacity(PER_HOLD),
            placements: Vec::new(),
            garbage: Vec::with_capacity(4096),
            next_batch: 0,
            next_request: 0,
            metadata_generation: 0,
            linger_until_us: None,
            linger_over: false,
            idle_since_us: None,
            spare: None,
            idle_over: false,
            settings: settings.clone(),
        }
    }

    /// Moves sealed batches here and ended ones back; at most [`PER_HOLD`] of each, for the caller's thread may wait (E6).
    pub fn exchange<A>(&mut self, now: Now, shared: &mut Accumulator<A>) -> Edges {
        let (reports_before, outstanding_before) = (shared.reports_waiting(), shared.outstanding());
        for placement in self.placements.drain(..) {
            // A target that is replaced holds empty batches only; dropping it frees nothing worth waiting for.
            drop(shared.place(placement));
        }
        for ended in self.ended.drain(..self.ended.len().min(PER_HOLD)) {
            shared.end(ended, &mut self.garbage);
        }
        if let Some(error) = &self.fatal {
            shared.fail(error.clone());
        }
        let (queues, linger_us, flushing) = (&self.queues, self.settings.linger_us, shared.flushing);
        let longest_us = linger_us.max(self.settings.delivery_timeout_us / 100);
        let mut until_us = None;
        let remain = shared.seal_due(PER_HOLD, |topic, partition, batch| {
            let age_us = now.mono_us.saturating_sub(batch.opened_us);
            // While earlier batches of the partition wait, this one may as well take more records (E11).
            let waits = queues.get(&(topic, partition)).is_some_and(|queue| !queue.batches.is_empty());
            let limit_us = if waits { longest_us } else { linger_us };
            let due = flushing || age_us >= limit_us;
            if !due {
                let due_us = batch.opened_us.saturating_add(limit_us);
                until_us = Some(until_us.map_or(due_us, |until_us: u64| until_us.min(due_us)));
            }
            due
        });
        shared.flushing &= !shared.open.is_empty();
        self.linger_until_us = until_us;
        self.linger_over = false;
        self.idle_over = false;
        let known = self.topics.len() + self.fresh.len();
        self.fresh.extend(shared.topics_since(known).take(self.fresh.capacity() - self.fresh.len()));
        let known = self.topics.len() + self.fresh.len();
        shared.take_sealed(known, &mut self.taken);
        shared.told = false;
        shared.idle = shared.open.is_empty();
        self.give_back(now, shared);
        Edges {
            reports: reports_before == 0 && shared.reports_waiting() > 0,
            drained: outstanding_before > 0 && shared.outstanding() == 0,
            records: false,
            again: remain || known < shared.topics.len() || !shared.sealed().is_empty() || !self.ended.is_empty(),
        }
    }

    /// Takes the free chunks of a client that has been idle for a while; they are dropped outside the lock.
    fn give_back<A>(&mut self, now: Now, shared: &mut Accumulator<A>) {
        let idle = self.taken.is_empty() && shared.outstanding() == 0 && shared.has_free_chunks();
        self.idle_since_us = idle.then(|| self.idle_since_us.unwrap_or(now.mono_us));
        if self.idle_since_us.is_some_and(|since_us| since_us.saturating_add(IDLE_US) <= now.mono_us)
            && let Some(spare) = &mut self.spare
        {
            self.idle_since_us = None;
            shared.swap_pool(spare);
        }
    }

    /// Whether the shared side is to be told something.
    pub fn wants_exchange(&self) -> bool {
        !self.ended.is_empty() || !self.placements.is_empty() || self.linger_over || self.idle_over
    }

    /// Sends what can be sent, and ends what is overdue.
    pub fn advance(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        self.garbage.clear();
        self.idle_over = self.idle_since_us.is_some_and(|since_us| since_us.saturating_add(IDLE_US) <= now.mono_us);
        // An empty pool to exchange for the full one; what came back is dropped here.
        self.spare = self.idle_over.then(Pool::default);
        self.linger_over |= self.linger_until_us.is_some_and(|until_us| until_us <= now.mono_us);
        for name in self.fresh.drain(..) {
            metadata.watch(now, &name);
            let (count, available, refused, unassigned) = (0, Vec::new(), None, VecDeque::new());
            self.topics.push(SentTopic { name, count, available, refused, unassigned });
            self.metadata_generation = u64::MAX;
        }
        self.take_in(now, outbox);
        self.follow_metadata(now, metadata, outbox);
        self.expire(now, metadata, outbox);
        self.ask_for_id(now, network, outbox);
        self.send(now, network, metadata, outbox);
    }

    fn take_in(&mut self, now: Now, outbox: &mut Outbox) {
        for sealed in std::mem::replace(&mut self.taken, Vec::with_capacity(PER_HOLD)) {
            let Sealed { topic, partition, records } = sealed;
            let batch = self.batch(topic, partition, records);
            if let Some(error) = self.hopeless(topic) {
                self.end(now, batch, Err(error));
            } else if partition == UNASSIGNED {
                self.topics[topic as usize].unassigned.push_back(batch);
                self.metadata_generation = u64::MAX;
                if self.topics[topic as usize].count > 0 {
                    // At once: what callers wrote to its partitions since may come next.
                    self.place_unassigned(now, topic as usize, outbox);
                }
            } else {
                self.enqueue(batch, outbox);
            }
        }
    }

    /// Why no batch of the topic is sent any more.
    pub(super) fn hopeless(&self, topic: u32) -> Option<Error> {
        self.fatal.clone().or_else(|| self.topics[topic as usize].refused.map(refusal))
    }

    pub(super) fn batch(&mut self, topic: u32, partition: i32, records: OpenBatch) -> Batch {
        self.next_batch += 1;
        Batch::new(self.next_batch, topic, partition, records, self.settings.delivery_timeout_us)
    }

    pub(super) fn enqueue(&mut self, batch: Batch, outbox: &mut Outbox) {
        let queue = self.queues.entry((batch.topic, batch.partition)).or_default();
        if self.codec != Codec::None {
            queue.compressing.insert(batch.id);
            let (codec, level) = (self.codec, self.settings.compression_level);
            // The tag finds the batch again: its id names it within its partition's queue.
            outbox.job(Job::Compress { tag: batch.id, codec, level, body: batch.original.clone(), out: Vec::new() });
        }
        queue.batches.push_back(batch);
    }

    pub fn computed(&mut self, _now: Now, computed: Computed) {
        let Computed::Compressed { tag, body, result } = computed else { return };
        drop(body);
        for queue in self.queues.values_mut() {
            if queue.compressing.remove(&tag) {
                let batch = queue.batches.iter_mut().find(|batch| batch.id == tag);
                // What cannot be compressed goes as it is.
                if let (Some(batch), Ok(bytes)) = (batch, result) {
                    batch.compressed(self.codec, bytes);
                }
                return;
            }
        }
    }

    /// Tells the accumulator of topics whose partitions became known or more, places what waited for them.
    fn follow_metadata(&mut self, now: Now, metadata: &mut Metadata, outbox: &mut Outbox) {
        if self.metadata_generation == metadata.generation() {
            return;
        }
        self.metadata_generation = metadata.generation();
        for number in 0..self.topics.len() {
            let topic = &mut self.topics[number];
            let Some(known) = metadata.topic(&topic.name) else { continue };
            if known.error != 0 {
                let gone =
                    !Error::broker(known.error).is_retriable() || self.unknown_for_too_long(now, number, metadata);
                if gone && self.topics[number].refused != Some(known.error) {
                    let (code, topic) = (known.error, &mut self.topics[number]);
                    topic.refused = Some(code);
                    topic.count = 0;
                    self.placements.push(Placement { topic: number as u32, target: Err(code) });
                    self.refuse_topic(now, number, code);
                }
                continue;
            }
            let leads = |index: &u32| known.partitions[*index as usize].leader.is_some();
            let available: Vec<u32> = (0..known.partitions.len() as u32).filter(leads).collect();
            self.names.insert(number as u32, TopicName { name: topic.name.clone(), id: known.topic_id });
            if known.partitions.len() > topic.count || available != topic.available || topic.refused.is_some() {
                topic.count = known.partitions.len();
                topic.available.clone_from(&available);
                topic.refused = None;
                let open = (0..topic.count).map(|_| OpenBatch::empty()).collect();
                self.placements.push(Placement { topic: number as u32, target: Ok(Partitions { open, available }) });
            }
            if !self.topics[number].unassigned.is_empty() {
                self.place_unassigned(now, number, outbox);
            }
        }
    }

    /// A topic that the brokers do not know may be one that was just made; after a while it is not.
    fn unknown_for_too_long(&self, now: Now, number: usize, metadata: &Metadata) -> bool {
        let limit_us = self.settings.connection.topic_metadata_propagation_max_us;
        metadata.watched_for_us(now, &self.topics[number].name).is_some_and(|watched_us| watched_us >= limit_us)
    }

    fn refuse_topic(&mut self, now: Now, number: usize, code: i16) {
        let error = refusal(code);
        let mut gone: Vec<Batch> = self.topics[number].unassigned.drain(..).collect();
        for (_, queue) in self.queues.iter_mut().filter(|((topic, _), _)| *topic == number as u32) {
            gone.extend(queue.batches.drain(..));
        }
        for batch in gone {
            self.end(now, batch, Err(error.clone()));
        }
    }

    fn place_unassigned(&mut self, now: Now, number: usize, outbox: &mut Outbox) {
        let waiting = std::mem::take(&mut self.topics[number].unassigned);
        for batch in waiting {
            let (placed, unknown) = placing::place(self, number, &batch);
            for batch in placed {
                self.enqueue(batch, outbox);
            }
            for unknown in unknown {
                self.end(now, unknown, Err(Error::new(Kind::UnknownPartition)));
            }
        }
    }

    fn expire(&mut self, now: Now, metadata: &Metadata, outbox: &mut Outbox) {
        let overdue = |batch: &Batch| batch.expires_us <= now.mono_us;
        let mut late: Vec<Batch> = Vec::new();
        for number in 0..self.topics.len() {
            let gone = self.topics[number].refused.is_none() && self.unknown_for_too_long(now, number, metadata);
            let topic = &mut self.topics[number];
            while topic.unassigned.front().is_some_and(overdue) {
                late.extend(topic.unassigned.pop_front());
            }
            if gone && topic.count == 0 {
                // Looked at again in the next turn, with the broker's answer at hand.
                self.metadata_generation = u64::MAX;
            }
        }
        for queue in self.queues.values_mut() {
            while queue.batches.front().is_some_and(overdue) {
                late.extend(queue.batches.pop_front());
            }
        }
        for batch in late {
            self.give_up(now, batch, Error::new(Kind::MessageTimedOut), outbox);
        }
    }

    fn ask_for_id(&mut self, now: Now, network: &mut Network, outbox: &mut Outbox) {
        let Some(ids) = &mut self.idempotence else { return };
        if ids.is_draining() {
            let open = |batch: &Batch| batch.sequenced.is_some();
            let waiting = self.queues.values().any(|queue| queue.batches.iter().any(open));
            if !waiting && self.sent.is_empty() {
                ids.drained();
            }
        }
        if ids.wants_id(now.mono_us) && self.fatal.is_none() {
            super::answers::ask_for_id(self, now, network, outbox);
        }
    }

    /// Sends, for each broker, requests of ready batches: one a partition, up to [`REQUEST_BYTES`].
    fn send(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        if self.fatal.is_some() {
            return;
        }
        let mut ready: BTreeMap<NodeId, Vec<(u32, i32)>> = BTreeMap::new();
        for ((number, partition), queue) in &self.queues {
            if !self.sendable(now, (*number, *partition), queue) {
                continue;
            }
            match metadata.leader(&self.topics[*number as usize].name, *partition) {
                // In flight to an old leader: what became of it must be known first, or the order is lost.
                Some((node, _)) if queue.in_flight > 0 && queue.node != Some(node) => {}
                Some((node, _)) => ready.entry(node).or_default().push((*number, *partition)),
                None => metadata.request_update(now),
            }
        }
        for (node, mut partitions) in ready {
            let first = self.random.below(partitions.len() as u32) as usize;
            partitions.rotate_left(first);
            while !partitions.is_empty() && self.requests_to(node) < self.pipeline() {
                let Some(connection) = network.ready(now, node, Lane::Produce) else { break };
                let batches = self.collect(now, &partitions, node);
                if batches.is_empty() {
                    break;
                }
                self.request(now, network, connection, node, batches, outbox);
                partitions.retain(|key| self.queues.get(key).is_some_and(|queue| self.sendable(now, *key, queue)));
            }
        }
    }

    fn pipeline(&self) -> usize {
        self.settings.connection.max_in_flight.clamp(1, PIPELINE)
    }

    fn requests_to(&self, node: NodeId) -> usize {
        self.sent.values().filter(|sent| sent.node == node).count()
    }

    fn sendable(&self, now: Now, partition: (u32, i32), queue: &Queue) -> bool {
        let pipelines = self.idempotence.as_ref().is_none_or(|ids| queue.in_flight == 0 || ids.pipelines(partition));
        pipelines
            && queue.batches.front().is_some_and(|batch| {
                // The broker knows the last five batches again: no new ones pass one whose outcome is not known.
                let passes = batch.attempts == 0 && queue.retried > 0 && self.idempotence.is_some();
                !passes
                    && batch.not_before_us <= now.mono_us
                    && !queue.compressing.contains(&batch.id)
                    && self.idempotence.as_ref().is_none_or(|ids| ids.allows(batch.sequenced))
            })
    }

    fn collect(&mut self, now: Now, partitions: &[(u32, i32)], node: NodeId) -> Vec<Batch> {
        let (mut batches, mut size): (Vec<Batch>, usize) = (Vec::new(), 0);
        for key in partitions {
            if !self.queues.get(key).is_some_and(|queue| self.sendable(now, *key, queue)) {
                continue;
            }
            let Some(queue) = self.queues.get_mut(key) else { continue };
            if queue.batches.front().is_some_and(|batch| size > 0 && size + batch.wire_size() > REQUEST_BYTES) {
                continue;
            }
            let Some(mut batch) = queue.batches.pop_front() else { continue };
            if let (Some(ids), None) = (&mut self.idempotence, batch.sequenced) {
                batch.sequence(ids.next(*key, batch.count));
            }
            size += batch.wire_size();
            queue.in_flight += 1;
            queue.node = Some(node);
            queue.retried += usize::from(batch.attempts > 0);
            batch.attempts += 1;
            batches.push(batch);
        }
        batches
    }

    fn request(
        &mut self,
        now: Now,
        network: &mut Network,
        connection: ConnectionId,
        node: NodeId,
        mut batches: Vec<Batch>,
        outbox: &mut Outbox,
    ) {
        let headers: Vec<_> = batches.iter_mut().map(Batch::header).collect();
        let by_id = batches.iter().all(|batch| self.names.get(&batch.topic).is_some_and(|name| name.id != Uuid::ZERO));
        let cap = if by_id { i16::MAX } else { BY_TOPIC_ID - 1 };
        let bodies: Vec<_> = batches.iter().map(|batch| batch.body.clone()).collect();
        let settings = &self.settings;
        let least_us = batches.iter().map(|batch| batch.expires_us.saturating_sub(now.mono_us)).min().unwrap_or(0);
        let timeout_us = settings.connection.socket_timeout_us.min(least_us.max(1000));
        self.next_request += 1;
        let (id, acks) = (self.next_request, settings.acks);
        let outcome = match network.version_up_to(connection, ApiKey::Produce, cap) {
            None => Err("The broker speaks no version of Produce that this client does".to_owned()),
            Some(version) => {
                let timeout_ms = settings.request_timeout_ms;
                let request = produce_request::request(acks, timeout_ms, version, &batches, &headers, &self.names);
                let sent = if acks == 0 {
                    let tag = Tag::Produce(id);
                    network.request_unanswered(now, connection, version, &request, tag, timeout_us, &bodies)
                } else {
                    network.request(now, connection, version, &request, Tag::Produce(id), timeout_us, &bodies)
                };
                sent.map_err(|error| error.to_string())
            }
        };
        match outcome {
            Ok(()) => {
                let named = |batch: &Batch| Some((batch.topic, self.names.get(&batch.topic)?.clone()));
                let names = batches.iter().filter_map(named).collect();
                self.sent.insert(id, Sent { batches, node, names });
            }
            Err(text) => {
                for batch in batches {
                    self.landed(&batch);
                    let error = Error::with_text(Kind::UnsupportedFeature, text.as_str());
                    self.give_up(now, batch, error, outbox);
                }
            }
        }
    }

    /// When the sender has something to do without a new input.
    pub fn deadline(&self, now: Now) -> Option<u64> {
        let fronts = self.queues.values().filter_map(|queue| queue.batches.front());
        let times = fronts.chain(self.topics.iter().filter_map(|topic| topic.unassigned.front()));
        let times =
            times.flat_map(|batch| [batch.expires_us, batch.not_before_us]).filter(|until| *until > now.mono_us);
        let id = match self.idempotence.as_ref().map(Idempotence::state) {
            Some(super::idempotence::State::Unset { not_before_us }) if not_before_us > now.mono_us => {
                Some(not_before_us)
            }
            _ => None,
        };
        let linger = self.linger_until_us.map(|until| until.max(now.mono_us + 1));
        let idle = self.idle_since_us.map(|since_us| since_us.saturating_add(IDLE_US).max(now.mono_us + 1));
        times.chain(linger).chain(idle).chain(id).min()
    }
}

/// What records of a topic fail with that the brokers refuse with this code.
fn refusal(code: i16) -> Error {
    const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    if code == UNKNOWN_TOPIC_OR_PARTITION { Error::new(Kind::UnknownTopic) } else { Error::broker(code) }
}
