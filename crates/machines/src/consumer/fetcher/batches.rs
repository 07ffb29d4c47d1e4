//! The record batches of a partition: checked, filtered, decompressed, in order (E16); what is bad is fetched once more (E19).
//!
//! Records are decoded when they are taken; that a batch's records are what its header says is seen there.
use ottla_protocol::compression::{Codec, CompressionError};
use ottla_protocol::messages::fetch::PartitionData;
use ottla_protocol::records::reader::check_count;
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, BatchIter, ControlRecord, ControlType, RecordsError};
use ottla_protocol::records::{check_crc, read_record};

use super::super::aborted::Aborted;
use super::super::batch::{Batch, Item, PartitionError};
use super::super::budget::Origin;
use super::answers::Source;
use super::state::{Fetcher, Partition, Pending, Phase};
use crate::client::Outbox;
use crate::error::{Error, Kind};
use crate::job::Job;
use crate::machine::Frame;

/// What is wrong with a batch.
struct Bad {
    base_offset: i64,
    /// Where to go on behind it.
    next_offset: i64,
    kind: Kind,
    what: String,
}

impl Fetcher {
    /// Takes the batches of a partition in. Returns whether there was a whole one.
    pub(crate) fn take_batches(
        &mut self,
        slot: usize,
        records: &[u8],
        data: &PartitionData<'_>,
        source: &Source<'_>,
        outbox: &mut Outbox,
    ) -> bool {
        let (committed, limit) = (self.read_committed(), self.decompressed_limit());
        let mut aborted = Aborted::new(data.aborted_transactions.as_deref().filter(|_| committed));
        let mut batches = BatchIter::new(records);
        let mut served = false;
        loop {
            let at = batches.position();
            let Some(partition) = self.partitions.get_mut(slot) else { return served };
            let Phase::Fetch { offset } = partition.phase else { return served };
            let (range, header) = match batches.next() {
                None => return served,
                Some(Ok(batch)) => batch,
                Some(Err(error)) => {
                    self.unreadable(slot, records.get(at..).unwrap_or_default(), error);
                    return served;
                }
            };
            served = true;
            let batch = records.get(range.clone()).unwrap_or_default();
            let checked = self.settings.check_crcs || partition.suspect == Some(header.base_offset);
            let codec = header.codec();
            let wrong = if checked && !check_crc(&header, batch) {
                Some((Kind::BadMessage, "its CRC does not match".to_owned()))
            } else {
                codec.err().map(|error| (Kind::BadCompression, error.to_string()))
            };
            if let Some((kind, what)) = wrong {
                let next_offset =
                    behind(&header, offset, data.high_watermark, records.get(range.end..).unwrap_or_default());
                if self.bad_batch(slot, Bad { base_offset: header.base_offset, next_offset, kind, what }) {
                    continue;
                }
                return served;
            }
            if header.next_offset() <= offset {
                continue;
            }
            let second_try = partition.suspect.take_if(|base| *base == header.base_offset).is_some();
            partition.phase = Phase::Fetch { offset: header.next_offset() };
            partition.last_fetched_epoch = header.partition_leader_epoch;
            aborted.reach(header.last_offset());
            if header.is_control() {
                if is_abort(batch) {
                    aborted.end(header.producer_id);
                }
                continue;
            }
            if (header.is_transactional() && aborted.contains(header.producer_id)) || header.record_count == 0 {
                continue;
            }
            let Some(place) = source.frame.range_of(batch) else { return served };
            let place = place.start + BATCH_HEADER_LEN..place.end;
            let bytes = place.len();
            self.budget.need(source.buffer_id, bytes);
            partition.held += bytes;
            self.holding.insert(partition.epoch);
            let pending = match codec {
                Ok(Codec::None) | Err(_) => {
                    let buffer = (source.frame.clone(), source.buffer_id);
                    let records = (place.start as u32, place.end as u32);
                    let mut batch = Batch::new(&header, partition.epoch, buffer, records, offset);
                    batch.second_try = second_try;
                    Pending::Ready(Item::Batch(batch))
                }
                Ok(codec) => {
                    self.next_tag += 1;
                    let job = self.next_tag;
                    self.jobs.insert(job, (slot, partition.epoch));
                    let out = self.spare.pop().unwrap_or_default();
                    let frame = source.frame.clone();
                    outbox.job(Job::Decompress { tag: job, codec, frame, range: place, limit, out });
                    Pending::Decompressing { job, header, from: offset, second_try, buffer_id: source.buffer_id, bytes }
                }
            };
            partition.pending.push_back(pending);
        }
    }

