//! Records as they leave the fetch buffer: positions in the caller's own scratch, or in a buffer that the caller holds.
//!
//! Nothing here decodes or decides; `take` fills these under the lock, the caller makes its objects from them after it.
use ottla_protocol::records::RawHeaders;

use super::batch::PartitionError;
use crate::machine::Frame;

/// Records up to this many bytes (key, value and headers) are copied under the lock: cheaper than two reference counts.
pub const COPY_LIMIT: usize = 1024;
/// Records that one hold of the lock takes at most.
pub const RUN_LIMIT: usize = 256;

/// A field's place: start and length, -1 for null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) length: i32,
}

impl Span {
    pub(crate) const NULL: Self = Self { start: 0, length: -1 };

    #[inline]
    pub(crate) fn of(range: Option<(u32, u32)>) -> Self {
        match range {
            Some((start, end)) => Self { start, length: end.wrapping_sub(start) as i32 },
            None => Self::NULL,
        }
    }

    #[inline]
    fn slice(self, data: &[u8]) -> Option<&[u8]> {
        let length = usize::try_from(self.length).ok()?;
        Some(data.get(self.start as usize..self.start as usize + length).unwrap_or_default())
    }
}

/// What the caller of `take` brings and keeps from call to call.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) copied: Box<[u8; COPY_LIMIT]>,
    /// What a larger record lies in. Dropped with the next take, or with the scratch: the fetcher holds it too.
    pub(crate) held: Option<Frame>,
}

impl Scratch {
    /// Room for one small record.
    pub fn new() -> Self {
        Self { copied: Box::new([0; COPY_LIMIT]), held: None }
    }

    /// Lets go of a large record's buffer, which may be megabytes of the consumer's budget.
    pub fn release(&mut self) {
        self.held = None;
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// What a take found.
#[derive(Debug)]
pub enum Take {
    /// The next record; its bytes are found through the scratch.
    Record(TakenRecord),
    /// A partition's error or end.
    Error(Box<PartitionError>),
    /// Nothing is there now.
    Empty,
}

/// One record, valid until its scratch is used again.
#[derive(Clone, Copy, Debug)]
pub struct TakenRecord {
    /// Index of the topic: see `FetchBuffer::topic_name`.
    pub topic: u32,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// -1 where the broker does not know it.
    pub leader_epoch: i32,
    /// 1 the producer's clock, 2 the broker's.
    pub timestamp_type: u8,
    pub(crate) held: bool,
    pub(crate) key: Span,
    pub(crate) value: Span,
    pub(crate) headers: Span,
}

impl TakenRecord {
    #[inline]
    fn data<'a>(&self, scratch: &'a Scratch) -> &'a [u8] {
        match &scratch.held {
            Some(frame) if self.held => frame.as_slice(),
            _ => scratch.copied.as_slice(),
        }
    }

    /// The key, `None` for null.
    #[inline]
    pub fn key<'a>(&self, scratch: &'a Scratch) -> Option<&'a [u8]> {
        self.key.slice(self.data(scratch))
    }

    /// The value, `None` for null.
    #[inline]
    pub fn value<'a>(&self, scratch: &'a Scratch) -> Option<&'a [u8]> {
        self.value.slice(self.data(scratch))
    }

    /// Whether there are headers.
    #[inline]
    pub fn has_headers(&self) -> bool {
        self.headers.length > 1
    }

    /// The headers as on the wire, their count first: to keep and to parse on demand by `RawHeaders::parse`.
    #[inline]
    pub fn raw_headers<'a>(&self, scratch: &'a Scratch) -> &'a [u8] {
        self.headers.slice(self.data(scratch)).unwrap_or_default()
    }

    /// The headers.
    pub fn headers<'a>(&self, scratch: &'a Scratch) -> RawHeaders<'a> {
        RawHeaders::parse(self.raw_headers(scratch)).unwrap_or_default()
    }
}

/// What the records of one batch in a run have in common.
#[derive(Debug)]
pub struct RunBatch {
    pub(crate) buffer: Frame,
    /// Index of the topic: see `FetchBuffer::topic_name`.
    pub topic: u32,
    pub partition: i32,
    pub leader_epoch: i32,
    /// 1 the producer's clock, 2 the broker's.
    pub timestamp_type: u8,
    /// The partition's fetch epoch (E17) when it was taken: see `FetchBuffer::is_current`.
    pub epoch: u64,
}

/// One record of a run: 40 bytes that hold nothing.
#[derive(Clone, Copy, Debug)]
pub struct RunRecord {
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Which of the run's batches it is from.
    pub batch: u32,
    pub(crate) key: Span,
    pub(crate) value: Span,
    pub(crate) end: u32,
}

/// Up to 256 records and the buffers that they lie in, each held once.
#[derive(Debug)]
pub struct RecordRun {
    pub(crate) batches: Vec<RunBatch>,
    pub(crate) records: Vec<RunRecord>,
    /// What the partition of the last record, or another, reported behind the records.
    pub error: Option<Box<PartitionError>>,
    /// The call that takes with it, a number of its own: what it took is with the application once
    /// `FetchBuffer::handed_over` is told so.
    pub call: u64,
}

impl RecordRun {
    /// An empty run with all the room that it will ever need.
    pub fn new() -> Self {
        let (batches, records) = (Vec::with_capacity(RUN_LIMIT), Vec::with_capacity(RUN_LIMIT));
        Self { batches, records, error: None, call: 0 }
    }

    /// The records in the order of their taking.
    #[inline]
    pub fn records(&self) -> &[RunRecord] {
        &self.records
    }

    /// What `record` shares with its batch; `None` for a record of another run.
    #[inline]
    pub fn batch(&self, record: &RunRecord) -> Option<&RunBatch> {
        self.batches.get(record.batch as usize)
    }

    #[inline]
    fn data(&self, record: &RunRecord) -> &[u8] {
        self.batch(record).map(|batch| batch.buffer.as_slice()).unwrap_or_default()
    }

    /// The key, `None` for null.
    #[inline]
    pub fn key(&self, record: &RunRecord) -> Option<&[u8]> {
        record.key.slice(self.data(record))
    }

    /// The value, `None` for null.
    #[inline]
    pub fn value(&self, record: &RunRecord) -> Option<&[u8]> {
        record.value.slice(self.data(record))
    }

    /// The headers as on the wire, their count first; one byte (a zero) where there are none.
    #[inline]
    pub fn raw_headers(&self, record: &RunRecord) -> &[u8] {
        let start = record.value.start as usize + record.value.length.max(0) as usize;
        self.data(record).get(start..record.end as usize).unwrap_or_default()
    }

    /// Whether there are headers, told without touching the buffer.
    #[inline]
    pub fn has_headers(&self, record: &RunRecord) -> bool {
        record.end.wrapping_sub(record.value.start.wrapping_add(record.value.length.max(0) as u32)) > 1
    }

    /// The headers.
    pub fn headers(&self, record: &RunRecord) -> RawHeaders<'_> {
        RawHeaders::parse(self.raw_headers(record)).unwrap_or_default()
    }

    /// Lets go of the buffers. Do it once the objects are made: what is held counts against the consumer's budget.
    pub fn clear(&mut self) {
        self.records.clear();
        self.batches.clear();
        self.error = None;
    }
}

impl Default for RecordRun {
    fn default() -> Self {
        Self::new()
    }
}
