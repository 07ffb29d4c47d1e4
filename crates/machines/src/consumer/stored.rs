//! Which offsets are to be committed: what the application stored, or was handed (`enable.auto.offset.store`).
//!
//! An offset is stored when its record is handed over, so what is stored is the position: nothing is written per record. It
//! is a value of its own where the application stores offsets itself, after a seek, and while calls have taken records that they
//! have not returned: a commit never runs ahead of what was given. Sending commits is left to `commits`.
use std::mem;
use std::sync::Arc;

use super::fetch_buffer::{FetchBuffer, Slot};
use super::positions::OFFSET_INVALID;
use crate::error::Kind;
use crate::group::StoredOffset;

/// A stored offset: that of the next record to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) offset: i64,
    /// Of the record before it, -1 where it is not known.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Option<Arc<str>>,
}

/// A call has taken records of a partition and not returned them yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    call: u64,
    slot: u32,
    pub(crate) topic: u32,
    pub(crate) partition: i32,
    /// The position before its first take: what comes behind may not be committed. `None` where nothing was taken before.
    from: Option<i64>,
    leader_epoch: i32,
}

impl Slot {
    /// What is stored, with its leader epoch and metadata.
    fn stored(&self, store_on_handover: bool) -> Option<(i64, i32, Option<&Arc<str>>)> {
        match self.position {
            _ if self.lost => None,
            Some(position) if store_on_handover && self.holds == 0 => Some((position, self.position_epoch, None)),
            _ => self.stored.as_ref().map(|stored| (stored.offset, stored.leader_epoch, stored.metadata.as_ref())),
        }
    }

    /// Keeps what is stored while the position moves on without it.
    #[inline]
    pub(crate) fn keep_stored(&mut self, store_on_handover: bool) {
        if let Some(position) = self.position.filter(|_| store_on_handover && self.holds == 0) {
            self.stored = Some(Stored { offset: position, leader_epoch: self.position_epoch, metadata: None });
        }
    }

    /// `call` takes its first records, or its first since another call did. There is room for a hold of each slot, made with
    /// the assignment; only calls that take at once make the list grow.
    pub(crate) fn hold(&mut self, index: u32, call: u64, holds: &mut Vec<Hold>) {
        self.holder = call;
        let (topic, partition) = (self.topic, self.partition);
        let known = |hold: &Hold| hold.call == call && (hold.topic, hold.partition) == (topic, partition);
        if self.holds > 0 && holds.iter().any(known) {
            return;
        }
        self.keep_stored(true);
        self.holds += 1;
        holds.push(Hold {
            call,
            slot: index,
            topic,
            partition,
            from: self.position,
            leader_epoch: self.position_epoch,
        });
    }

    /// A call has returned what it held; `first` is the hold of another that is the oldest of this slot now.
    fn let_go(&mut self, first: Option<&Hold>) {
        self.holds = self.holds.saturating_sub(1);
        let Some(Hold { from: Some(offset), leader_epoch, .. }) = first.copied() else { return };
        if self.stored.as_ref().is_none_or(|stored| stored.offset < offset) {
            self.stored = Some(Stored { offset, leader_epoch, metadata: None });
        }
    }

    /// What a commit takes: what is stored if it is ahead of what is known to be committed, else -1001. A later leader epoch
    /// is ahead whatever its offset: the log was cut back (KIP-320).
    fn uncommitted(&self, store_on_handover: bool) -> StoredOffset {
        let due = self.stored(store_on_handover).filter(|&(offset, leader_epoch, _)| {
            self.committed.is_none_or(|(committed, epoch)| {
                if leader_epoch >= 0 && epoch >= 0 && leader_epoch != epoch {
                    leader_epoch > epoch
                } else {
                    offset > committed
                }
            })
        });
        self.offset_of(due)
    }

    /// What is committed when the partition leaves: what is stored unless it lies behind what is committed. As in the
    /// original an offset that is committed already is so once more, and `on_commit` told.
    pub(crate) fn last_offset(&self, store_on_handover: bool) -> StoredOffset {
        let due = self.uncommitted(store_on_handover);
        if due.offset != OFFSET_INVALID {
            return due;
        }
        let again = |&(offset, ..): &(i64, i32, _)| self.committed.is_some_and(|(committed, _)| committed == offset);
        self.offset_of(self.stored(store_on_handover).filter(again))
    }

