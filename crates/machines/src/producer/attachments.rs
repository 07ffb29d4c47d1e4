//! What callers attach to their records (a callback, a waker), by ticket: generic to the engine, filled and emptied under
//! the lock of E6. Only the application's threads touch what is attached; the machines carry tickets (E9).

const SEGMENT_BITS: u32 = 12;
const SEGMENT: usize = 1 << SEGMENT_BITS;

/// No ticket.
pub const NONE: u32 = u32::MAX;

/// Where a record with an attachment lies, and what comes after it in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The record's number in its batch.
    pub index: u32,
    /// Its chunk and the byte in it where it begins.
    pub chunk: u32,
    pub position: u32,
    /// What the record counts against the user's limit of bytes.
    pub bytes: u32,
}

#[derive(Debug)]
struct Entry<A> {
    attachment: Option<A>,
    place: Place,
    /// The next of the same batch, or of the free list.
    next: u32,
}

/// Room for more attachments, made outside the lock.
#[derive(Debug)]
pub struct Segment<A>(Vec<Entry<A>>);

impl<A> Segment<A> {
    pub fn new() -> Self {
        let empty =
            |_| Entry { attachment: None, place: Place { index: 0, chunk: 0, position: 0, bytes: 0 }, next: NONE };
        Self((0..SEGMENT).map(empty).collect())
    }
}

impl<A> Default for Segment<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// All attachments of one client.
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
        let base = (self.segments.len() as u32) << SEGMENT_BITS;
        for (index, entry) in segment.0.iter_mut().enumerate() {
            entry.next = if index + 1 < SEGMENT { base + index as u32 + 1 } else { self.free };
        }
        self.free = base;
        self.segments.push(segment);
    }

    #[inline]
    fn entry(&mut self, ticket: u32) -> &mut Entry<A> {
        &mut self.segments[(ticket >> SEGMENT_BITS) as usize].0[ticket as usize & (SEGMENT - 1)]
    }

    /// Notes an attachment; there must be room.
    #[inline]
    pub fn add(&mut self, attachment: A, place: Place) -> u32 {
        let ticket = self.free;
        let entry = self.entry(ticket);
        let next = entry.next;
        *entry = Entry { attachment: Some(attachment), place, next: NONE };
        self.free = next;
        ticket
    }

    /// Makes `ticket` follow `last` in its batch.
    #[inline]
    pub fn link(&mut self, last: u32, ticket: u32) {
        self.entry(last).next = ticket;
    }

    /// Takes an attachment out and frees its ticket; returns the ticket that follows.
    #[inline]
    pub fn take(&mut self, ticket: u32) -> (Option<A>, Place, u32) {
        let free = self.free;
        let entry = self.entry(ticket);
        let (attachment, place, next) = (entry.attachment.take(), entry.place, entry.next);
        entry.next = free;
        self.free = ticket;
        (attachment, place, next)
    }

    /// Moves what is attached to `out` until it has no more room; tickets stay as they are. Returns how many remain.
    pub fn take_all(&mut self, out: &mut Vec<A>) -> usize {
        let mut remain = 0;
        for entry in self.segments.iter_mut().flat_map(|segment| &mut segment.0) {
            if entry.attachment.is_none() {
                continue;
            }
            match entry.attachment.take_if(|_| out.len() < out.capacity()) {
                Some(attachment) => out.push(attachment),
                None => remain += 1,
            }
        }
        remain
    }

    /// Visits all that are attached, in no order that means anything.
    pub fn each(&self, mut visit: impl FnMut(&A)) {
        self.segments
            .iter()
            .flat_map(|segment| &segment.0)
            .filter_map(|entry| entry.attachment.as_ref())
            .for_each(&mut visit);
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

    const PLACE: Place = Place { index: 7, chunk: 1, position: 2, bytes: 3 };

    #[test]
    fn tickets_are_linked_taken_and_used_again() {
        let mut table = Attachments::new();
        assert!(!table.has_room());
        table.supply(Segment::new());
        let first = table.add("a", PLACE);
        let second = table.add("b", PLACE);
        table.link(first, second);
        let mut seen = Vec::new();
        table.each(|attachment| seen.push(*attachment));
        assert_eq!(seen, ["a", "b"]);
        assert_eq!(table.take(first), (Some("a"), PLACE, second));
        assert_eq!(table.add("c", PLACE), first);
        assert_eq!(table.take(second), (Some("b"), PLACE, NONE));
    }

    #[test]
    fn all_are_taken_as_far_as_there_is_room_and_tickets_stay() {
        let mut table = Attachments::new();
        table.supply(Segment::new());
        let tickets: Vec<u32> = (0..5).map(|number| table.add(number, PLACE)).collect();
        let mut out = Vec::with_capacity(4);
        assert_eq!(table.take_all(&mut out), 5 - out.len());
        out.reserve(8);
        assert_eq!(table.take_all(&mut out), 0);
        assert_eq!(out.len(), 5);
        assert_eq!(table.take(tickets[2]).0, None);
    }

    #[test]
    fn a_full_table_says_so_and_grows() {
        let mut table = Attachments::new();
        table.supply(Segment::new());
        let tickets: Vec<u32> = (0..SEGMENT).map(|number| table.add(number, PLACE)).collect();
        assert!(!table.has_room());
        table.supply(Segment::new());
        let more = table.add(SEGMENT, PLACE);
        assert_eq!(table.take(more).0, Some(SEGMENT));
        assert!(tickets.iter().enumerate().all(|(number, ticket)| table.take(*ticket).0 == Some(number)));
    }
}
