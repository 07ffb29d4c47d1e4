//! The memory of open batches: pooled chunks of 1, 4, then 32 KiB (E7).
use super::open_batch::CHUNKS;
use crate::machine::Chunk;

/// Sizes by the place in a batch: a slow topic holds 1 KiB, a fast one soon takes 32 KiB at a time.
const SIZES: [usize; 3] = [1 << 10, 4 << 10, 32 << 10];

/// The largest class; a record above [`LINKED_FROM`] never needs it.
pub const LARGEST: usize = SIZES[2];

/// Records from this size on (bytes on the wire) are written outside the lock and linked in (E6).
pub const LINKED_FROM: usize = 4 << 10;

/// The class for the `index`th chunk of a batch that must hold `needed` bytes.
#[inline]
pub fn class(index: usize, needed: usize) -> usize {
    let mut class = index.min(SIZES.len() - 1);
    while class < SIZES.len() - 1 && SIZES[class] < needed {
        class += 1;
    }
    class
}

/// Bytes of a chunk of the class.
pub fn size_of(class: usize) -> usize {
    SIZES[class]
}

/// Free chunks by class, and free lists to hold a batch's chunks in. Its own vectors never grow under the lock: what finds
/// no room is handed back, to be dropped outside.
#[derive(Debug)]
pub struct Pool {
    free: [Vec<Chunk>; SIZES.len()],
    lists: Vec<Vec<Chunk>>,
}

/// How many chunks of each class are kept hot.
const KEPT: [usize; SIZES.len()] = [1024, 256, 256];
const LISTS_KEPT: usize = 1024;

impl Default for Pool {
    fn default() -> Self {
        Self { free: KEPT.map(Vec::with_capacity), lists: Vec::with_capacity(LISTS_KEPT) }
    }
}

impl Pool {
    #[inline]
    pub fn take(&mut self, class: usize) -> Option<Chunk> {
        self.free[class].pop()
    }

    #[inline]
    pub fn take_list(&mut self) -> Option<Vec<Chunk>> {
        self.lists.pop()
    }

    /// Gives back, or returns what there is no room for.
    pub fn put(&mut self, mut chunk: Chunk) -> Option<Chunk> {
        let class = SIZES.iter().position(|size| *size == chunk.buffer.len());
        match class.map(|class| &mut self.free[class]) {
            Some(free) if free.len() < free.capacity() => {
                chunk.used = 0;
                free.push(chunk);
                None
            }
            _ => Some(chunk),
        }
    }

    /// Gives back, or returns what there is no room for. The list of a compressed batch has room for one chunk alone, and
    /// would be full before it holds anything.
    pub fn put_list(&mut self, list: Vec<Chunk>) -> Option<Vec<Chunk>> {
        if list.capacity() < CHUNKS || self.lists.len() == self.lists.capacity() {
            return Some(list);
        }
        self.lists.push(list);
        None
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.free.iter().all(Vec::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_place_in_the_batch_and_the_need() {
        assert_eq!([class(0, 10), class(1, 10), class(2, 10), class(9, 10)], [0, 1, 2, 2]);
        assert_eq!([class(0, 1500), class(0, 4096), class(0, 4097), class(1, 30_000)], [1, 1, 2, 2]);
    }

    #[test]
    fn a_full_pool_hands_back() {
        let mut pool = Pool::default();
        for _ in 0..KEPT[2] {
            assert!(pool.put(Chunk::new(LARGEST)).is_none());
        }
        assert!(pool.put(Chunk::new(LARGEST)).is_some());
        assert!(pool.put(Chunk::new(777)).is_some(), "a linked record's memory is of no class");
        assert!(pool.take(2).is_some_and(|chunk| chunk.used == 0));
    }
}
