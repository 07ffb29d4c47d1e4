//! Taking records: the consumer's hot path (E16), on the caller's thread under the lock.
//!
//! One varint walk a record. `take` copies a small record into the caller's scratch, `take_many` leaves positions in buffers
//! that the caller holds once each. No cursor leaves the lock: a poll nested in a finaliser goes on where this one ended.
use ottla_protocol::records::{RecordsError, read_record_offsets};

use super::batch::{Batch, Item, PartitionError, TIMESTAMP_LOG_APPEND_TIME};
use super::fetch_buffer::{FetchBuffer, bad_records};
use super::positions::StartOffset;
use super::taken::{COPY_LIMIT, RUN_LIMIT, RecordRun, RunBatch, RunRecord, Scratch, Span, Take, TakenRecord};

impl FetchBuffer {
    /// Takes the next record.
    #[inline]
    pub fn take(&mut self, scratch: &mut Scratch) -> Take {
        self.polled = true;
        loop {
            let Some(batch) = &mut self.current else {
                match self.next_batch() {
                    Next::Batch => continue,
                    Next::Error(error) => return Take::Error(error),
                    Next::Nothing => return Take::Empty,
                }
            };
            if batch.remaining == 0 {
                self.finish_batch();
                continue;
            }
            let data = batch.buffer.as_slice().get(..batch.end as usize).unwrap_or_default();
            let mut position = batch.position as usize;
            let record = match read_record_offsets(data, &mut position) {
                Ok(record) => record,
                Err(cause) => match self.bad_record(cause) {
                    Some(error) => return Take::Error(error),
                    None => continue,
                },
            };
            batch.position = position as u32;
            batch.remaining -= 1;
            let offset = batch.base_offset.wrapping_add(i64::from(record.offset_delta));
            if offset < batch.from {
                continue;
            }
            let Some(slot) = self.slots.get_mut(self.current_slot as usize) else { return Take::Empty };
            slot.position = Some(offset.wrapping_add(1));
            slot.resume = slot.position;
            slot.position_epoch = batch.leader_epoch;
            let timestamp_ms = timestamp(batch, record.timestamp_delta);
            let (mut key, mut value) = (Span::of(record.key()), Span::of(record.value()));
            let mut headers = Span::of(Some(record.headers()));
            // Key, value and headers lie behind each other, with lengths between.
            let first = if key.length >= 0 { key.start } else { headers.start.min(value_start(value, headers)) };
            let last = headers.start.wrapping_add(headers.length as u32);
            let bytes = data.get(first as usize..last as usize).unwrap_or_default();
            let held = match scratch.copied.get_mut(..bytes.len()) {
                Some(room) if bytes.len() <= COPY_LIMIT => {
                    room.copy_from_slice(bytes);
                    for span in [&mut key, &mut value, &mut headers] {
                        span.start = span.start.wrapping_sub(first);
                    }
                    false
                }
                _ => {
                    // The fetcher holds every buffer too: letting go of the last one frees nothing here.
                    scratch.held = Some(batch.buffer.clone());
                    true
                }
            };
            let taken = TakenRecord {
                topic: slot.topic,
                partition: slot.partition,
                offset,
                timestamp_ms,
                leader_epoch: batch.leader_epoch,
                timestamp_type: batch.timestamp_type,
                held,
                key,
                value,
                headers,
            };
            if batch.remaining == 0 {
                self.finish_batch();
            }
            return Take::Record(taken);
        }
    }

