//! The fetcher: its partitions as the assignment has them, and what each waits for.
//!
//! A partition here is of one fetch epoch (E17): assign and seek make a new one, and what was asked for the old one is
//! dropped when it comes.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;

use ottla_protocol::primitives::Uuid;
use ottla_protocol::records::BatchHeader;

use super::super::arena::Arena;
use super::super::batch::{Item, PartitionError};
use super::super::budget::{Budget, Origin};
use super::super::fetch_buffer::View;
use super::super::fetch_session::FetchSession;
use super::super::positions::StartOffset;
use super::offsets::StartWanted;
use super::readers::Told;
use super::sparse::Sparse;
use crate::client::Outbox;
use crate::config::{ConsumerSettings, Isolation, OffsetReset};
use crate::connection::backoff::Backoff;
use crate::connection::{Failure, Network, Tag};
use crate::error::{Error, Kind};
use crate::job::Computed;
use crate::machine::{Frame, NodeId, Now};
use crate::metadata::Metadata;
use crate::random::Random;

/// Records of a compressed batch, in bytes, beyond what a response may have: a limit for hostile data.
const DECOMPRESSED_FACTOR: usize = 4;

/// Free buffers that are kept for decompressed batches, and how large they may be.
const SPARE_BUFFERS: usize = 64;
const SPARE_CAPACITY: usize = 256 << 10;

/// What a partition does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its offset is to be asked for.
    Start(StartOffset),
    /// Its offset was asked for.
    Asking { from: StartOffset },
    /// It is read from this offset on.
    Fetch { offset: i64 },
    /// It reported an error that only the application can mend.
    Stopped,
}

/// What a partition got, in the order of its log; what waits for the work thread holds up what follows.
#[derive(Debug)]
pub(crate) enum Pending {
    Ready(Item),
    Decompressing { job: u64, header: BatchHeader, from: i64, second_try: bool, buffer_id: u64, bytes: usize },
}

/// One assigned partition in one fetch epoch.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) epoch: u64,
    pub(crate) paused: bool,
    pub(crate) phase: Phase,
    /// Not asked again before this time.
    pub(crate) retry_at_us: u64,
    pub(crate) backoff: Backoff,
    /// The leader epoch of the last batch, -1 before one.
    pub(crate) last_fetched_epoch: i32,
    /// The base offset of a batch that was bad once (E19).
    pub(crate) suspect: Option<i64>,
    /// The base offset of the last batch that was reported bad, for batches that cannot be stepped over at once.
    pub(crate) reported_bad: Option<i64>,
    /// The end that was last reported.
    pub(crate) eof_at: Option<i64>,
    /// The broker that it is read from now, in whose session it is or will be.
    pub(crate) reader: Option<NodeId>,
    /// What that broker was last told.
    pub(crate) told: Option<Told>,
    /// The replica that its leader named to read from (KIP-392), and until when.
    pub(crate) preferred: Option<(NodeId, u64)>,
    /// The high watermark, and the end of what may be read, as last told.
    pub(crate) end: Option<(i64, i64)>,
    /// The id of the topic that is read, zero before the first Fetch and where brokers have none.
    pub(crate) topic_id: Uuid,
    /// Since when the cluster does not know it.
    pub(crate) missing_since_us: Option<u64>,
    /// The error that was last reported, until something goes well.
    pub(crate) reported: Option<Kind>,
    pub(crate) pending: VecDeque<Pending>,
    /// Bytes that were fetched and not taken yet.
    pub(crate) held: usize,
    /// When it last had its turn: the least goes first in a Fetch.
    pub(crate) turn: u64,
}

impl Partition {
    fn new(view: &View, settings: &ConsumerSettings) -> Self {
        let connection = &settings.connection;
        Self {
            topic: Arc::clone(&view.topic),
            partition: view.partition,
            epoch: view.epoch,
            paused: view.paused,
            phase: if view.revoked { Phase::Stopped } else { Phase::Start(view.begin) },
            retry_at_us: 0,
            backoff: Backoff::new(connection.retry_backoff_us, connection.retry_backoff_max_us),
            last_fetched_epoch: -1,
            suspect: view.suspect,
            reported_bad: None,
            eof_at: None,
            reader: None,
            told: None,
            preferred: None,
            end: None,
            topic_id: Uuid::ZERO,
            missing_since_us: None,
            reported: None,
            pending: VecDeque::new(),
            held: 0,
            turn: 0,
        }
    }
}

