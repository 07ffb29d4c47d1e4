//! [`Log`]: appends batches, numbering them in place, and reads them as slices of the requests that brought them.

use std::collections::VecDeque;
use std::ops::Range;

use ottla_protocol::crc::crc32c;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::records::header::CRC_START;
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, TimestampType};

use super::incoming::{Incoming, Refused, Rules};
use super::producers::{Producers, Sequence};
use super::transactions::{AbortedTransaction, Transactions};
use crate::frame::{Frame, Segment};

/// Where a batch's attributes are, and its greatest timestamp.
const ATTRIBUTES: usize = 21;
const MAX_TIMESTAMP: usize = 35;
const LOG_APPEND_TIME: u8 = 0x08;
/// Batches below this many bytes are copied into one piece of the response: a slice each would cost more.
const GATHERED: usize = 512;

/// A batch as it is kept.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) frame: Frame,
    pub(super) range: Range<usize>,
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    pub(super) max_timestamp: i64,
    pub(super) leader_epoch: i32,
}

impl Stored {
    pub(super) fn bytes(&self) -> &[u8] {
        self.frame.as_slice().get(self.range.clone()).unwrap_or_default()
    }
}

/// The log of one partition.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(super) batches: VecDeque<Stored>,
    start_offset: i64,
    end_offset: i64,
    /// Each leader epoch that appended, with its first offset.
    pub(super) epochs: Vec<(i32, i64)>,
    producers: Producers,
    transactions: Transactions,
    bytes: u64,
}

/// Where records were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// The time the log gave them, -1 where they keep their own.
    pub(crate) log_append_time_ms: i64,
    /// Whether they were there before.
    pub(crate) duplicate: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) segments: Vec<Segment>,
    /// Bytes of all segments.
    pub(crate) bytes: usize,
    /// Those that read_committed must skip; empty otherwise.
    pub(crate) aborted: Vec<AbortedTransaction>,
}

