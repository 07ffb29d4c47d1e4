//! What callers attach to their records (a callback, a waker), by ticket: generic to the engine, filled and emptied under
//! the lock of E6. Only the application's threads touch what is attached; the machines carry tickets (E9).
//!
//! Each batch has blocks of its own, so that the attachments of a batch lie side by side: they are taken one after the other
//! long after they were written, and a miss of the cache for each cost more than the rest of a report.

const BLOCK: usize = 32;
const SEGMENT: usize = 128;

/// No ticket.
pub const NONE: u32 = u32::MAX;

/// Where a record with an attachment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The record's number in its batch.
    pub index: u32,
    /// Its chunk and the byte in it where it begins.
    pub chunk: u16,
    pub position: u32,
    /// What the record counts against the user's limit of bytes.
    pub bytes: u32,
}

#[derive(Debug)]
struct Block<A> {
    entries: [(Option<A>, Place); BLOCK],
    /// Entries written, and how many of them have not been taken.
    written: u32,
    live: u32,
    /// The next of the same batch, or of the free list.
    next: u32,
}

/// Room for more attachments, made outside the lock.
#[derive(Debug)]
pub struct Segment<A>(Vec<Block<A>>);

impl<A> Segment<A> {
    pub fn new() -> Self {
        let empty =
            |_| Block { entries: std::array::from_fn(|_| (None, Place::default())), written: 0, live: 0, next: NONE };
        Self((0..SEGMENT).map(empty).collect())
    }
}

impl<A> Default for Segment<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// All attachments of one client. A ticket is a block and a place in it.
#[derive(Debug)]
pub struct Attachments<A> {
    segments: Vec<Segment<A>>,
    free: u32,
}

impl<A> Attachments<A> {
    pub fn new() -> Self {
        // 4,096 segments are 16 M records that wait for their reports; the list grows beyond only then.
        Self { segments: Vec::with_capacity(4096), free: NONE }
    }

    /// Whether [`Attachments::add`] has room.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.free != NONE
    }

    pub fn supply(&mut self, mut segment: Segment<A>) {
        let base = (self.segments.len() * SEGMENT) as u32;
        for (index, block) in segment.0.iter_mut().enumerate() {
            block.next = if index + 1 < SEGMENT { base + index as u32 + 1 } else { self.free };
        }
        self.free = base;
        self.segments.push(segment);
    }

    #[inline]
    fn block(&mut self, block: u32) -> &mut Block<A> {
        &mut self.segments[block as usize / SEGMENT].0[block as usize % SEGMENT]
    }

    /// Notes an attachment behind the ticket `last` of its batch ([`NONE`] for the first); there must be room.
    #[inline]
    pub fn add(&mut self, last: u32, attachment: A, place: Place) -> u32 {
        if last != NONE {
            let number = last / BLOCK as u32;
            let block = self.block(number);
            let slot = block.written as usize;
            if slot < BLOCK {
                block.entries[slot] = (Some(attachment), place);
                block.written += 1;
                block.live += 1;
                return number * BLOCK as u32 + slot as u32;
            }
        }
        self.open(last, attachment, place)
    }

    #[cold]
    fn open(&mut self, last: u32, attachment: A, place: Place) -> u32 {
        let number = self.free;
        let block = self.block(number);
        let free = block.next;
        block.entries[0] = (Some(attachment), place);
        (block.written, block.live, block.next) = (1, 1, NONE);
        self.free = free;
        if last != NONE {
            self.block(last / BLOCK as u32).next = number;
        }
        number * BLOCK as u32
    }

    /// Takes an attachment out and frees its ticket; returns the ticket that follows in its batch.
    #[inline]
    pub fn take(&mut self, ticket: u32) -> (Option<A>, Place, u32) {
        let (number, slot) = (ticket / BLOCK as u32, ticket as usize % BLOCK);
        let free = self.free;
        let block = self.block(number);
        let (attachment, place) = (block.entries[slot].0.take(), block.entries[slot].1);
        let next = if slot + 1 < block.written as usize {
            ticket + 1
        } else if block.next == NONE {
            NONE
        } else {
            block.next * BLOCK as u32
        };
        block.live -= 1;
        if block.live == 0 {
            block.next = free;
            self.free = number;
        }
        (attachment, place, next)
    }

    /// Moves what is attached to `out` until it has no more room; tickets stay as they are. Returns how many remain.
    pub fn take_all(&mut self, out: &mut Vec<A>) -> usize {
        let mut remain = 0;
        let blocks = self.segments.iter_mut().flat_map(|segment| &mut segment.0);
        for (attachment, _) in blocks.flat_map(|block| &mut block.entries) {
            if attachment.is_none() {
                continue;
            }
            match attachment.take_if(|_| out.len() < out.capacity()) {
                Some(attachment) => out.push(attachment),
                None => remain += 1,
            }
        }
        remain
    }

    /// Visits all that are attached, in no order that means anything.
    pub fn each(&self, mut visit: impl FnMut(&A)) {
        let blocks = self.segments.iter().flat_map(|segment| &segment.0);
        blocks.flat_map(|block| &block.entries).filter_map(|(attachment, _)| attachment.as_ref()).for_each(&mut visit);
    }
}

