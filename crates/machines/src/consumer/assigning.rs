//! Changes of the assignment, under the callers' lock: replaced, added to, taken from, given up.
//!
//! What a partition is reading goes on as long as it stays assigned. What leaves is handed back, to be dropped and
//! committed once the lock is free; room for what comes was made before it was taken.
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use super::arena::List;
use super::fetch_buffer::{FetchBuffer, Slot, View, offset_of};
use super::positions::{Assigned, Assignment, OFFSET_INVALID, StartOffset};
use super::stored::Hold;
use crate::error::{Error, Kind};
use crate::group::StoredOffset;

/// What is remembered of a partition that is not assigned, as the original does: it comes back paused.
#[derive(Debug)]
pub(crate) struct Aside {
    topic: Arc<str>,
    partition: i32,
    paused: bool,
    pub(crate) watermarks: Option<(i64, i64)>,
}

/// What an assignment displaced: to be dropped once the lock is free.
#[derive(Debug, Default)]
pub struct Displaced {
    slots: Vec<Slot>,
    store_on_handover: bool,
    _emptied: Vec<Slot>,
    _ready: VecDeque<u32>,
    _holds: Vec<Hold>,
    _views: Vec<View>,
    _named: Assignment,
}

impl Displaced {
    /// What is to be committed of the displaced partitions where offsets are committed without being asked: every one of
    /// them, with -1001 where there is nothing, as the original tells `on_commit`. Empty where there is nothing at all.
    pub fn stored_offsets(&self) -> Vec<StoredOffset> {
        let offsets: Vec<_> = self.slots.iter().map(|slot| slot.last_offset(self.store_on_handover)).collect();
        if offsets.iter().any(|offset| offset.offset != OFFSET_INVALID) { offsets } else { Vec::new() }
    }
}

/// An assignment with the room that the buffer needs for it, made before the lock is taken.
#[derive(Debug, Default)]
pub struct PreparedAssignment {
    assigned: Assignment,
    slots: Vec<Slot>,
    removed: Vec<Slot>,
    ready: VecDeque<u32>,
    holds: Vec<Hold>,
    views: Vec<View>,
}

impl PreparedAssignment {
    /// Makes the room for an assignment that replaces another.
    ///
    /// # Errors
    /// Those of [`Assignment::new`].
    pub fn new(partitions: Vec<Assigned>) -> Result<Self, Error> {
        Self::beside(partitions, 0)
    }

    /// Makes the room for an assignment that adds to, or takes from, one of `assigned` partitions.
    ///
    /// # Errors
    /// Those of [`Assignment::new`].
    pub fn beside(partitions: Vec<Assigned>, assigned: usize) -> Result<Self, Error> {
        let named = Assignment::new(partitions)?;
        let count = named.partitions.len() + assigned;
        Ok(Self {
            assigned: named,
            slots: Vec::with_capacity(count),
            removed: Vec::with_capacity(assigned),
            ready: VecDeque::with_capacity(count),
            holds: Vec::with_capacity(count),
            views: Vec::with_capacity(count),
        })
    }
}

/// Why an incremental change was refused; with what was prepared for it, to be dropped without the lock.
#[derive(Debug)]
pub struct Unfit {
    kind: Kind,
    /// Which of the named partitions does not fit; `None` where nothing is assigned.
    at: Option<usize>,
    prepared: PreparedAssignment,
}

impl Unfit {
    /// The error in the original's words. Call it without the lock.
    pub fn into_error(self) -> Error {
        let named = self.at.and_then(|at| self.prepared.assigned.partitions.get(at));
        let text = match (self.kind, named) {
            (Kind::Conflict, Some(one)) => {
                format!("{} [{}] is already part of the current assignment", one.topic, one.partition)
            }
            (_, Some(one)) => format!(
                "{} [{}] can't be unassigned since it is not in the current assignment",
                one.topic, one.partition
            ),
            (_, None) => "Can't subtract from empty assignment".to_owned(),
        };
        Error::with_text(self.kind, text)
    }
}