impl Log {
    /// Offset of the first record that is kept.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// Offset of the next record. All replicas share the log, so it is the high watermark too.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Up to where read_committed reads.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.transactions.last_stable_offset(self.end_offset)
    }

    /// Bytes of records that are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the batch is a duplicate of one that was appended; to be asked before [`append`](Self::append).
    ///
    /// # Errors
    /// It does not follow what its producer appended.
    pub(crate) fn check_sequence(&self, incoming: &Incoming) -> Result<Option<Appended>, Refused> {
        Ok(match self.producers.check(&incoming.header)? {
            Sequence::Next => None,
            Sequence::Duplicate(batch) => Some(Appended {
                base_offset: batch.base_offset,
                // Kafka says the batch's own time here, even with CreateTime.
                log_append_time_ms: batch.max_timestamp,
                duplicate: true,
            }),
        })
    }

    /// Appends a batch: its offset and leader epoch are written in place (they are not checksummed), and with
    /// LogAppendTime the time. The frame is copied only where someone else holds it.
    pub(crate) fn append(
        &mut self,
        frame: &mut Frame,
        range: Range<usize>,
        mut header: BatchHeader,
        leader_epoch: i32,
        rules: &Rules,
    ) -> Appended {
        let base_offset = self.end_offset;
        let mut log_append_time_ms = -1;
        let log_append_time = rules.timestamp_type == TimestampType::LogAppendTime && !header.is_control();
        if let Some(batch) = frame.make_mut().get_mut(range.clone())
            && batch.len() >= BATCH_HEADER_LEN
        {
            batch[..8].copy_from_slice(&base_offset.to_be_bytes());
            batch[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
            if header.timestamp_type() != rules.timestamp_type || log_append_time {
                batch[ATTRIBUTES + 1] &= !LOG_APPEND_TIME;
                if log_append_time {
                    log_append_time_ms = rules.wall_ms;
                    header.max_timestamp = rules.wall_ms;
                    batch[ATTRIBUTES + 1] |= LOG_APPEND_TIME;
                    batch[MAX_TIMESTAMP..MAX_TIMESTAMP + 8].copy_from_slice(&rules.wall_ms.to_be_bytes());
                }
                let crc = crc32c(&batch[CRC_START..]);
                batch[CRC_START - 4..CRC_START].copy_from_slice(&crc.to_be_bytes());
            }
        }
        header.base_offset = base_offset;
        let stored = Stored {
            frame: frame.clone(),
            range,
            base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            leader_epoch,
        };
        self.producers.appended(&header, base_offset);
        self.transactions.appended(&header, stored.bytes());
        self.begin_epoch(leader_epoch);
        self.end_offset = header.next_offset();
        self.bytes += stored.range.len() as u64;
        self.batches.push_back(stored);
        Appended { base_offset, log_append_time_ms, duplicate: false }
    }

    /// The end that a reader sees.
    pub(crate) fn visible_end(&self, read_committed: bool) -> i64 {
        if read_committed { self.last_stable_offset() } else { self.end_offset }
    }

    /// Bytes that a reader at `offset` could have, counted no further than `enough`.
    pub(crate) fn available(&self, offset: i64, read_committed: bool, enough: usize) -> usize {
        let end = self.visible_end(read_committed);
        let mut bytes = 0;
        for batch in self.batches.range(self.index_of(offset)..) {
            if batch.base_offset >= end || bytes >= enough {
                break;
            }
            bytes += batch.range.len();
        }
        bytes
    }

    /// Reads from the batch that holds `offset`. At most `max_bytes`, cutting the last batch short as Kafka does; but
    /// with `whole_first` the first batch is whole whatever its size, and without it nothing comes where it does not fit.
    ///
    /// # Errors
    /// `OFFSET_OUT_OF_RANGE`.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        whole_first: bool,
        read_committed: bool,
    ) -> Result<Read, ErrorCode> {
        if offset < self.start_offset || offset > self.end_offset {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        let end = self.visible_end(read_committed);
        let mut read = Read::default();
        let mut next = offset;
        for batch in self.batches.range(self.index_of(offset)..) {
            let left = max_bytes.saturating_sub(read.bytes);
            let first = read.bytes == 0;
            let length = if first && whole_first { batch.range.len() } else { batch.range.len().min(left) };
            if batch.base_offset >= end || length == 0 || (first && length < batch.range.len()) {
                break;
            }
            read.push(batch, length);
            next = batch.last_offset + 1;
            if length < batch.range.len() {
                break;
            }
        }
        if read_committed {
            read.aborted = self.transactions.aborted(offset, next.max(offset));
        }
        Ok(read)
    }

    /// Where the records of `epoch`, or of the last one before it, end, and that epoch; `None` for an epoch that is
    /// yet to come.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let behind = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let floor = behind.checked_sub(1).and_then(|place| self.epochs.get(place)).map(|(known, _)| *known);
        match self.epochs.get(behind) {
            Some((_, start)) => Some((floor.unwrap_or(epoch), *start)),
            None if floor == Some(epoch) => Some((epoch, self.end_offset)),
            None => None,
        }
    }

    /// A leader of this epoch begins to append.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            // One under which nothing was appended is forgotten, as Kafka does.
            while self.epochs.last().is_some_and(|(_, start)| *start >= self.end_offset) {
                self.epochs.pop();
            }
            self.epochs.push((epoch, self.end_offset));
        }
    }

    /// The leader epoch of the record at `offset`.
    pub(crate) fn epoch_at(&self, offset: i64) -> Option<i32> {
        let place = self.epochs.partition_point(|(_, start)| *start <= offset);
        self.epochs.get(place.checked_sub(1)?).map(|(epoch, _)| *epoch)
    }

    /// Where the batch that holds `offset`, or the first one behind it, stands.
    fn index_of(&self, offset: i64) -> usize {
        self.batches.partition_point(|batch| batch.last_offset < offset)
    }
}

impl Read {
    fn push(&mut self, batch: &Stored, length: usize) {
        let bytes = batch.bytes().get(..length).unwrap_or_default();
        self.bytes += length;
        if length >= GATHERED {
            let range = batch.range.start..batch.range.start + length;
            self.segments.push(Segment::Slice { frame: batch.frame.clone(), range });
        } else if let Some(Segment::Bytes(gathered)) = self.segments.last_mut() {
            gathered.extend_from_slice(bytes);
        } else {
            self.segments.push(Segment::Bytes(bytes.to_vec()));
        }
    }
}
