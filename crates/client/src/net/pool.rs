//! Buffers that responses are read into (E15): by size class, reused while hot, given back to the system after 5 s idle.
use std::collections::BTreeMap;

/// Free buffers kept at most, in bytes of capacity: what a consumer's fetches of one round take.
const KEPT_BYTES: usize = 16 << 20;
/// Smaller ones cost less than looking for them.
const SMALLEST: usize = 1 << 10;
const IDLE_US: u64 = 5_000_000;

/// One client's free buffers.
#[derive(Default)]
pub(crate) struct Pool {
    /// By capacity; each with the time it was given.
    free: BTreeMap<usize, Vec<(u64, Vec<u8>)>>,
    bytes: usize,
}

/// The capacity for a frame of `len` bytes: four classes to a doubling, so that at most a quarter is waste.
fn class(len: usize) -> usize {
    if len <= SMALLEST {
        return SMALLEST;
    }
    let step = (len.next_power_of_two() / 8).max(1);
    len.div_ceil(step) * step
}

impl Pool {
    /// An empty buffer with room for `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let class = class(len);
        let found = self.free.range_mut(class..=class + class / 2).find(|(_, buffers)| !buffers.is_empty());
        match found.and_then(|(_, buffers)| buffers.pop()) {
            Some((_, mut buffer)) => {
                self.bytes -= buffer.capacity();
                buffer.clear();
                buffer
            }
            None => Vec::with_capacity(class),
        }
    }

    /// A buffer that nobody reads any more.
    pub(crate) fn give(&mut self, now_us: u64, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity >= SMALLEST && self.bytes + capacity <= KEPT_BYTES {
            self.bytes += capacity;
            self.free.entry(capacity).or_default().push((now_us, buffer));
        }
    }

    /// Gives back what was not used for 5 s.
    pub(crate) fn trim(&mut self, now_us: u64) {
        let Self { free, bytes } = self;
        free.retain(|_, buffers| {
            // Taken from the end, given to the end: the oldest stand in front.
            let stale = buffers.partition_point(|(given, _)| given + IDLE_US <= now_us);
            for (_, buffer) in buffers.drain(..stale) {
                *bytes -= buffer.capacity();
            }
            !buffers.is_empty()
        });
    }

    /// When `trim` may find something.
    pub(crate) fn deadline(&self) -> Option<u64> {
        if self.bytes == 0 {
            return None;
        }
        self.free.values().filter_map(|buffers| buffers.first()).map(|(given, _)| given + IDLE_US).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_a_quarter() {
        for len in (1..200_000).step_by(37).chain([1 << 20, (1 << 20) + 1, 50 << 20]) {
            let class = class(len);
            assert!(class >= len && (len <= SMALLEST || class <= len + len / 4 + 1), "{len}: {class}");
        }
    }

    #[test]
    fn a_buffer_is_reused_until_it_has_been_idle_for_5_s() {
        let mut pool = Pool::default();
        let mut buffer = pool.take(100_000);
        buffer.push(1);
        let at = buffer.as_ptr();
        pool.give(0, buffer);
        let again = pool.take(99_000);
        assert!(std::ptr::eq(again.as_ptr(), at) && again.is_empty());
        pool.give(1, again);
        assert_eq!(pool.deadline(), Some(IDLE_US + 1));
        pool.trim(IDLE_US);
        assert!(pool.bytes > 0);
        pool.trim(IDLE_US + 1);
        assert_eq!((pool.bytes, pool.deadline()), (0, None));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = Pool::default();
        for _ in 0..40 {
            pool.give(0, Vec::with_capacity(1 << 20));
        }
        assert_eq!(pool.bytes, KEPT_BYTES);
    }
}