    /// A batch came back from the work thread.
    pub(crate) fn decompressed(
        &mut self,
        slot: usize,
        epoch: u64,
        job: u64,
        result: Result<Vec<u8>, CompressionError>,
    ) {
        let Some(partition) = self.partitions.get_mut(slot).filter(|partition| partition.epoch == epoch) else {
            return;
        };
        let waits = |pending: &Pending| matches!(pending, Pending::Decompressing { job: waits, .. } if *waits == job);
        let Some(index) = partition.pending.iter().position(waits) else { return };
        let Some(Pending::Decompressing { header, from, second_try, buffer_id, bytes, .. }) =
            partition.pending.get(index)
        else {
            return;
        };
        let (header, from, second_try, buffer_id, bytes) = (*header, *from, *second_try, *buffer_id, *bytes);
        self.budget.done(buffer_id, bytes);
        partition.held = partition.held.saturating_sub(bytes);
        let result = result.map_err(|error| (Kind::BadCompression, error.to_string())).and_then(|buffer| {
            check_count(header.record_count, buffer.len()).map_err(|error| (Kind::BadMessage, error.to_string()))?;
            u32::try_from(buffer.len()).map_err(|_| (Kind::BadMessage, RecordsError::TooLarge.to_string()))?;
            Ok(buffer)
        });
        let item = match result {
            Ok(buffer) => {
                let size = buffer.len() as u32;
                let frame = Frame::new(buffer);
                let id = self.budget.hold(frame.clone(), Origin::Own);
                self.budget.need(id, size as usize);
                partition.held += size as usize;
                self.holding.insert(epoch);
                let mut batch = Batch::new(&header, epoch, (frame, id), (0, size), from);
                batch.second_try = second_try;
                Item::Batch(batch)
            }
            Err((kind, what)) if second_try => {
                let bad = Bad { base_offset: header.base_offset, next_offset: header.next_offset(), kind, what };
                error_of(partition, &bad, from)
            }
            Err(_) => {
                // Fetched once more, and all that followed it.
                partition.suspect = Some(header.base_offset);
                partition.phase = Phase::Fetch { offset: from };
                partition.eof_at = None;
                partition.turn = 0;
                self.due.insert(slot);
                for dropped in partition.pending.drain(index..).skip(1) {
                    let (id, bytes) = match &dropped {
                        Pending::Ready(Item::Batch(batch)) => (batch.buffer_id, batch.bytes as usize),
                        Pending::Decompressing { buffer_id, bytes, .. } => (*buffer_id, *bytes),
                        Pending::Ready(Item::Error(_)) => continue,
                    };
                    self.budget.done(id, bytes);
                    partition.held = partition.held.saturating_sub(bytes);
                }
                return;
            }
        };
        if let Some(place) = partition.pending.get_mut(index) {
            *place = Pending::Ready(item);
        }
        self.hand_out(slot);
    }

    /// Returns whether to go on behind the batch: it was bad twice.
    fn bad_batch(&mut self, slot: usize, bad: Bad) -> bool {
        let Some(partition) = self.partitions.get_mut(slot) else { return false };
        let Phase::Fetch { offset } = partition.phase else { return false };
        if partition.suspect != Some(bad.base_offset) {
            partition.suspect = Some(bad.base_offset);
            partition.turn = 0;
            return false;
        }
        partition.suspect = None;
        partition.phase = Phase::Fetch { offset: bad.next_offset };
        if partition.reported_bad.replace(bad.base_offset) != Some(bad.base_offset) {
            let item = error_of(partition, &bad, offset);
            partition.pending.push_back(Pending::Ready(item));
        }
        true
    }

    /// What is there has not the shape of a batch: the rest of the partition's data cannot be read.
    fn unreadable(&mut self, slot: usize, rest: &[u8], error: RecordsError) {
        let Some(partition) = self.partitions.get_mut(slot) else { return };
        let Phase::Fetch { offset } = partition.phase else { return };
        let epoch = partition.epoch;
        if let RecordsError::OldFormat { .. } = error {
            partition.phase = Phase::Stopped;
            let text = format!("{} [{}]: offset {offset}: {error}", partition.topic, partition.partition);
            return self.report(slot, epoch, offset, Error::with_text(Kind::NotImplemented, text));
        }
        let base_offset = rest.first_chunk::<8>().map_or(offset, |bytes| i64::from_be_bytes(*bytes));
        let bad =
            Bad { base_offset, next_offset: offset.saturating_add(1), kind: Kind::BadMessage, what: error.to_string() };
        self.bad_batch(slot, bad);
    }
}

/// The error of a batch that was bad twice.
fn error_of(partition: &Partition, bad: &Bad, from: i64) -> Item {
    let (topic, number) = (partition.topic.clone(), partition.partition);
    let last = bad.next_offset.wrapping_sub(1);
    let text = format!(
        "{topic} [{number}]: bad batch at offsets {} to {last}, fetched twice: {}; going on at offset {}",
        bad.base_offset, bad.what, bad.next_offset
    );
    let error = Error::with_text(bad.kind, text);
    Item::Error(Box::new(PartitionError { topic, partition: number, offset: from.max(bad.base_offset), error }))
}

/// The offset behind a batch whose header is not to be trusted: where the next batch begins, else what the header says as far as
/// it can be, else the next offset.
fn behind(header: &BatchHeader, offset: i64, high_watermark: i64, rest: &[u8]) -> i64 {
    let following = BatchHeader::parse(rest).ok().map(|next| next.base_offset);
    [following, Some(header.next_offset())]
        .into_iter()
        .flatten()
        .find(|next| *next > offset && *next <= high_watermark)
        .unwrap_or(offset.saturating_add(1))
}

/// Whether a control batch ends an aborted transaction.
fn is_abort(batch: &[u8]) -> bool {
    let records = batch.get(BATCH_HEADER_LEN..).unwrap_or_default();
    let key = read_record(records, &mut 0).ok().and_then(|record| record.key);
    key.and_then(|key| ControlRecord::parse(key).ok()).is_some_and(|record| record.control_type == ControlType::Abort)
}
