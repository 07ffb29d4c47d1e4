//! What the caller's thread and *io* share of a consumer, under one short lock (E6): the assignment, what was fetched,
//! and the positions.
//!
//! Calls of the application act here at once; *io* follows at its next exchange, told by a partition's fetch epoch (E17):
//! whatever was fetched for another epoch is dropped. Nothing is dropped here: finished buffers go to the list `done`, which
//! the fetcher takes out. Records are taken in `take`, assignments change in `assigning`, what is to be committed stands in
//! `stored`; what to fetch is the fetcher's.
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use super::arena::{Arena, List};
use super::assigning::Aside;
use super::batch::{Batch, Item, PartitionError};
use super::positions::{Assigned, OFFSET_INVALID, StartOffset};
use super::stored::{Hold, Stored};
use crate::config::ConsumerSettings;
use crate::error::{Error, Kind};

/// Nodes for what waits at first, and at most; what does not fit waits with the fetcher.
const LEAST_NODES: usize = 256;
pub(crate) const MOST_NODES: usize = 4096;
/// Slots whose changes are told to the fetcher one by one; with more, or another assignment, it looks at all.
const MOST_CHANGED: usize = 64;

/// One assigned partition.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) topic: u32,
    pub(crate) name: Arc<str>,
    pub(crate) partition: i32,
    /// E17: what was fetched for another epoch is not handed over.
    pub(crate) epoch: u64,
    /// As `assignment()` shows it.
    pub(crate) assigned: StartOffset,
    /// Where the fetcher begins this epoch.
    pub(crate) begin: StartOffset,
    /// The base offset of a batch whose records were found bad: it is fetched once more (E19).
    pub(crate) suspect: Option<i64>,
    pub(crate) paused: bool,
    /// Given up: nothing more is fetched or handed over, but its offsets can be committed until it is unassigned.
    pub(crate) revoked: bool,
    /// It is another's already: nothing of it is committed.
    pub(crate) lost: bool,
    /// Among `ready`.
    pub(crate) ready: bool,
    pub(crate) queue: List,
    /// Bytes of the batches in `queue`.
    pub(crate) queued_bytes: usize,
    /// The offset behind the last record that was handed over since the last assign or seek.
    pub(crate) position: Option<i64>,
    pub(crate) position_epoch: i32,
    /// Where to go on if all in `queue` were dropped; `None` until the first batch of a logical start.
    pub(crate) resume: Option<i64>,
    /// The log's start and the high watermark as the last Fetch response told them.
    pub(crate) watermarks: Option<(i64, i64)>,
    /// What was stored, where that is not the position: see `stored`.
    pub(crate) stored: Option<Stored>,
    /// Calls that took records behind `stored` and have not returned them yet; the last of them.
    pub(crate) holds: u32,
    pub(crate) holder: u64,
    /// The offset and leader epoch that are known to be committed.
    pub(crate) committed: Option<(i64, i32)>,
}

/// A partition's position as confluent shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// -1001 before the first record was handed over.
    pub offset: i64,
    /// Of the last record handed over, `None` where it is not known.
    pub leader_epoch: Option<i32>,
}

/// What the fetcher has to know of a slot.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) epoch: u64,
    pub(crate) begin: StartOffset,
    pub(crate) suspect: Option<i64>,
    pub(crate) paused: bool,
    pub(crate) revoked: bool,
}

