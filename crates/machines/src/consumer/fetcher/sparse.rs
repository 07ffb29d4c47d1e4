//! E15: what is left of a buffer that is mostly done is copied out, so that a few bytes do not hold megabytes.
//!
//! Looked for only when the budget is short or a partition is paused: else what is left is taken soon. The places are
//! found in one hold of the lock, the bytes copied outside, the buffers exchanged in another.
use super::super::batch::{Batch, Item};
use super::super::budget::Origin;
use super::super::fetch_buffer::FetchBuffer;
use super::exchange::HOLD;
use super::state::Fetcher;
use crate::machine::Frame;

/// A batch that waits in the fetch buffer, and the buffer that it lies in or is to lie in.
#[derive(Debug)]
pub(crate) struct Slice {
    slot: usize,
    base_offset: i64,
    buffer_id: u64,
    position: u32,
    buffer: Frame,
    bytes: (u32, u32),
}

/// The copying that is under way.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    /// Buffers to look for.
    wanted: Vec<u64>,
    found: Vec<Slice>,
    /// Copied: to be put in place; with the id of the new buffer.
    copied: Vec<(Slice, u64)>,
}

impl Sparse {
    pub(crate) fn new() -> Self {
        Self { wanted: Vec::new(), found: Vec::with_capacity(HOLD), copied: Vec::with_capacity(HOLD) }
    }

    pub(crate) fn wants_exchange(&self) -> bool {
        !self.wanted.is_empty() || !self.copied.is_empty()
    }
}

impl Fetcher {
    /// Outside the lock: chooses buffers, copies what was found.
    pub(crate) fn copy_sparse(&mut self) {
        if self.waits || self.any_paused() {
            self.budget.take_sparse(&mut self.sparse.wanted);
        }
        for mut slice in self.sparse.found.drain(..) {
            let (start, end) = slice.bytes;
            let bytes = slice.buffer.as_slice().get(start as usize..end as usize).unwrap_or_default();
            slice.position = slice.position.saturating_sub(start);
            slice.buffer = Frame::new(bytes.to_vec());
            let id = self.budget.hold(slice.buffer.clone(), Origin::Own);
            self.sparse.copied.push((slice, id));
        }
    }

    /// In the lock: puts copies in place, and finds what to copy.
    pub(crate) fn exchange_sparse(&mut self, shared: &mut FetchBuffer) {
        let Self { sparse, budget, .. } = self;
        while let Some((slice, id)) = sparse.copied.pop() {
            let Some(slot) = shared.slots.get(slice.slot) else { continue };
            shared.arena.for_each(&slot.queue, |item| {
                if let Item::Batch(batch) = item
                    && is(batch, &slice)
                {
                    budget.done(batch.buffer_id, batch.bytes as usize);
                    budget.need(id, batch.bytes as usize);
                    // The budget holds the old buffer as well: nothing is freed here.
                    batch.buffer = slice.buffer.clone();
                    batch.buffer_id = id;
                    batch.end = slice.buffer.as_slice().len() as u32;
                    batch.position = slice.position;
                }
            });
        }
        if sparse.wanted.is_empty() {
            return;
        }
        for (index, slot) in shared.slots.iter().enumerate() {
            for item in shared.arena.iter(&slot.queue) {
                let Item::Batch(batch) = item else { continue };
                if sparse.wanted.contains(&batch.buffer_id) && sparse.found.len() < sparse.found.capacity() {
                    sparse.found.push(Slice {
                        slot: index,
                        base_offset: batch.base_offset,
                        buffer_id: batch.buffer_id,
                        position: batch.position,
                        buffer: batch.buffer.clone(),
                        bytes: (batch.position, batch.end),
                    });
                }
            }
        }
        sparse.wanted.clear();
    }
}

/// Whether the batch waits as it was when it was found: not taken from since.
fn is(batch: &Batch, slice: &Slice) -> bool {
    batch.buffer_id == slice.buffer_id && batch.base_offset == slice.base_offset && batch.position == slice.bytes.0
}