/// What stays true of a partition that begins anew: what its broker was told, and told of it.
struct Standing {
    told: Option<Told>,
    end: Option<(i64, i64)>,
    preferred: Option<(NodeId, u64)>,
}

impl Standing {
    fn take(partition: &mut Partition) -> Self {
        let (end, preferred) = (partition.end, partition.preferred);
        Self { told: partition.told.take(), end, preferred }
    }

    fn put(self, partition: &mut Partition) {
        partition.told = self.told;
        partition.end = self.end;
        partition.preferred = self.preferred;
    }
}

/// A Fetch that was sent.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) node: NodeId,
    pub(crate) reserved: usize,
    /// It named all that is read from the broker.
    pub(crate) full: bool,
    /// The slots that it named, with their epochs.
    pub(crate) named: Vec<(usize, u64)>,
}

/// The *io* side of a consumer.
#[derive(Debug)]
pub struct Fetcher {
    pub(crate) settings: ConsumerSettings,
    pub(crate) random: Random,
    pub(crate) budget: Budget,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) flights: BTreeMap<u64, Flight>,
    /// What each broker is asked for.
    pub(crate) sessions: BTreeMap<NodeId, FetchSession>,
    /// Slots that are to be looked at: see `readers`.
    pub(crate) due: BTreeSet<usize>,
    /// Slots to look at when it is time.
    pub(crate) timers: BTreeSet<(u64, usize)>,
    /// Slots to look at once metadata is news.
    pub(crate) leaderless: BTreeSet<usize>,
    pub(crate) cluster_seen: u64,
    pub(crate) answers_seen: u64,
    /// Slots whose offsets are to be asked for.
    pub(crate) asking: BTreeSet<usize>,
    /// Epochs of the partitions of which something is held, and of those of which the broker has more.
    pub(crate) holding: BTreeSet<u64>,
    pub(crate) lagging: BTreeSet<u64>,
    /// How many are paused.
    paused: usize,
    /// Partitions whose offsets were asked for.
    pub(crate) queries: BTreeMap<u64, Vec<(usize, u64)>>,
    /// Partitions whose committed offsets are to be looked up.
    pub(crate) starts: Vec<StartWanted>,
    /// Which partition a batch belongs to that is being decompressed.
    pub(crate) jobs: BTreeMap<u64, (usize, u64)>,
    pub(crate) next_tag: u64,
    pub(crate) next_turn: u64,
    /// Ready for the fetch buffer: slot, epoch, item.
    pub(crate) outgoing: VecDeque<(usize, u64, Item)>,
    /// News for the fetch buffer: slot, epoch, low and high watermark.
    pub(crate) watermarks: Vec<(usize, u64, i64, i64)>,
    /// Slots to start anew by the policy, for their log was truncated: slot, epoch, start.
    pub(crate) restarts: Vec<(usize, u64, StartOffset)>,
    /// Taken out of the fetch buffer, to be dropped outside the lock.
    pub(crate) collected: Vec<Item>,
    /// The assignment as last seen, and whether it is news.
    pub(crate) views: Vec<View>,
    pub(crate) views_changed: bool,
    /// Single slots that changed: theirs, and how they are now.
    pub(crate) view_changes: Vec<(usize, View)>,
    /// Slots by their epochs, which no two share.
    by_epoch: BTreeMap<u64, usize>,
    watched: BTreeSet<Arc<str>>,
    /// More room for the fetch buffer's queues.
    pub(crate) larger: Option<Arena>,
    pub(crate) wants_larger: Option<usize>,
    /// What the buffer's queues stood in before, to be dropped outside the lock.
    pub(crate) retired: Option<Arena>,
    /// A Fetch waits for the budget; whether the fetch buffer knows.
    pub(crate) waits: bool,
    pub(crate) told: bool,
    /// The fetch buffer is full: it wakes *io* when it is not any more.
    pub(crate) blocked: bool,
    pub(crate) sparse: Sparse,
    /// Buffers for decompressed batches.
    pub(crate) spare: Vec<Vec<u8>>,
}

