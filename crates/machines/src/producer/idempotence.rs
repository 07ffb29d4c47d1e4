//! Producer id, epoch and sequences (KIP-98): what makes the broker drop duplicates and keep the order.
//!
//! ```text
//!            ask                 answer
//! Unset ------------> Asking ------------> Ready
//!   ^                   | failed, again      | a gap in the sequences (a batch was given up, the broker lost them)
//!   |                   v                    v
//!   +<--- no epoch is left ------------- Draining ---> Ready in the next epoch, once nothing of the old one is open
//! ```
//! While draining, batches that carry a sequence of the old epoch are tried on with it, for their outcome is unknown and in
//! a new one they could be written twice; all others wait. A new epoch starts every partition at 0. It is the producer's to
//! choose, and better than another id (KIP-360): a request of the old epoch that was given up, and reaches the broker when
//! later records are written, is refused there.
//!
//! A broker that knows nothing of an id takes its first batch with whatever sequence. So that a second batch cannot be
//! written where the first was refused, a partition has one batch in flight until one is confirmed.
use std::collections::{BTreeMap, BTreeSet};

use super::batch::Sequenced;

/// Where the producer is with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Unset { not_before_us: u64 },
    Asking,
    Ready { producer_id: i64, producer_epoch: i16 },
    Draining { producer_id: i64, producer_epoch: i16 },
}

/// See the module.
#[derive(Debug)]
pub struct Idempotence {
    state: State,
    next_sequences: BTreeMap<(u32, i32), i32>,
    /// Partitions whose leader has written a batch of this id and epoch.
    confirmed: BTreeSet<(u32, i32)>,
}

impl Idempotence {
    pub fn new() -> Self {
        let state = State::Unset { not_before_us: 0 };
        Self { state, next_sequences: BTreeMap::new(), confirmed: BTreeSet::new() }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Whether an id is to be asked for now.
    pub fn wants_id(&self, now_us: u64) -> bool {
        matches!(self.state, State::Unset { not_before_us } if not_before_us <= now_us)
    }

    pub fn asked(&mut self) {
        self.state = State::Asking;
    }

    /// The question failed; again after `not_before_us`.
    pub fn again(&mut self, not_before_us: u64) {
        self.state = State::Unset { not_before_us };
    }

    pub fn answered(&mut self, producer_id: i64, producer_epoch: i16) {
        self.next_sequences.clear();
        self.confirmed.clear();
        self.state = State::Ready { producer_id, producer_epoch };
    }

    /// Whether a batch may be sent: one without a sequence needs a live id.
    pub fn allows(&self, sequenced: Option<Sequenced>) -> bool {
        sequenced.is_some() || matches!(self.state, State::Ready { .. })
    }

    /// A batch with this sequence was written.
    pub fn written(&mut self, partition: (u32, i32), sequenced: Sequenced) {
        if let State::Ready { producer_id, producer_epoch } = self.state
            && (producer_id, producer_epoch) == (sequenced.producer_id, sequenced.producer_epoch)
        {
            self.confirmed.insert(partition);
        }
    }

    /// Whether a partition may have more than one batch in flight.
    pub fn pipelines(&self, partition: (u32, i32)) -> bool {
        self.confirmed.contains(&partition)
    }

    /// The sequence of a partition's next `count` records.
    pub fn next(&mut self, partition: (u32, i32), count: u32) -> Option<Sequenced> {
        let State::Ready { producer_id, producer_epoch } = self.state else { return None };
        let next = self.next_sequences.entry(partition).or_insert(0);
        let base_sequence = *next;
        // Sequences go round below 2^31.
        *next = ((i64::from(base_sequence) + i64::from(count)) & i64::from(i32::MAX)) as i32;
        Some(Sequenced { producer_id, producer_epoch, base_sequence })
    }

    /// A gap: this epoch cannot go on.
    pub fn drain(&mut self) {
        if let State::Ready { producer_id, producer_epoch } = self.state {
            self.state = State::Draining { producer_id, producer_epoch };
        }
    }

    /// Nothing carries a sequence of the old epoch any more.
    pub fn drained(&mut self) {
        let State::Draining { producer_id, producer_epoch } = self.state else { return };
        match producer_epoch.checked_add(1) {
            Some(next) => self.answered(producer_id, next),
            None => self.state = State::Unset { not_before_us: 0 },
        }
    }

    pub fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }
}