    /// Takes up to `max` records, at most 256 (one hold of the lock), into a cleared `run`; stops behind an error, which
    /// follows the records. Returns how many records there are. Their offsets are stored by [`FetchBuffer::handed_over`] of the
    /// run's call.
    pub fn take_many(&mut self, max: usize, run: &mut RecordRun) -> usize {
        run.clear();
        self.polled = true;
        let max = max.min(RUN_LIMIT);
        while run.records.len() < max {
            let Some(batch) = &mut self.current else {
                match self.next_batch() {
                    Next::Batch => continue,
                    Next::Error(error) => run.error = Some(error),
                    Next::Nothing => {}
                }
                break;
            };
            let Some(slot) = self.slots.get_mut(self.current_slot as usize) else { break };
            let data = batch.buffer.as_slice().get(..batch.end as usize).unwrap_or_default();
            let mut position = batch.position as usize;
            let mut remaining = batch.remaining;
            let index = run.batches.len() as u32;
            let before = run.records.len();
            let mut bad = None;
            while remaining > 0 && run.records.len() < max {
                let record = match read_record_offsets(data, &mut position) {
                    Ok(record) => record,
                    Err(cause) => {
                        bad = Some(cause);
                        break;
                    }
                };
                batch.position = position as u32;
                remaining -= 1;
                let offset = batch.base_offset.wrapping_add(i64::from(record.offset_delta));
                if offset < batch.from {
                    continue;
                }
                let headers = record.headers();
                let mut value = Span::of(record.value());
                if value.length < 0 {
                    value.start = headers.0;
                }
                run.records.push(RunRecord {
                    offset,
                    timestamp_ms: timestamp(batch, record.timestamp_delta),
                    batch: index,
                    key: Span::of(record.key()),
                    value,
                    end: headers.1,
                });
            }
            batch.remaining = remaining;
            if run.records.len() > before {
                if self.store_on_handover && (slot.holds == 0 || slot.holder != run.call) {
                    slot.hold(self.current_slot, run.call, &mut self.holds);
                }
                slot.position = run.records.last().map(|record| record.offset.wrapping_add(1));
                slot.resume = slot.position;
                slot.position_epoch = batch.leader_epoch;
                run.batches.push(RunBatch {
                    buffer: batch.buffer.clone(),
                    topic: slot.topic,
                    partition: slot.partition,
                    leader_epoch: batch.leader_epoch,
                    timestamp_type: batch.timestamp_type,
                    epoch: slot.epoch,
                });
            }
            if let Some(cause) = bad {
                run.error = self.bad_record(cause);
                if run.error.is_some() {
                    break;
                }
            } else if remaining == 0 {
                self.finish_batch();
            }
        }
        run.records.len()
    }

    /// Moves on to the next slot in turn and its first batch.
    fn next_batch(&mut self) -> Next {
        let Some(index) = self.ready.pop_front() else {
            self.starved = true;
            // Whatever *io* waits for, there is nothing left to free.
            self.wake |= self.wake_bytes != usize::MAX;
            self.wake_bytes = usize::MAX;
            return Next::Nothing;
        };
        let Some(slot) = self.slots.get_mut(index as usize) else { return Next::Nothing };
        slot.ready = false;
        match self.arena.pop_front(&mut slot.queue) {
            Some(Item::Batch(batch)) => {
                slot.queued_bytes = slot.queued_bytes.saturating_sub(batch.bytes as usize);
                self.current = Some(batch);
                self.current_slot = index;
                Next::Batch
            }
            Some(Item::Error(error)) => {
                self.make_ready(index as usize);
                Next::Error(error)
            }
            None => Next::Nothing,
        }
    }

    fn finish_batch(&mut self) {
        if let (Some(batch), Some(slot)) = (&self.current, self.slots.get_mut(self.current_slot as usize)) {
            slot.resume = Some(batch.next_offset);
        }
        self.retire_current();
    }

    /// The records of the current batch are not what its header says, though the CRC was right or not checked: it is fetched
    /// once more (E19); the second time its partition yields an error and goes on behind it.
    #[cold]
    fn bad_record(&mut self, cause: RecordsError) -> Option<Box<PartitionError>> {
        let index = self.current_slot as usize;
        let (batch, slot) = (self.current.as_ref()?, self.slots.get(index)?);
        let at = slot.resume.unwrap_or(batch.from).max(batch.base_offset);
        if !batch.second_try {
            let base_offset = batch.base_offset;
            self.restart(index, StartOffset::Offset(at), Some(base_offset));
            return None;
        }
        let name = self.topic_name(slot.topic)?;
        let error = bad_records(name, slot.partition, batch, at, &cause.to_string());
        self.finish_batch();
        Some(error)
    }
}

enum Next {
    Batch,
    Error(Box<PartitionError>),
    Nothing,
}

#[inline]
fn timestamp(batch: &Batch, delta: i64) -> i64 {
    if batch.timestamp_type == TIMESTAMP_LOG_APPEND_TIME {
        batch.base_timestamp
    } else {
        batch.base_timestamp.wrapping_add(delta)
    }
}

#[inline]
fn value_start(value: Span, headers: Span) -> u32 {
    if value.length >= 0 { value.start } else { headers.start }
}
