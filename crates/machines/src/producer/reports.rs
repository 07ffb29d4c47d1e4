//! What is said of each record with an attachment when its batch ends: where it lies in the log, or why it does not.
use std::collections::VecDeque;
use std::sync::Arc;

use ottla_protocol::records::varint::{read32, read64};
use ottla_protocol::records::{RawHeaders, RecordView, read_record};

use super::attachments::{Attachments, NONE, Place};
use super::unassigned;
use crate::error::{Error, Kind};
use crate::machine::Body;

/// How the records of an ended batch are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As on the wire.
    Wire,
    /// As [`unassigned`] keeps them: the batch ended before its topic's partitions were known.
    Unassigned,
}

/// What all records of one batch have in common at its end.
#[derive(Debug)]
pub struct ReportBatch {
    pub topic: Arc<str>,
    /// -1 when none was chosen.
    pub partition: i32,
    /// -1 when unknown: acks=0, a duplicate, an error.
    pub base_offset: i64,
    pub base_timestamp: i64,
    /// The broker's time for all of them, where the topic says LogAppendTime.
    pub log_append_time: Option<i64>,
    pub error: Option<Error>,
    /// Records that the broker refused for themselves (KIP-467), by number; the others then fail with them.
    pub record_errors: Vec<(u32, Error)>,
    pub body: Arc<Body>,
    pub layout: Layout,
    /// When the batch was opened and when it ended.
    pub opened_us: u64,
    pub ended_us: u64,
    /// Whether the broker may have written it: `NotPersisted`, `PossiblyPersisted`, `Persisted` in the original.
    pub sent: bool,
}

/// One record's report.
#[derive(Debug)]
pub struct Report<A> {
    pub attachment: A,
    pub place: Place,
}

/// The fields of a record, in its batch.
#[derive(Clone, Copy, Debug)]
pub struct ReportedRecord<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: RawHeaders<'a>,
    pub timestamp_ms: i64,
}

impl ReportBatch {
    /// Why this record failed, or `None`.
    pub fn error_of(&self, place: Place) -> Option<Error> {
        let own = self.record_errors.iter().find(|(index, _)| *index == place.index);
        match (own, &self.error) {
            (Some((_, error)), _) => Some(error.clone()),
            (None, Some(_)) if !self.record_errors.is_empty() => Some(Error::new(Kind::InvalidDifferentRecord)),
            (None, error) => error.clone(),
        }
    }

    /// The record's offset, -1 when unknown.
    pub fn offset_of(&self, place: Place) -> i64 {
        if self.base_offset < 0 { self.base_offset } else { self.base_offset + i64::from(place.index) }
    }

    /// Microseconds from `produce()` (of the batch's first record) to its end.
    pub fn latency_us(&self) -> u64 {
        self.ended_us.saturating_sub(self.opened_us)
    }

    /// The record itself. `None` only if the place is not of this batch.
    pub fn record(&self, place: Place) -> Option<ReportedRecord<'_>> {
        let chunk = self.body.chunks().get(place.chunk as usize)?;
        let bytes = chunk.as_slice().get(place.position as usize..)?;
        match self.layout {
            Layout::Unassigned => {
                let (record, ..) = unassigned::read(&self.topic, bytes);
                let headers = record.headers.into();
                Some(ReportedRecord {
                    key: record.key,
                    value: record.value,
                    headers,
                    timestamp_ms: record.timestamp_ms,
                })
            }
            Layout::Wire => self.on_wire(place.chunk as usize, bytes),
        }
    }

    fn on_wire<'a>(&'a self, chunk: usize, bytes: &'a [u8]) -> Option<ReportedRecord<'a>> {
        let view = match read_record(bytes, &mut 0) {
            Ok(view) => view,
            // A linked record: its value and headers are the next chunk.
            Err(_) => read_linked(bytes, self.body.chunks().get(chunk + 1)?.as_slice())?,
        };
        let timestamp_ms = self.base_timestamp.wrapping_add(view.timestamp_delta);
        Some(ReportedRecord { key: view.key, value: view.value, headers: view.headers, timestamp_ms })
    }
}