impl Fetcher {
    /// A fetcher without partitions; `seed` is the source of its jitter.
    pub fn new(settings: &ConsumerSettings, seed: u64) -> Self {
        Self {
            settings: settings.clone(),
            random: Random::new(seed),
            budget: Budget::new(settings.queued_max_bytes),
            partitions: Vec::new(),
            flights: BTreeMap::new(),
            sessions: BTreeMap::new(),
            due: BTreeSet::new(),
            timers: BTreeSet::new(),
            leaderless: BTreeSet::new(),
            cluster_seen: 0,
            answers_seen: 0,
            asking: BTreeSet::new(),
            holding: BTreeSet::new(),
            lagging: BTreeSet::new(),
            paused: 0,
            queries: BTreeMap::new(),
            starts: Vec::new(),
            jobs: BTreeMap::new(),
            next_tag: 0,
            next_turn: 0,
            outgoing: VecDeque::new(),
            watermarks: Vec::new(),
            restarts: Vec::new(),
            collected: Vec::with_capacity(super::exchange::HOLD),
            views: Vec::new(),
            views_changed: false,
            view_changes: Vec::with_capacity(super::exchange::HOLD),
            by_epoch: BTreeMap::new(),
            watched: BTreeSet::new(),
            larger: None,
            wants_larger: None,
            retired: None,
            waits: false,
            told: false,
            blocked: false,
            sparse: Sparse::new(),
            spare: Vec::new(),
        }
    }

    /// Sends what can be sent; call it after every input.
    pub fn advance(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        if mem::take(&mut self.views_changed) {
            self.follow_assignment(now, metadata);
        }
        self.follow_changes();
        self.drop_collected(outbox);
        self.retired = None;
        self.budget.adapt();
        if let Some(size) = self.wants_larger.take() {
            self.larger = Some(Arena::new(size));
        }
        self.place(now, network, metadata, outbox);
        self.send_queries(now, network, metadata);
        self.send_fetches(now, network, metadata);
        self.copy_sparse();
    }

    /// Rebuilds the partitions; those whose epoch is the same go on, in their new places.
    fn follow_assignment(&mut self, now: Now, metadata: &mut Metadata) {
        let mut before: BTreeMap<u64, Partition> =
            mem::take(&mut self.partitions).into_iter().map(|partition| (partition.epoch, partition)).collect();
        // What brokers were told stays true of a partition that begins anew.
        let mut standing: BTreeMap<(Arc<str>, i32), Standing> = BTreeMap::new();
        for partition in before.values_mut() {
            standing.insert((Arc::clone(&partition.topic), partition.partition), Standing::take(partition));
        }
        for session in self.sessions.values_mut() {
            session.wanted.clear();
            session.changed.clear();
        }
        let mut topics = BTreeSet::new();
        self.by_epoch.clear();
        self.paused = 0;
        for (slot, view) in self.views.iter().enumerate() {
            let mut partition = before.remove(&view.epoch).unwrap_or_else(|| Partition::new(view, &self.settings));
            if let Some(standing) = standing.remove(&(Arc::clone(&view.topic), view.partition)) {
                standing.put(&mut partition);
            }
            partition.reader = None;
            partition.paused = view.paused;
            self.paused += usize::from(view.paused);
            self.partitions.push(partition);
            self.by_epoch.insert(view.epoch, slot);
            topics.insert(Arc::clone(&view.topic));
        }
        for topic in topics.difference(&self.watched) {
            metadata.watch(now, topic);
        }
        for topic in self.watched.difference(&topics) {
            metadata.unwatch(topic);
        }
        self.watched = topics;
        for partition in before.into_values() {
            self.let_go(partition);
        }
        for ((topic, partition), standing) in standing {
            if let Some(told) = standing.told
                && let Some(session) = self.sessions.get_mut(&told.node)
            {
                session.leave(usize::MAX, Some((topic, told.topic_id, partition)));
            }
        }
        self.timers.clear();
        self.leaderless.clear();
        self.asking.clear();
        self.due = (0..self.partitions.len()).collect();
        self.follow_moves();
    }