impl FetchBuffer {
    /// Replaces the assignment: all start anew. A partition that was paused is so again.
    pub fn assign(&mut self, prepared: PreparedAssignment) -> Displaced {
        let PreparedAssignment { assigned, mut slots, mut ready, holds, views, .. } = prepared;
        self.retire_all();
        self.remember_all();
        ready.clear();
        for one in &assigned.partitions {
            let slot = self.fresh_slot(one);
            slots.push(slot);
        }
        let store_on_handover = self.store_on_handover;
        self.paused = slots.iter().filter(|slot| slot.paused).count();
        self.all_changed();
        Displaced {
            slots: mem::replace(&mut self.slots, slots),
            store_on_handover,
            _emptied: Vec::new(),
            _ready: mem::replace(&mut self.ready, ready),
            _holds: mem::replace(&mut self.holds, holds),
            _views: mem::replace(&mut self.spare_views, views),
            _named: assigned,
        }
    }

    /// Gives up every partition.
    pub fn unassign(&mut self) -> Displaced {
        self.assign(PreparedAssignment::default())
    }

    /// Adds partitions; those that are assigned go on undisturbed (KIP-429).
    ///
    /// # Errors
    /// `Kind::Conflict` for a partition that is assigned: nothing was changed.
    #[allow(clippy::result_large_err, reason = "in a box it would be allocated under the lock")]
    pub fn incremental_assign(&mut self, prepared: PreparedAssignment) -> Result<Displaced, Unfit> {
        let named = &prepared.assigned.partitions;
        let known = |one: &Assigned| self.find(&one.topic, one.partition).is_some();
        if let Some(at) = named.iter().position(known) {
            return Err(Unfit { kind: Kind::Conflict, at: Some(at), prepared });
        }
        Ok(self.merge(prepared, |_, _| true))
    }

    /// Takes partitions away; the others go on undisturbed (KIP-429).
    ///
    /// # Errors
    /// `Kind::InvalidArgument` for a partition that is not assigned: nothing was changed.
    #[allow(clippy::result_large_err, reason = "in a box it would be allocated under the lock")]
    pub fn incremental_unassign(&mut self, prepared: PreparedAssignment) -> Result<Displaced, Unfit> {
        let named = &prepared.assigned.partitions;
        let unknown = |one: &Assigned| self.find(&one.topic, one.partition).is_none();
        if self.slots.is_empty() && !named.is_empty() {
            return Err(Unfit { kind: Kind::InvalidArgument, at: None, prepared });
        }
        if let Some(at) = named.iter().position(unknown) {
            return Err(Unfit { kind: Kind::InvalidArgument, at: Some(at), prepared });
        }
        let mut prepared = prepared;
        let leaving = mem::take(&mut prepared.assigned);
        let mut displaced = self.merge(prepared, |topic, partition| {
            leaving.partitions.binary_search_by(|one| one.order(topic, partition)).is_err()
        });
        displaced._named = leaving;
        Ok(displaced)
    }

    /// Begins to give partitions up: nothing more of them is handed over, and nothing fetched; their positions and stored
    /// offsets stay, to be committed, until they are unassigned.
    pub fn revoke(&mut self, partitions: &[(Arc<str>, i32)]) {
        for (topic, partition) in partitions {
            let Some(index) = self.find(topic, *partition) else { continue };
            self.restart(index, StartOffset::Invalid, None);
            self.slots[index].revoked = true;
            self.slots[index].resume = None;
        }
    }

    /// As [`FetchBuffer::revoke`], where the partitions are another's already: their offsets are not to be committed.
    pub fn lose(&mut self, partitions: &[(Arc<str>, i32)]) {
        self.revoke(partitions);
        for (topic, partition) in partitions {
            let Some(index) = self.find(topic, *partition) else { continue };
            self.slots[index].lost = true;
        }
    }