impl<A> Default for Attachments<A> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(index: u32) -> Place {
        Place { index, chunk: 1, position: 2, bytes: 3 }
    }

    /// Adds so many to one batch; returns the first ticket and the last.
    fn fill(table: &mut Attachments<u32>, count: u32) -> (u32, u32) {
        let (mut first, mut last) = (NONE, NONE);
        for number in 0..count {
            if !table.has_room() {
                table.supply(Segment::new());
            }
            last = table.add(last, number, place(number));
            first = if first == NONE { last } else { first };
        }
        (first, last)
    }

    fn drain(table: &mut Attachments<u32>, first: u32) -> Vec<u32> {
        let (mut ticket, mut all) = (first, Vec::new());
        while ticket != NONE {
            let (attachment, at, next) = table.take(ticket);
            assert_eq!(Some(at.index), attachment);
            all.extend(attachment);
            ticket = next;
        }
        all
    }

    #[test]
    fn batches_are_taken_in_order_and_their_blocks_used_again() {
        let mut table = Attachments::new();
        for _ in 0..50 {
            let chains: Vec<u32> = [1, 31, 32, 33, 64, 1000].iter().map(|count| fill(&mut table, *count).0).collect();
            let mut seen = 0;
            table.each(|_| seen += 1);
            assert_eq!(seen, 1 + 31 + 32 + 33 + 64 + 1000);
            for (first, count) in chains.into_iter().zip([1, 31, 32, 33, 64, 1000]) {
                assert_eq!(drain(&mut table, first), (0..count).collect::<Vec<_>>());
            }
        }
        assert_eq!(table.segments.len(), 1, "what was taken is used again");
    }

    #[test]
    fn tickets_may_be_taken_in_any_order() {
        let mut table = Attachments::new();
        let tickets: Vec<u32> = {
            let (first, _) = fill(&mut table, 100);
            let (mut all, mut ticket) = (Vec::new(), first);
            while all.len() < 100 {
                all.push(ticket);
                let block = table.block(ticket / BLOCK as u32);
                let within = ticket as usize % BLOCK + 1 < block.written as usize;
                ticket = if within { ticket + 1 } else { block.next.wrapping_mul(BLOCK as u32) };
            }
            all
        };
        for (number, ticket) in tickets.iter().enumerate().rev() {
            assert_eq!(table.take(*ticket).0, Some(number as u32));
        }
        let (first, _) = fill(&mut table, ((SEGMENT - 1) * BLOCK) as u32);
        assert_eq!((drain(&mut table, first).len(), table.segments.len()), ((SEGMENT - 1) * BLOCK, 1));
    }

    #[test]
    fn all_are_taken_as_far_as_there_is_room_and_tickets_stay() {
        let mut table = Attachments::new();
        let (first, _) = fill(&mut table, 5);
        let mut out = Vec::with_capacity(4);
        assert_eq!(table.take_all(&mut out), 5 - out.len());
        out.reserve(8);
        assert_eq!(table.take_all(&mut out), 0);
        assert_eq!(out.len(), 5);
        assert_eq!(table.take(first + 2).0, None);
    }
}