    /// Takes over what changed of single partitions; one in a new epoch starts anew.
    fn follow_changes(&mut self) {
        let mut restarted = false;
        let mut changes = mem::take(&mut self.view_changes);
        for (slot, view) in changes.drain(..) {
            let Some(partition) = self.partitions.get_mut(slot) else { continue };
            self.due.insert(slot);
            self.paused = (self.paused + usize::from(view.paused)).saturating_sub(usize::from(partition.paused));
            if partition.epoch == view.epoch {
                partition.paused = view.paused;
                continue;
            }
            restarted = true;
            let standing = Standing::take(partition);
            let reader = partition.reader;
            let before = mem::replace(partition, Partition::new(&view, &self.settings));
            standing.put(partition);
            partition.reader = reader;
            self.by_epoch.remove(&before.epoch);
            self.by_epoch.insert(view.epoch, slot);
            self.let_go(before);
        }
        // Its room is used again.
        self.view_changes = changes;
        if restarted {
            self.follow_moves();
        }
    }

    /// What is meant for a slot finds it by its epoch, and is dropped where that is over.
    fn follow_moves(&mut self) {
        let by_epoch = &self.by_epoch;
        let moved = |slot: &mut usize, epoch: u64| match by_epoch.get(&epoch) {
            Some(now) => {
                *slot = *now;
                true
            }
            None => false,
        };
        self.jobs.retain(|_, (slot, epoch)| moved(slot, *epoch));
        self.watermarks.retain_mut(|(slot, epoch, ..)| moved(slot, *epoch));
        self.restarts.retain_mut(|(slot, epoch, _)| moved(slot, *epoch));
        for asked in self.queries.values_mut() {
            asked.retain_mut(|(slot, epoch)| moved(slot, *epoch));
        }
        for flight in self.flights.values_mut() {
            flight.named.retain_mut(|(slot, epoch)| moved(slot, *epoch));
        }
        for (mut slot, epoch, item) in mem::take(&mut self.outgoing) {
            if moved(&mut slot, epoch) {
                self.outgoing.push_back((slot, epoch, item));
            } else {
                self.collected.push(item);
            }
        }
    }

    /// Lets go of what waits for the work thread, or behind it, in a partition that is over.
    fn let_go(&mut self, partition: Partition) {
        self.holding.remove(&partition.epoch);
        self.lagging.remove(&partition.epoch);
        for pending in partition.pending {
            match pending {
                Pending::Ready(item) => self.collected.push(item),
                Pending::Decompressing { buffer_id, bytes, .. } => self.budget.done(buffer_id, bytes),
            }
        }
    }

    /// Lets go of what was taken, and of the buffers that nobody needs any more.
    fn drop_collected(&mut self, outbox: &mut Outbox) {
        for item in self.collected.drain(..) {
            if let Item::Batch(batch) = item {
                let bytes = batch.bytes as usize;
                self.budget.done(batch.buffer_id, bytes);
                let slot = self.by_epoch.get(&batch.epoch).and_then(|slot| self.partitions.get_mut(*slot));
                if let Some(partition) = slot {
                    partition.held = partition.held.saturating_sub(bytes);
                    if partition.held == 0 {
                        self.holding.remove(&batch.epoch);
                    }
                }
            }
        }
        let spare = &mut self.spare;
        self.budget.release(|buffer, origin| {
            if origin == Origin::Own && spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_CAPACITY {
                spare.push(buffer);
            } else if origin == Origin::Response {
                outbox.recycle(buffer);
            }
        });
    }

    /// Where the partition of a fetch epoch is.
    pub(crate) fn slot_of(&self, epoch: u64) -> Option<usize> {
        self.by_epoch.get(&epoch).copied()
    }

