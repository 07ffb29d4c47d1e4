//! Where a partition's reading starts, and the numbers that confluent's offsets are.
//!
//! Turning a logical start into an offset is left to `offset_reset` and the fetcher.
use std::cmp::Ordering;
use std::sync::Arc;

use crate::error::{Error, Kind};

/// confluent's number for "no offset": what `position()` says before the first record is handed over.
pub const OFFSET_INVALID: i64 = -1001;
const OFFSET_STORED: i64 = -1000;
const OFFSET_BEGINNING: i64 = -2;
const OFFSET_END: i64 = -1;
const OFFSET_TAIL_BASE: i64 = -2000;

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartOffset {
    /// At this offset, 0 or more.
    Offset(i64),
    /// At the log's start.
    Beginning,
    /// At the log's end.
    End,
    /// At the committed offset, else by `auto.offset.reset`.
    Stored,
    /// Not said: as `Stored`.
    Invalid,
    /// This many records before the end.
    Tail(i64),
}

impl StartOffset {
    /// Reads confluent's number, `None` for one that means nothing.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0.. => Some(Self::Offset(number)),
            OFFSET_END => Some(Self::End),
            OFFSET_BEGINNING => Some(Self::Beginning),
            OFFSET_STORED => Some(Self::Stored),
            OFFSET_INVALID => Some(Self::Invalid),
            ..=OFFSET_TAIL_BASE => Some(Self::Tail(OFFSET_TAIL_BASE.saturating_sub(number))),
            _ => None,
        }
    }

    /// confluent's number.
    pub fn number(self) -> i64 {
        match self {
            Self::Offset(offset) => offset,
            Self::Beginning => OFFSET_BEGINNING,
            Self::End => OFFSET_END,
            Self::Stored => OFFSET_STORED,
            Self::Invalid => OFFSET_INVALID,
            Self::Tail(records) => OFFSET_TAIL_BASE.saturating_sub(records),
        }
    }
}

/// A partition to assign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    pub topic: Arc<str>,
    pub partition: i32,
    pub start: StartOffset,
}

impl Assigned {
    pub(crate) fn order(&self, topic: &str, partition: i32) -> Ordering {
        (*self.topic).cmp(topic).then(self.partition.cmp(&partition))
    }
}

/// An assignment that was checked and sorted before the lock is taken.
#[derive(Debug, Default)]
pub struct Assignment {
    pub(crate) partitions: Vec<Assigned>,
}

impl Assignment {
    /// Checks and sorts by topic and partition.
    ///
    /// # Errors
    /// `Kind::InvalidArgument` for a partition that is named twice, with the original's words for its log.
    pub fn new(mut partitions: Vec<Assigned>) -> Result<Self, Error> {
        partitions.sort_by(|a, b| a.order(&b.topic, b.partition));
        for pair in partitions.windows(2) {
            if let [first, second] = pair
                && first.order(&second.topic, second.partition).is_eq()
            {
                let text = format!("Duplicate {} [{}] in input list", first.topic, first.partition);
                return Err(Error::with_text(Kind::InvalidArgument, text));
            }
        }
        Ok(Self { partitions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_confluents_both_ways() {
        for (number, start) in [
            (0, StartOffset::Offset(0)),
            (i64::MAX, StartOffset::Offset(i64::MAX)),
            (-1, StartOffset::End),
            (-2, StartOffset::Beginning),
            (-1000, StartOffset::Stored),
            (-1001, StartOffset::Invalid),
            (-2000, StartOffset::Tail(0)),
            (-2005, StartOffset::Tail(5)),
        ] {
            assert_eq!(StartOffset::from_number(number), Some(start));
            assert_eq!(start.number(), number);
        }
        assert_eq!([-3, -7, -999, -1002, -1999].map(StartOffset::from_number), [None; 5]);
    }

    #[test]
    fn an_assignment_is_sorted_and_names_no_partition_twice() {
        let assigned = |topic: &str, partition| Assigned { topic: topic.into(), partition, start: StartOffset::Stored };
        let sorted = Assignment::new(vec![assigned("b", 0), assigned("a", 2), assigned("a", 1)]).unwrap();
        let order: Vec<_> = sorted.partitions.iter().map(|one| (one.topic.to_string(), one.partition)).collect();
        assert_eq!(order, [("a".into(), 1), ("a".into(), 2), ("b".into(), 0)]);
        let twice = Assignment::new(vec![assigned("a", 1), assigned("b", 0), assigned("a", 1)]);
        assert_eq!(twice.unwrap_err().text.as_deref(), Some("Duplicate a [1] in input list"));
    }
}
