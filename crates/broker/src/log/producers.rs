//! Idempotence: what each producer appended last, and whether a batch follows it (KIP-98; the answers are those of
//! Kafka 4.4, where a producer that the log does not know may begin with any sequence).

use std::collections::{BTreeMap, VecDeque};

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::records::BatchHeader;

use super::incoming::Refused;

/// How many batches of a producer a duplicate is looked for in: as many as it may have in flight.
const REMEMBERED: usize = 5;

/// One batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    /// Where its first record is.
    pub(crate) base_offset: i64,
    /// Its greatest timestamp.
    pub(crate) max_timestamp: i64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers(BTreeMap<i64, Producer>);

/// What a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// The next one, or one without a producer id.
    Next,
    /// One that was appended already.
    Duplicate(Remembered),
}

impl Producers {
    /// Whether the batch follows what its producer appended before.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_EPOCH` for an epoch below the last one, `OUT_OF_ORDER_SEQUENCE_NUMBER` for a gap.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Sequence, Refused> {
        let Some(producer) = self.0.get(&header.producer_id).filter(|_| header.producer_id >= 0) else {
            return Ok(Sequence::Next);
        };
        let (first, last) = sequences(header);
        if header.producer_epoch == producer.epoch {
            let same = |batch: &&Remembered| batch.first_sequence == first && batch.last_sequence == last;
            if let Some(batch) = producer.batches.iter().find(same) {
                return Ok(Sequence::Duplicate(*batch));
            }
        }
        if header.producer_epoch < producer.epoch {
            return Err(Refused::by_log(ErrorCode::INVALID_PRODUCER_EPOCH));
        }
        let expected = match producer.batches.back() {
            Some(batch) if header.producer_epoch == producer.epoch => following(batch.last_sequence, 1),
            _ => 0,
        };
        if first == expected {
            return Ok(Sequence::Next);
        }
        Err(Refused::by_log(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER))
    }

    /// Remembers a batch that was appended.
    pub(crate) fn appended(&mut self, header: &BatchHeader, base_offset: i64) {
        if header.producer_id < 0 {
            return;
        }
        let fresh = || Producer { epoch: header.producer_epoch, batches: VecDeque::with_capacity(REMEMBERED) };
        let producer = self.0.entry(header.producer_id).or_insert_with(fresh);
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        // A marker has no sequence, but it may raise the epoch.
        if header.is_control() {
            return;
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        let (first_sequence, last_sequence) = sequences(header);
        producer.batches.push_back(Remembered {
            first_sequence,
            last_sequence,
            base_offset,
            max_timestamp: header.max_timestamp,
        });
    }
}

/// First and last sequence of a batch.
fn sequences(header: &BatchHeader) -> (i32, i32) {
    (header.base_sequence, following(header.base_sequence, header.last_offset_delta))
}

/// Sequences go on with 0 behind the highest.
fn following(sequence: i32, by: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(by);
    (if sum > i64::from(i32::MAX) { sum - i64::from(i32::MAX) - 1 } else { sum }) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::header;

    fn codes(producers: &mut Producers, batches: &[(i16, i32, i32)]) -> Vec<i16> {
        let mut offset = 0;
        let mut code = |(epoch, sequence, count): &(i16, i32, i32)| {
            let batch = BatchHeader { producer_epoch: *epoch, ..header(9, *sequence, *count) };
            match producers.check(&batch) {
                Ok(Sequence::Next) => {
                    producers.appended(&batch, offset);
                    offset += i64::from(*count);
                    0
                }
                Ok(Sequence::Duplicate(old)) => 1000 + old.base_offset as i16,
                Err(refused) => refused.code.0,
            }
        };
        batches.iter().map(&mut code).collect()
    }

    #[test]
    fn sequences_follow_one_another_and_the_last_five_batches_are_known_again() {
        let batches: Vec<_> = (0..7).map(|batch| (0, batch * 10, 10)).collect();
        let mut producers = Producers::default();
        assert_eq!(codes(&mut producers, &batches), [0; 7]);
        assert_eq!(codes(&mut producers, &batches), [45, 45, 1020, 1030, 1040, 1050, 1060]);
        // Not the same range: not the same batch.
        assert_eq!(codes(&mut producers, &[(0, 60, 5), (0, 71, 1), (0, 70, 1)]), [45, 45, 0]);
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
        let batches = [(0, 0, 10), (1, 10, 1), (1, 0, 1), (0, 10, 1), (0, 0, 10), (1, 1, 1)];
        assert_eq!(codes(&mut Producers::default(), &batches), [0, 45, 0, 47, 47, 0]);
    }

    #[test]
    fn an_unknown_producer_begins_anywhere() {
        assert_eq!(codes(&mut Producers::default(), &[(3, 77, 1), (3, 78, 1), (3, 80, 1)]), [0, 0, 45]);
    }

    #[test]
    fn sequences_go_on_with_zero_behind_the_highest() {
        let batches = [(0, i32::MAX - 4, 10), (0, 5, 1), (0, i32::MAX - 4, 10)];
        assert_eq!(codes(&mut Producers::default(), &batches), [0, 0, 1000]);
        let batches = [(0, i32::MAX, 1), (0, 0, 1)];
        assert_eq!(codes(&mut Producers::default(), &batches), [0, 0]);
    }
}
