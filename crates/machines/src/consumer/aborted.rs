//! Which batches belong to aborted transactions (KIP-98): dropped for who reads committed records alone.
use std::collections::BTreeSet;

use ottla_protocol::messages::fetch::AbortedTransaction;

/// The aborted transactions of one partition in one Fetch response, walked along with its batches.
#[derive(Debug)]
pub(crate) struct Aborted {
    /// Producer and first offset, the last first.
    ahead: Vec<(i64, i64)>,
    /// Producers in an aborted transaction at this point of the log.
    open: BTreeSet<i64>,
}

impl Aborted {
    pub(crate) fn new(list: Option<&[AbortedTransaction]>) -> Self {
        let list = list.unwrap_or_default();
        let mut ahead: Vec<_> = list.iter().map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        ahead.sort_unstable_by(|a, b| b.cmp(a));
        Self { ahead, open: BTreeSet::new() }
    }

    /// Comes to a batch that ends at `last_offset`.
    pub(crate) fn reach(&mut self, last_offset: i64) {
        while let Some((_, producer)) = self.ahead.pop_if(|(first, _)| *first <= last_offset) {
            self.open.insert(producer);
        }
    }

    /// The producer's transaction ends here by an abort marker.
    pub(crate) fn end(&mut self, producer_id: i64) {
        self.open.remove(&producer_id);
    }

    /// Whether a transactional batch of this producer, the one last reached, is aborted.
    pub(crate) fn contains(&self, producer_id: i64) -> bool {
        self.open.contains(&producer_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_interleaved_producers_through_the_log() {
        let aborted = |producer_id, first_offset| AbortedTransaction { producer_id, first_offset };
        let mut walk = Aborted::new(Some(&[aborted(7, 30), aborted(1, 10), aborted(2, 12), aborted(1, 40)]));
        walk.reach(9);
        assert!(!walk.contains(1) && !walk.contains(2));
        walk.reach(11);
        assert!(walk.contains(1) && !walk.contains(2));
        walk.reach(20);
        walk.end(1);
        assert!(!walk.contains(1) && walk.contains(2));
        walk.reach(45);
        assert!(walk.contains(1) && walk.contains(7), "the second one of the same producer");
        walk.end(2);
        assert!(!walk.contains(2));
    }

    #[test]
    fn nothing_is_aborted_without_a_list() {
        let mut walk = Aborted::new(None);
        walk.reach(i64::MAX);
        assert!(!walk.contains(1));
    }
}