/// See the module.
#[derive(Debug)]
pub struct FetchBuffer {
    pub(crate) slots: Vec<Slot>,
    pub(crate) topics: Vec<Arc<str>>,
    /// What is remembered of partitions that are not assigned.
    pub(crate) aside: Vec<Aside>,
    pub(crate) arena: Arena,
    /// Slots that have something to take and are not paused, in turn; without the one that is being taken from.
    pub(crate) ready: VecDeque<u32>,
    /// The batch that is being taken from, and its slot.
    pub(crate) current: Option<Batch>,
    pub(crate) current_slot: u32,
    /// Finished or outdated: the fetcher takes it out and drops it.
    pub(crate) done: List,
    /// Bytes that went to `done` since the fetcher last looked.
    pub(crate) done_bytes: usize,
    /// Wake *io* when this many bytes went to `done`; `usize::MAX` while it does not wait for any.
    pub(crate) wake_bytes: usize,
    pub(crate) wake: bool,
    /// A take found nothing since the fetcher last looked.
    pub(crate) starved: bool,
    /// How many slots are paused.
    pub(crate) paused: usize,
    /// Paused slots may hold more than before (E14).
    pub(crate) paused_grew: bool,
    /// Slots that changed since the fetcher last looked; all of them did if `reassigned`.
    pub(crate) changed: Vec<u32>,
    pub(crate) reassigned: bool,
    next_epoch: u64,
    /// Room for the fetcher's view of the slots, made by who assigned.
    pub(crate) spare_views: Vec<View>,
    /// An offset is stored when its record is handed over.
    pub(crate) store_on_handover: bool,
    /// What calls have taken and not handed over yet, in the order of their first takes.
    pub(crate) holds: Vec<Hold>,
    /// The application took, or tried to, since *io* last looked.
    pub(crate) polled: bool,
    /// Callers that wait for records.
    pub(crate) waiting: u32,
}

impl FetchBuffer {
    /// A buffer without an assignment.
    pub fn new(settings: &ConsumerSettings) -> Self {
        Self {
            slots: Vec::new(),
            topics: Vec::with_capacity(16),
            aside: Vec::new(),
            arena: Arena::new(LEAST_NODES),
            ready: VecDeque::new(),
            current: None,
            current_slot: u32::MAX,
            done: List::new(),
            done_bytes: 0,
            wake_bytes: usize::MAX,
            wake: false,
            starved: false,
            paused: 0,
            paused_grew: false,
            changed: Vec::with_capacity(MOST_CHANGED),
            reassigned: false,
            next_epoch: 1,
            spare_views: Vec::new(),
            store_on_handover: settings.store_on_handover,
            holds: Vec::new(),
            polled: false,
            waiting: 0,
        }
    }

    /// Appends what is assigned, sorted by topic and partition, with the start that was asked for.
    pub fn assignment(&self, out: &mut Vec<Assigned>) {
        out.extend(self.slots.iter().map(|slot| Assigned {
            topic: Arc::clone(&slot.name),
            partition: slot.partition,
            start: slot.assigned,
        }));
    }

    /// How many partitions are assigned.
    pub fn assigned(&self) -> usize {
        self.slots.len()
    }

    /// Goes on at `start` with the next take.
    ///
    /// # Errors
    /// `Kind::State` where the partition is not assigned, `Kind::UnknownPartition` where its topic never was,
    /// `Kind::InvalidArgument` for `Stored`, as in the original.
    pub fn seek(&mut self, topic: &str, partition: i32, start: StartOffset) -> Result<(), Kind> {
        let Some(index) = self.find(topic, partition) else { return Err(self.not_assigned(topic)) };
        if start == StartOffset::Stored {
            return Err(Kind::InvalidArgument);
        }
        self.restart(index, start, None);
        self.keep_stored(index);
        let slot = &mut self.slots[index];
        slot.position = None;
        slot.position_epoch = -1;
        Ok(())
    }

    /// Hands over nothing more of the partition until it is resumed; what was fetched is kept, within limits. It stays so
    /// over assignments, as in the original, also where it is assigned later. Returns whether it is assigned.
    pub fn pause(&mut self, topic: &str, partition: i32) -> bool {
        let Some(index) = self.find(topic, partition) else {
            self.pause_aside(topic, partition, true);
            return false;
        };
        if self.slots[index].paused {
            return true;
        }
        if self.current_slot as usize == index {
            self.put_back();
        }
        let slot = &mut self.slots[index];
        slot.paused = true;
        self.paused += 1;
        self.paused_grew = true;
        if mem::take(&mut slot.ready) {
            self.ready.retain(|&ready| ready as usize != index);
        }
        self.changed(index);
        true
    }