    /// The slots that `stays` names and those that were prepared, in order.
    fn merge(&mut self, prepared: PreparedAssignment, stays: impl Fn(&str, i32) -> bool) -> Displaced {
        let PreparedAssignment { assigned, mut slots, mut removed, mut ready, holds, views } = prepared;
        if let Some(slot) = self.slots.get(self.current_slot as usize)
            && !stays(&slot.name, slot.partition)
        {
            self.retire_current();
        }
        let taken_from = self.slots.get(self.current_slot as usize).map(|slot| slot.epoch);
        let mut coming = assigned.partitions.iter().peekable();
        let mut before = mem::take(&mut self.slots);
        for mut slot in before.drain(..) {
            while let Some(one) = coming.next_if(|one| one.order(&slot.name, slot.partition).is_lt()) {
                let fresh = self.fresh_slot(one);
                slots.push(fresh);
            }
            if stays(&slot.name, slot.partition) {
                slots.push(slot);
            } else {
                self.done_bytes += mem::take(&mut slot.queued_bytes);
                let mut queue = mem::replace(&mut slot.queue, List::new());
                self.arena.append(&mut queue, &mut self.done);
                self.remember(&slot);
                removed.push(slot);
            }
        }
        for one in coming {
            let fresh = self.fresh_slot(one);
            slots.push(fresh);
        }
        let current = slots.iter().position(|slot| Some(slot.epoch) == taken_from);
        self.slots = slots;
        self.current_slot = current.map_or(u32::MAX, |index| index as u32);
        // All have moved: whoever has something gets in line anew.
        ready.clear();
        let line = mem::replace(&mut self.ready, ready);
        let held_back = mem::replace(&mut self.holds, holds);
        let topics = &self.topics;
        let stays_held = |hold: &&Hold| topics.get(hold.topic as usize).is_some_and(|name| stays(name, hold.partition));
        self.holds.extend(held_back.iter().filter(stays_held));
        for index in 0..self.slots.len() {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.ready = false;
            }
            self.make_ready(index);
        }
        self.paused = self.slots.iter().filter(|slot| slot.paused).count();
        self.all_changed();
        Displaced {
            slots: removed,
            store_on_handover: self.store_on_handover,
            _emptied: before,
            _ready: line,
            _holds: held_back,
            _views: mem::replace(&mut self.spare_views, views),
            _named: assigned,
        }
    }

    fn fresh_slot(&mut self, one: &Assigned) -> Slot {
        let topic = self.topic_index(&one.topic);
        let aside = self.aside(&one.topic, one.partition);
        let (paused, watermarks) = aside.map_or((false, None), |aside| (aside.paused, aside.watermarks));
        // The original shows "not said" as "stored".
        let start = if one.start == StartOffset::Invalid { StartOffset::Stored } else { one.start };
        Slot {
            topic,
            name: Arc::clone(&one.topic),
            partition: one.partition,
            epoch: self.fresh_epoch(),
            assigned: start,
            begin: start,
            suspect: None,
            paused,
            revoked: false,
            lost: false,
            ready: false,
            queue: List::new(),
            queued_bytes: 0,
            position: None,
            position_epoch: -1,
            resume: offset_of(start),
            watermarks,
            stored: None,
            holds: 0,
            holder: 0,
            committed: None,
        }
    }

    fn all_changed(&mut self) {
        self.reassigned = true;
        self.paused_grew = true;
        self.wake = true;
    }

    pub(crate) fn aside(&self, topic: &str, partition: i32) -> Option<&Aside> {
        let found = self.find_aside(topic, partition).ok()?;
        self.aside.get(found)
    }

    fn find_aside(&self, topic: &str, partition: i32) -> Result<usize, usize> {
        self.aside.binary_search_by(|aside| (*aside.topic).cmp(topic).then(aside.partition.cmp(&partition)))
    }

    /// Notes what outlives an assignment. A partition that is new here may make the list grow, once in the life of the client.
    fn remember(&mut self, slot: &Slot) {
        let (paused, watermarks) = (slot.paused, slot.watermarks);
        match self.find_aside(&slot.name, slot.partition) {
            Ok(found) => {
                self.aside[found].paused = paused;
                self.aside[found].watermarks = watermarks;
            }
            Err(at) if paused || watermarks.is_some() => {
                let (topic, partition) = (Arc::clone(&slot.name), slot.partition);
                self.aside.insert(at, Aside { topic, partition, paused, watermarks });
            }
            Err(_) => {}
        }
    }

    fn remember_all(&mut self) {
        let slots = mem::take(&mut self.slots);
        for slot in &slots {
            self.remember(slot);
        }
        self.slots = slots;
    }

    /// Pauses or resumes a partition that is not assigned; one of a topic that was never seen is passed over.
    pub(crate) fn pause_aside(&mut self, topic: &str, partition: i32, paused: bool) {
        match self.find_aside(topic, partition) {
            Ok(found) => self.aside[found].paused = paused,
            Err(at) if paused => {
                let Some(topic) = self.topics.iter().find(|known| ***known == *topic).map(Arc::clone) else { return };
                self.aside.insert(at, Aside { topic, partition, paused, watermarks: None });
            }
            Err(_) => {}
        }
    }
}