    fn offset_of(&self, stored: Option<(i64, i32, Option<&Arc<str>>)>) -> StoredOffset {
        let (offset, leader_epoch, metadata) = stored.unwrap_or((OFFSET_INVALID, -1, None));
        let (topic, partition) = (Arc::clone(&self.name), self.partition);
        StoredOffset { topic, partition, offset, leader_epoch, metadata: metadata.map(Arc::clone) }
    }
}

impl FetchBuffer {
    /// Stores an offset to be committed. The metadata that it replaces is left in `given`, to be dropped without the lock.
    ///
    /// # Errors
    /// `Kind::State` where the partition is not assigned, `Kind::UnknownPartition` where its topic never was.
    pub fn store(&mut self, given: &mut StoredOffset) -> Result<(), Kind> {
        let Some(index) = self.find(&given.topic, given.partition) else {
            return Err(self.not_assigned(&given.topic));
        };
        let slot = &mut self.slots[index];
        let metadata = given.metadata.take();
        let stored =
            (given.offset >= 0).then_some(Stored { offset: given.offset, leader_epoch: given.leader_epoch, metadata });
        given.metadata = mem::replace(&mut slot.stored, stored).and_then(|before| before.metadata);
        Ok(())
    }

    /// What this call took by `take_many` has reached the application: it counts as stored from now on, up to what other
    /// calls hold. Call it when all that was taken is handed over, in the hold of the last take or after.
    pub fn handed_over(&mut self, call: u64) {
        // From behind: the newest holds are this call's, mostly.
        for at in (0..self.holds.len()).rev() {
            if self.holds[at].call == call {
                let hold = self.holds.remove(at);
                self.let_go(hold);
            }
        }
    }

    fn let_go(&mut self, hold: Hold) {
        let same = |topic: u32, partition: i32| (topic, partition) == (hold.topic, hold.partition);
        let there = self.slots.get(hold.slot as usize).is_some_and(|slot| same(slot.topic, slot.partition));
        let index = if there {
            Some(hold.slot as usize)
        } else {
            // Slots have moved since.
            self.topic_name(hold.topic).and_then(|name| self.find(name, hold.partition))
        };
        let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) else { return };
        let others = slot.holds > 1;
        let first = if others { self.holds.iter().find(|other| same(other.topic, other.partition)) } else { None };
        slot.let_go(first);
    }

    /// Appends an offset for every assigned partition, sorted by topic and partition: what is stored and not yet known to be
    /// committed, -1001 where there is nothing. Returns whether there is anything. The caller brings room for
    /// [`FetchBuffer::assigned`] of them.
    pub fn stored_offsets(&self, out: &mut Vec<StoredOffset>) -> bool {
        let before = out.len();
        out.extend(self.slots.iter().map(|slot| slot.uncommitted(self.store_on_handover)));
        out.iter().skip(before).any(|offset| offset.offset != OFFSET_INVALID)
    }

    /// A commit of this offset is known to have succeeded.
    pub(crate) fn note_committed(&mut self, topic: &str, partition: i32, offset: i64, leader_epoch: i32) {
        if let Some(index) = self.find(topic, partition) {
            self.slots[index].committed = Some((offset, leader_epoch));
        }
    }

    pub(crate) fn keep_stored(&mut self, index: usize) {
        let store_on_handover = self.store_on_handover;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.keep_stored(store_on_handover);
        }
    }

    /// Whether the application took, or tried to, since the last call, or waits for records now: `max.poll.interval.ms`
    /// counts from there.
    pub fn take_polled(&mut self) -> bool {
        mem::take(&mut self.polled) || self.waiting > 0
    }

    /// A caller begins to wait for records.
    pub fn wait_begins(&mut self) {
        self.waiting += 1;
    }

    /// A caller has waited for records.
    pub fn wait_ends(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        self.polled = true;
    }
}