    /// Hands over the partition's records again. Returns whether it is assigned.
    pub fn resume(&mut self, topic: &str, partition: i32) -> bool {
        let Some(index) = self.find(topic, partition) else {
            self.pause_aside(topic, partition, false);
            return false;
        };
        if mem::take(&mut self.slots[index].paused) {
            self.paused = self.paused.saturating_sub(1);
            self.make_ready(index);
            self.changed(index);
        }
        true
    }

    /// The position: -1001 where nothing was handed over since the last assign or seek, or the partition is not assigned.
    pub fn position(&self, topic: &str, partition: i32) -> Position {
        let slot = self.find(topic, partition).map(|index| &self.slots[index]);
        match slot.and_then(|slot| Some((slot.position?, slot.position_epoch))) {
            Some((offset, epoch)) => Position { offset, leader_epoch: (epoch >= 0).then_some(epoch) },
            None => Position { offset: OFFSET_INVALID, leader_epoch: None },
        }
    }

    /// Low and high watermark as of the last Fetch response, also of a partition that is no more assigned, as in the
    /// original; -1001 both where there was none.
    pub fn watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        let found = match self.find(topic, partition) {
            Some(index) => self.slots[index].watermarks,
            None => self.aside(topic, partition).and_then(|aside| aside.watermarks),
        };
        found.unwrap_or((OFFSET_INVALID, OFFSET_INVALID))
    }

    /// The topic of an index in a taken record; the same for the life of the client.
    pub fn topic_name(&self, index: u32) -> Option<&Arc<str>> {
        self.topics.get(index as usize)
    }

    /// Whether a record or an error is there to be taken.
    #[inline]
    pub fn has_records(&self) -> bool {
        self.current.is_some() || !self.ready.is_empty()
    }

    /// Whether what was taken of this partition at `epoch` may still be handed over (E17).
    pub fn is_current(&self, topic: u32, partition: i32, epoch: u64) -> bool {
        let slot = self.topic_name(topic).and_then(|name| self.find(name, partition));
        slot.is_some_and(|slot| self.slots[slot].epoch == epoch)
    }

    /// Whether *io* has to be woken for what was just done: ask in every hold, after the last call. Asking resets it.
    #[inline]
    pub fn take_wake(&mut self) -> bool {
        mem::take(&mut self.wake)
    }

    /// Where the slot of a partition is.
    pub(crate) fn find(&self, topic: &str, partition: i32) -> Option<usize> {
        let order = |slot: &Slot| (*slot.name).cmp(topic).then(slot.partition.cmp(&partition));
        self.slots.binary_search_by(order).ok()
    }

    pub(crate) fn view(slot: &Slot) -> View {
        View {
            topic: Arc::clone(&slot.name),
            partition: slot.partition,
            epoch: slot.epoch,
            begin: slot.begin,
            suspect: slot.suspect,
            paused: slot.paused,
            revoked: slot.revoked,
        }
    }

    /// Drops what was fetched of a slot and begins a new epoch.
    pub(crate) fn restart(&mut self, index: usize, begin: StartOffset, suspect: Option<i64>) {
        if self.current_slot as usize == index {
            self.retire_current();
        }
        let epoch = self.fresh_epoch();
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.epoch = epoch;
        slot.begin = begin;
        slot.suspect = suspect;
        slot.resume = offset_of(begin);
        self.done_bytes += mem::take(&mut slot.queued_bytes);
        if mem::take(&mut slot.ready) {
            self.ready.retain(|&ready| ready as usize != index);
        }
        self.arena.append(&mut slot.queue, &mut self.done);
        self.changed(index);
    }

    /// Adds to the end of a slot. An item of an old epoch, or one that does not fit, comes back.
    pub(crate) fn push(&mut self, index: usize, epoch: u64, item: Item) -> Result<(), Refused> {
        let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.epoch == epoch) else {
            return Err(Refused::Outdated(item));
        };
        let bytes = item.bytes();
        let from = if let Item::Batch(batch) = &item { Some(batch.from) } else { None };
        self.arena.push_back(&mut slot.queue, item).map_err(Refused::Full)?;
        slot.queued_bytes += bytes;
        slot.resume = slot.resume.or(from);
        self.paused_grew |= slot.paused;
        self.make_ready(index);
        Ok(())
    }

    /// Lets a slot be taken from if there is anything to take.
    pub(crate) fn make_ready(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !slot.paused && !slot.ready && !slot.queue.is_empty() && self.current_slot as usize != index {
            slot.ready = true;
            // Room for every slot was made with the assignment.
            self.ready.push_back(index as u32);
        }
    }

    /// Ends with the batch that is being taken from; its slot goes to the end of the line.
    pub(crate) fn retire_current(&mut self) {
        let Some(batch) = self.current.take() else { return };
        self.done_bytes += batch.bytes as usize;
        // The node that it came from was kept back.
        self.arena.push_front(&mut self.done, Item::Batch(batch));
        let index = mem::replace(&mut self.current_slot, u32::MAX) as usize;
        self.make_ready(index);
        if self.done_bytes >= self.wake_bytes {
            self.wake_bytes = usize::MAX;
            self.wake = true;
        }
    }

    /// Puts the batch that is being taken from back to the front of its slot, as far as it is taken.
    fn put_back(&mut self) {
        let index = mem::replace(&mut self.current_slot, u32::MAX) as usize;
        if let (Some(batch), Some(slot)) = (self.current.take(), self.slots.get_mut(index)) {
            slot.queued_bytes += batch.bytes as usize;
            self.arena.push_front(&mut slot.queue, Item::Batch(batch));
        }
    }

    pub(crate) fn retire_all(&mut self) {
        self.retire_current();
        for slot in &mut self.slots {
            self.done_bytes += mem::take(&mut slot.queued_bytes);
            self.arena.append(&mut slot.queue, &mut self.done);
        }
    }

    fn changed(&mut self, index: usize) {
        if self.changed.len() < self.changed.capacity() {
            self.changed.push(index as u32);
        } else {
            self.reassigned = true;
        }
        self.wake = true;
    }

    /// Why a call that needs an assigned partition is refused: as in the original, a topic that was never seen has none.
    pub(crate) fn not_assigned(&self, topic: &str) -> Kind {
        if self.topics.iter().any(|known| **known == *topic) { Kind::State } else { Kind::UnknownPartition }
    }

    pub(crate) fn fresh_epoch(&mut self) -> u64 {
        self.next_epoch += 1;
        self.next_epoch
    }

    /// The index of a topic; a new one may grow the table, once in the life of the client.
    pub(crate) fn topic_index(&mut self, topic: &Arc<str>) -> u32 {
        match self.topics.iter().position(|known| known == topic) {
            Some(index) => index as u32,
            None => {
                self.topics.push(Arc::clone(topic));
                self.topics.len() as u32 - 1
            }
        }
    }
}

/// Why the buffer gave an item back.
#[derive(Debug)]
pub(crate) enum Refused {
    Outdated(Item),
    Full(Item),
}

/// The offset that a start is, if it is one.
pub(crate) fn offset_of(start: StartOffset) -> Option<i64> {
    if let StartOffset::Offset(offset) = start { Some(offset) } else { None }
}

/// Text and offsets of an error about a bad record.
pub(crate) fn bad_records(
    topic: &Arc<str>,
    partition: i32,
    batch: &Batch,
    at: i64,
    cause: &str,
) -> Box<PartitionError> {
    let last = batch.next_offset.wrapping_sub(1);
    let text = format!(
        "{topic} [{partition}]: bad record at offset {at} in the batch of offsets {} to {last}, fetched twice: {cause}; going on at offset {}",
        batch.base_offset, batch.next_offset
    );
    let error = Error::with_text(Kind::BadMessage, text);
    Box::new(PartitionError { topic: Arc::clone(topic), partition, offset: at, error })
}
