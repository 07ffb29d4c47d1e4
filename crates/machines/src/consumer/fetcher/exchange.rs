//! The hold of the lock in which the fetcher and the fetch buffer meet: nothing is allocated or dropped in it (E6).
use std::mem;

use super::super::fetch_buffer::{FetchBuffer, MOST_NODES, Refused};
use super::super::positions::StartOffset;
use super::state::Fetcher;
use crate::client::Edges;

/// Batches that one hold moves at most, each way.
pub(crate) const HOLD: usize = 64;

impl Fetcher {
    /// Whether an exchange would move something from this side.
    pub fn wants_exchange(&self) -> bool {
        let news =
            (!self.outgoing.is_empty() && !self.blocked) || !self.watermarks.is_empty() || !self.restarts.is_empty();
        news || self.larger.is_some() || self.sparse.wants_exchange() || (self.waits && !self.told)
    }

    /// Moves what is ready either way; the caller holds the lock.
    pub fn exchange(&mut self, shared: &mut FetchBuffer) -> Edges {
        let mut edges = Edges::default();
        let changed = self.see_changes(shared);
        if self.views_changed {
            // Slots have moved: what is meant for them waits until this side has followed.
            edges.again = self.wants_exchange();
            edges.again |= self.collect(shared);
            edges.records = changed && shared.has_records();
            return edges;
        }
        for (slot, epoch, start) in self.restarts.drain(..) {
            if shared.slots.get(slot).is_some_and(|known| known.epoch == epoch) {
                shared.restart(slot, start, None);
            }
        }
        if mem::take(&mut shared.paused_grew) {
            self.limit_paused(shared);
        }
        for (slot, epoch, low, high) in self.watermarks.drain(..) {
            if let Some(slot) = shared.slots.get_mut(slot).filter(|slot| slot.epoch == epoch) {
                slot.watermarks = Some((low, high));
            }
        }
        if let Some(mut larger) = self.larger.take() {
            if larger.size() > shared.arena.size() {
                shared.arena.move_into(&mut larger);
            }
            self.retired = Some(larger);
        }
        self.exchange_sparse(shared);
        edges.again |= self.collect(shared);
        let had_records = shared.has_records();
        self.blocked = self.push(shared) && self.wants_larger.is_none();
        edges.again |= !self.blocked && !self.outgoing.is_empty();
        // After a resume records can be ready that no push made so.
        edges.records = (changed || !had_records) && shared.has_records();
        if mem::take(&mut shared.starved) && !self.lagging.is_empty() {
            self.budget.growth.starved();
        }
        shared.wake_bytes = if self.waits { self.budget.limit() / 8 } else { usize::MAX };
        if self.blocked {
            let queued: usize = shared.slots.iter().map(|slot| slot.queued_bytes).sum();
            shared.wake_bytes = shared.wake_bytes.min(queued / 2);
        }
        self.told = self.waits;
        // What was restarted above.
        edges.again |= !shared.changed.is_empty();
        edges
    }

    /// E14: paused partitions hold at most a quarter of the budget; the one that holds the most is fetched again when resumed.
    fn limit_paused(&self, shared: &mut FetchBuffer) {
        while shared.paused > 0 {
            let paused = || shared.slots.iter().enumerate().filter(|(_, slot)| slot.paused && slot.queued_bytes > 0);
            let held: usize = paused().map(|(_, slot)| slot.queued_bytes).sum();
            let most = paused().max_by_key(|(_, slot)| slot.queued_bytes).map(|(index, slot)| (index, slot.resume));
            match most {
                Some((index, Some(resume))) if held > self.budget.limit() / 4 => {
                    shared.restart(index, StartOffset::Offset(resume), None);
                }
                _ => return,
            }
        }
    }

    /// Copies what changed of the assignment; the room for it came with the assignment.
    fn see_changes(&mut self, shared: &mut FetchBuffer) -> bool {
        if mem::take(&mut shared.reassigned) || self.views_changed {
            shared.changed.clear();
            self.view_changes.clear();
            self.views_changed = true;
            // Both are dropped outside: names are held by the buffer too, so clearing frees nothing.
            self.views.clear();
            if self.views.capacity() < shared.slots.len() {
                mem::swap(&mut self.views, &mut shared.spare_views);
            }
            self.views.extend(shared.slots.iter().map(FetchBuffer::view));
            return true;
        }
        let mut any = false;
        while self.view_changes.len() < self.view_changes.capacity()
            && let Some(index) = shared.changed.pop()
        {
            any = true;
            if let Some(slot) = shared.slots.get(index as usize) {
                self.view_changes.push((index as usize, FetchBuffer::view(slot)));
            }
        }
        any
    }

    /// Takes finished batches out of the buffer. Returns whether there are more.
    fn collect(&mut self, shared: &mut FetchBuffer) -> bool {
        while self.collected.len() < self.collected.capacity().min(HOLD) {
            match shared.arena.pop_front(&mut shared.done) {
                Some(item) => self.collected.push(item),
                None => {
                    shared.done_bytes = 0;
                    return false;
                }
            }
        }
        !shared.done.is_empty()
    }

    /// Puts fetched batches into the buffer. Returns whether it is full.
    fn push(&mut self, shared: &mut FetchBuffer) -> bool {
        for _ in 0..HOLD {
            let Some((slot, epoch, item)) = self.outgoing.pop_front() else { return false };
            match shared.push(slot, epoch, item) {
                Ok(()) => {}
                Err(Refused::Outdated(item)) => {
                    if self.collected.len() < self.collected.capacity() {
                        self.collected.push(item);
                    } else {
                        self.outgoing.push_front((slot, epoch, item));
                        return false;
                    }
                }
                Err(Refused::Full(item)) => {
                    self.outgoing.push_front((slot, epoch, item));
                    if shared.arena.size() < MOST_NODES {
                        self.wants_larger = Some((shared.arena.size() * 2).min(MOST_NODES));
                    }
                    return true;
                }
            }
        }
        false
    }
}
