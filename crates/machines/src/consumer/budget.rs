//! How many fetched bytes may be held at once (E14, E20), and which buffers hold them.
//!
//! A Fetch reserves what it may bring; what came counts by its buffer's capacity until nobody else holds the buffer.
//! Prefetch starts small, for what is fetched far ahead falls out of the cache, and grows when that starves the caller.
use super::growth::{Advice, Growth};
use crate::machine::Frame;

/// Where prefetch starts.
pub(crate) const FIRST_LIMIT: usize = 4 << 20;
/// What a broker may always send that the caller waits for.
pub(crate) const LEAST_FETCH: usize = 64 << 10;
/// A Fetch takes at most this part of the limit, so that one is on its way while others are taken from.
const PART: usize = 4;

/// Where a buffer is from, and so where it goes when it is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A response: back to the driver's pool.
    Response,
    /// Made here, for a decompressed batch or a copy.
    Own,
}

#[derive(Debug)]
struct Live {
    id: u64,
    buffer: Frame,
    /// Bytes of it that batches still need.
    needed: usize,
    /// What is left was chosen to be copied out, once.
    chosen: bool,
    origin: Origin,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    most: usize,
    held: usize,
    reserved: usize,
    live: Vec<Live>,
    next_id: u64,
    pub(crate) growth: Growth,
    /// The limit before the last doubling.
    before: usize,
}

impl Budget {
    /// A budget that grows up to `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(LEAST_FETCH);
        Self {
            limit: FIRST_LIMIT.min(most),
            most,
            held: 0,
            reserved: 0,
            live: Vec::new(),
            next_id: 0,
            growth: Growth::new(),
            before: FIRST_LIMIT.min(most),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Grows or shrinks as the trials advise.
    pub(crate) fn adapt(&mut self) {
        match self.growth.advice(self.limit < self.most) {
            Advice::Stay => {}
            Advice::Double => {
                self.before = self.limit;
                self.limit = self.limit.saturating_mul(2).min(self.most);
            }
            Advice::TakeBack => self.limit = self.before,
        }
    }

    /// What a Fetch may bring, when `brokers` are about to be asked: at least 64 KiB, or `None` for now.
    pub(crate) fn share(&self, brokers: usize) -> Option<usize> {
        let left = self.limit.saturating_sub(self.held + self.reserved) / brokers.max(1);
        let share = left.min((self.limit / PART).max(LEAST_FETCH));
        (share >= LEAST_FETCH).then_some(share)
    }

    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.reserved += bytes;
    }

    /// The answer came, or never will.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// Holds a buffer until nobody else does. Returns its id, which its batches carry.
    pub(crate) fn hold(&mut self, buffer: Frame, origin: Origin) -> u64 {
        self.next_id += 1;
        self.held += buffer.capacity();
        self.live.push(Live { id: self.next_id, buffer, needed: 0, chosen: false, origin });
        self.next_id
    }

    /// A batch needs so much of a buffer.
    pub(crate) fn need(&mut self, id: u64, bytes: usize) {
        if let Some(live) = self.find(id) {
            live.needed += bytes;
        }
    }

    /// A batch is done with a buffer.
    pub(crate) fn done(&mut self, id: u64, bytes: usize) {
        if let Some(live) = self.find(id) {
            live.needed = live.needed.saturating_sub(bytes);
        }
    }

    /// Lets go of the buffers that nobody else holds, and hands them to `free`.
    pub(crate) fn release(&mut self, mut free: impl FnMut(Vec<u8>, Origin)) {
        let mut index = 0;
        while let Some(live) = self.live.get(index) {
            if !live.buffer.is_last_holder() {
                index += 1;
                continue;
            }
            let live = self.live.remove(index);
            self.held = self.held.saturating_sub(live.buffer.capacity());
            if let Some(buffer) = live.buffer.into_buffer() {
                free(buffer, live.origin);
            }
        }
    }

    /// Appends the buffers of which less than a quarter is needed still (E15), each once.
    pub(crate) fn take_sparse(&mut self, out: &mut Vec<u64>) {
        for live in &mut self.live {
            if !live.chosen && live.needed > 0 && live.needed < live.buffer.capacity() / 4 {
                live.chosen = true;
                out.push(live.id);
            }
        }
    }

    fn find(&mut self, id: u64) -> Option<&mut Live> {
        let index = self.live.binary_search_by_key(&id, |live| live.id).ok()?;
        self.live.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_4_mib_and_doubles_to_the_configured_limit() {
        let mut budget = Budget::new(16 << 20);
        assert_eq!((budget.limit(), budget.share(1)), (4 << 20, Some(1 << 20)));
        let mut limits = Vec::new();
        for _ in 0..12 {
            budget.growth.full(budget.limit() / PART, 50_000);
            budget.growth.starved();
            budget.adapt();
            limits.push(budget.limit() >> 20);
        }
        assert_eq!(limits, [4, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16, 16]);
        assert_eq!(Budget::new(1 << 20).limit(), 1 << 20);
    }

    #[test]
    fn reservations_and_buffers_count_until_the_last_holder_lets_go() {
        let mut budget = Budget::new(4 << 20);
        budget.reserve(3 << 20);
        assert_eq!((budget.share(1), budget.share(4)), (Some(1 << 20), Some(256 << 10)));
        budget.give_back(3 << 20);
        let frame = Frame::new(vec![0; 4 << 20]);
        let id = budget.hold(frame.clone(), Origin::Response);
        assert_eq!(budget.share(1), None);
        budget.need(id, 100);
        let mut sparse = Vec::new();
        budget.take_sparse(&mut sparse);
        budget.take_sparse(&mut sparse);
        assert_eq!(sparse, [id], "each once");
        let mut freed = 0;
        budget.release(|buffer, _| freed += buffer.len());
        assert_eq!((freed, budget.held()), (0, 4 << 20), "a batch still holds it");
        budget.done(id, 100);
        drop(frame);
        budget.release(|buffer, _| freed += buffer.len());
        assert_eq!((freed, budget.held()), (4 << 20, 0));
    }
}
