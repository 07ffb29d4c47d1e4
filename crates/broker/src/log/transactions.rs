//! Open and aborted transactions of a partition: the last stable offset, and what read_committed must skip (KIP-98).

use std::collections::BTreeMap;

use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, ControlRecord, ControlType, read_record};

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: i64,
    /// Of its first record.
    pub(crate) first_offset: i64,
    /// Of its marker.
    pub(crate) last_offset: i64,
}

/// The transactions of one partition.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// First offset of each open one, by producer.
    open: BTreeMap<i64, i64>,
    /// In the order of their markers.
    aborted: Vec<AbortedTransaction>,
}

impl Transactions {
    /// Notes a batch that was appended; `header` has its offsets, `batch` is whole.
    pub(crate) fn appended(&mut self, header: &BatchHeader, batch: &[u8]) {
        if !header.is_transactional() {
            return;
        }
        let producer_id = header.producer_id;
        if !header.is_control() {
            self.open.entry(producer_id).or_insert(header.base_offset);
            return;
        }
        let ended = match marker(batch) {
            Some(ControlType::Abort | ControlType::Commit) => self.open.remove(&producer_id),
            Some(ControlType::Other(_)) | None => None,
        };
        if let (Some(first_offset), Some(ControlType::Abort)) = (ended, marker(batch)) {
            self.aborted.push(AbortedTransaction { producer_id, first_offset, last_offset: header.last_offset() });
        }
    }

    /// Up to where read_committed reads: the first record of the oldest open transaction, or the end.
    pub(crate) fn last_stable_offset(&self, end_offset: i64) -> i64 {
        self.open.values().copied().min().unwrap_or(end_offset)
    }

    /// The aborted transactions with records from `from` to `to` (excluded).
    pub(crate) fn aborted(&self, from: i64, to: i64) -> Vec<AbortedTransaction> {
        let begin = self.aborted.partition_point(|aborted| aborted.last_offset < from);
        self.aborted.iter().skip(begin).filter(|aborted| aborted.first_offset < to).copied().collect()
    }
}

/// What the first record of a control batch says.
fn marker(batch: &[u8]) -> Option<ControlType> {
    let record = read_record(batch.get(BATCH_HEADER_LEN..)?, &mut 0).ok()?;
    Some(ControlRecord::parse(record.key?).ok()?.control_type)
}