/// A record whose value and headers were written apart (E6).
fn read_linked<'a>(prefix: &'a [u8], tail: &'a [u8]) -> Option<RecordView<'a>> {
    let mut at = 0;
    read32(prefix, &mut at).ok()?;
    at += 1;
    let timestamp_delta = read64(prefix, &mut at).ok()?;
    let offset_delta = read32(prefix, &mut at).ok()?;
    let key_length = read32(prefix, &mut at).ok()?;
    let key = match usize::try_from(key_length) {
        Ok(length) => Some(prefix.get(at..at + length)?),
        Err(_) => None,
    };
    at += key.map_or(0, <[u8]>::len);
    let value_length = usize::try_from(read32(prefix, &mut at).ok()?);
    let value = match value_length {
        Ok(length) => Some(tail.get(..length)?),
        Err(_) => None,
    };
    let headers = RawHeaders::parse(tail.get(value.map_or(0, <[u8]>::len)..)?).ok()?;
    Some(RecordView { offset_delta, timestamp_delta, key, value, headers })
}

/// Reports of one batch, to be served one after the other.
#[derive(Debug)]
pub struct ReportRun<A> {
    pub batch: Option<Arc<ReportBatch>>,
    /// As many as asked for at most; its capacity is made outside the lock.
    pub reports: Vec<Report<A>>,
}

impl<A> ReportRun<A> {
    /// Room for `capacity` reports at a time.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { batch: None, reports: Vec::with_capacity(capacity) }
    }
}

/// The tickets of an ended batch.
#[derive(Debug)]
pub enum Tickets {
    /// The first of a chain in the callback table.
    Chain(u32),
    /// Those of a batch that was placed (E10), with where each record lies now; the next one's position.
    Moved(Vec<(u32, Place)>, usize),
}

/// Ended batches whose reports wait to be taken.
#[derive(Debug)]
pub struct Reports {
    ended: VecDeque<(Arc<ReportBatch>, Tickets)>,
    waiting: usize,
}

impl Reports {
    pub fn new() -> Self {
        Self { ended: VecDeque::with_capacity(1024), waiting: 0 }
    }

    /// Reports that wait to be taken.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether another batch finds room without growing.
    pub fn has_room(&self) -> bool {
        self.ended.len() < self.ended.capacity()
    }

    pub fn push(&mut self, batch: Arc<ReportBatch>, tickets: Tickets, count: usize) {
        self.waiting += count;
        self.ended.push_back((batch, tickets));
    }

    /// Moves reports of the oldest batch to `run`, as many as it has room for. What `run` held must have been taken out.
    pub fn take<A>(&mut self, attachments: &mut Attachments<A>, run: &mut ReportRun<A>) -> Option<Arc<ReportBatch>> {
        let previous = run.batch.take();
        let Some((batch, tickets)) = self.ended.front_mut() else { return previous };
        run.batch = Some(batch.clone());
        let mut done = false;
        while !done && run.reports.len() < run.reports.capacity() {
            let (attachment, place) = match tickets {
                Tickets::Chain(ticket) => {
                    let (attachment, place, next) = attachments.take(*ticket);
                    *ticket = next;
                    done = next == NONE;
                    (attachment, place)
                }
                Tickets::Moved(moved, next) => {
                    let Some((ticket, place)) = moved.get(*next).copied() else { break };
                    *next += 1;
                    done = *next == moved.len();
                    (attachments.take(ticket).0, place)
                }
            };
            self.waiting -= 1;
            if let Some(attachment) = attachment {
                run.reports.push(Report { attachment, place });
            }
        }
        if done {
            self.ended.pop_front();
        }
        previous
    }
}

impl Default for Reports {
    fn default() -> Self {
        Self::new()
    }
}