impl Default for Idempotence {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_count_per_partition_and_go_round() {
        let mut ids = Idempotence::new();
        assert!(ids.wants_id(0) && ids.next((0, 0), 1).is_none() && !ids.allows(None));
        ids.asked();
        assert!(!ids.wants_id(0));
        ids.answered(7, 1);
        let base = |ids: &mut Idempotence, partition, count| {
            ids.next(partition, count).map(|sequenced| sequenced.base_sequence)
        };
        assert_eq!(
            [base(&mut ids, (0, 0), 10), base(&mut ids, (0, 0), 5), base(&mut ids, (0, 1), 1)],
            [Some(0), Some(10), Some(0)]
        );
        base(&mut ids, (0, 0), i32::MAX as u32 - 15);
        assert_eq!(base(&mut ids, (0, 0), 3), Some(i32::MAX));
        assert_eq!(base(&mut ids, (0, 0), 1), Some(2));
    }

    #[test]
    fn a_partition_pipelines_once_the_id_is_confirmed_there() {
        let mut ids = Idempotence::new();
        ids.answered(7, 0);
        let old = ids.next((0, 0), 3).unwrap();
        assert!(!ids.pipelines((0, 0)));
        ids.written((0, 0), old);
        assert!(ids.pipelines((0, 0)) && !ids.pipelines((0, 1)));
        ids.drain();
        ids.drained();
        // An answer of before says nothing of the new epoch.
        ids.written((0, 0), old);
        assert!(!ids.pipelines((0, 0)));
    }

    #[test]
    fn draining_lets_old_sequences_alone_pass_and_then_starts_anew() {
        let mut ids = Idempotence::new();
        ids.answered(7, 0);
        let old = ids.next((0, 0), 3);
        ids.drain();
        assert!(ids.is_draining() && ids.allows(old) && !ids.allows(None) && ids.next((0, 0), 1).is_none());
        ids.drained();
        assert_eq!(ids.next((0, 0), 1), Some(Sequenced { producer_id: 7, producer_epoch: 1, base_sequence: 0 }));
    }

    #[test]
    fn behind_the_last_epoch_there_is_a_new_id() {
        let mut ids = Idempotence::new();
        ids.answered(7, i16::MAX);
        ids.drain();
        ids.drained();
        assert!(ids.wants_id(0) && ids.next((0, 0), 1).is_none());
    }

    /// Every state under every input, as a table; what a state does with an input that does not fit is to stay.
    #[test]
    fn the_table_of_transitions_is_as_kept() {
        type Act = (&'static str, fn(&mut Idempotence));
        let inputs: [Act; 5] = [
            ("asked", Idempotence::asked),
            ("answered", |ids| ids.answered(8, 0)),
            ("failed", |ids| ids.again(99)),
            ("gap", Idempotence::drain),
            ("drained", Idempotence::drained),
        ];
        let old = State::Ready { producer_id: 7, producer_epoch: 0 };
        let draining = State::Draining { producer_id: 7, producer_epoch: 0 };
        let mut table = String::new();
        for from in [State::Unset { not_before_us: 0 }, State::Asking, old, draining] {
            for (name, act) in inputs {
                let mut ids = Idempotence { state: from, ..Idempotence::new() };
                act(&mut ids);
                let word = |state: State| match state {
                    State::Unset { not_before_us: 0 } => "Unset".to_owned(),
                    State::Unset { .. } => "Unset, later".to_owned(),
                    State::Asking => "Asking".to_owned(),
                    State::Ready { producer_id, producer_epoch } => {
                        format!("Ready with {producer_id}/{producer_epoch}")
                    }
                    State::Draining { producer_id, producer_epoch } => {
                        format!("Draining {producer_id}/{producer_epoch}")
                    }
                };
                table.push_str(&format!("{} --{name}--> {}\n", word(from), word(ids.state())));
            }
        }
        assert_eq!(table, include_str!("idempotence.transitions.txt"));
    }
}