    pub(crate) fn current(&mut self, slot: usize, epoch: u64) -> Option<&mut Partition> {
        self.partitions.get_mut(slot).filter(|partition| partition.epoch == epoch)
    }

    /// A request was lost: its partitions are asked for again.
    pub fn failure(&mut self, now: Now, failure: Failure, metadata: &mut Metadata, _outbox: &mut Outbox) {
        match failure.tag {
            Tag::Fetch(tag) => {
                let Some(flight) = self.landed(tag) else { return };
                // One that a follower did not answer is asked of the leader.
                for (slot, _) in &flight.named {
                    if let Some(partition) = self.partitions.get_mut(*slot) {
                        partition.preferred = None;
                    }
                }
                self.leave_alone(now, flight.node);
            }
            Tag::ListOffsets(tag) => {
                for (slot, epoch) in self.queries.remove(&tag).unwrap_or_default() {
                    self.ask_again(now, slot, epoch);
                }
            }
            _ => return,
        }
        metadata.request_update(now);
    }

    /// Leaves a partition alone for a while.
    pub(crate) fn back_off(&mut self, now: Now, slot: usize, epoch: u64) {
        let Self { partitions, random, .. } = self;
        if let Some(partition) = partitions.get_mut(slot).filter(|partition| partition.epoch == epoch) {
            partition.retry_at_us = now.mono_us.saturating_add(partition.backoff.failed(random));
            self.due.insert(slot);
        }
    }

    /// A job of the work thread is done.
    pub fn computed(&mut self, _now: Now, computed: Computed, outbox: &mut Outbox) {
        let Computed::Decompressed { tag, frame, result } = computed else { return };
        drop(frame);
        let Some((slot, epoch)) = self.jobs.remove(&tag) else {
            if let Ok(buffer) = result {
                outbox.recycle(buffer);
            }
            return;
        };
        self.decompressed(slot, epoch, tag, result);
    }

    /// The partition reports an error, in the order of its log.
    pub(crate) fn report(&mut self, slot: usize, epoch: u64, offset: i64, error: Error) {
        let Some(partition) = self.current(slot, epoch) else { return };
        let (topic, number) = (Arc::clone(&partition.topic), partition.partition);
        let item = Item::Error(Box::new(PartitionError { topic, partition: number, offset, error }));
        partition.pending.push_back(Pending::Ready(item));
        self.hand_out(slot);
    }

    /// Moves what is ready of a partition towards the fetch buffer.
    pub(crate) fn hand_out(&mut self, slot: usize) {
        let Some(partition) = self.partitions.get_mut(slot) else { return };
        while let Some(Pending::Ready(_)) = partition.pending.front() {
            if let Some(Pending::Ready(item)) = partition.pending.pop_front() {
                self.outgoing.push_back((slot, partition.epoch, item));
            }
        }
    }

    pub(crate) fn any_paused(&self) -> bool {
        self.paused > 0
    }

    pub(crate) fn read_committed(&self) -> bool {
        self.settings.isolation == Isolation::ReadCommitted
    }

    pub(crate) fn policy(&self) -> OffsetReset {
        self.settings.auto_offset_reset
    }

    /// A limit for the records of one compressed batch, in bytes.
    pub(crate) fn decompressed_limit(&self) -> usize {
        self.settings.connection.receive_message_max_bytes.saturating_mul(DECOMPRESSED_FACTOR)
    }

    /// A buffer for a response that is much smaller than the one it came in: that one goes back at once (E15).
    pub(crate) fn right_sized(&mut self, frame: Frame, outbox: &mut Outbox) -> Frame {
        if frame.as_slice().len() >= frame.capacity() / 4 {
            return frame;
        }
        let small = Frame::new(frame.as_slice().to_vec());
        if let Some(buffer) = frame.into_buffer() {
            outbox.recycle(buffer);
        }
        small
    }

    /// When `advance` has something to do by time alone.
    pub fn next_deadline(&self, now: Now) -> Option<u64> {
        self.timers.first().map(|(at_us, _)| (*at_us).max(now.mono_us + 1))
    }
}
