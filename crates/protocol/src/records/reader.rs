//! Batches of a Fetch response and records of a batch, as views: nothing is copied and nothing allocated.
//!
//! Whoever takes records decompresses first, checks the CRC, skips control batches and filters offsets (the consumer);
//! here only the shape is checked, so that no bytes can cause a panic.

use core::ops::Range;

use super::error::RecordsError;
use super::header::{BATCH_HEADER_LEN, BatchHeader, CRC_START};
use super::varint::{read32, read64, unzigzag64};
use crate::compression::Codec;
use crate::crc::crc32c;

/// The least a record takes: length, attributes, two deltas, null key, null value, no headers.
pub const LEAST_RECORD: usize = 7;
/// The least a header takes: an empty key and a null value.
const LEAST_HEADER: usize = 2;

/// Walks the batches in the records field of a Fetch response.
///
/// A batch that the broker cut off at the end of the response ends the walk silently (KIP-74); [`BatchIter::position`]
/// tells how far whole batches went. After an error the walk is over: `position` then points at the bad batch.
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    data: &'a [u8],
    position: usize,
    failed: bool,
}

impl<'a> BatchIter<'a> {
    /// Walks `data`, the whole field.
    pub fn new(data: &'a [u8]) -> Self {
        BatchIter { data, position: 0, failed: false }
    }

    /// Where the next batch begins: behind the last whole one, or at the bad one.
    pub fn position(&self) -> usize {
        self.position
    }

    fn step(&self) -> Result<Option<BatchHeader>, RecordsError> {
        let rest = self.data.get(self.position..).unwrap_or_default();
        // Seventeen bytes tell format and length; below that nothing is known of the batch.
        if rest.len() <= 16 {
            return Ok(None);
        }
        match BatchHeader::parse(rest) {
            Ok(header) if header.whole_length() <= rest.len() => {
                check_record_count(header.record_count, header.codec().ok(), header.whole_length() - BATCH_HEADER_LEN)?;
                Ok(Some(header))
            }
            Ok(_) | Err(RecordsError::Truncated { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Iterator for BatchIter<'_> {
    /// The batch's bytes within the field, header included, and its header.
    type Item = Result<(Range<usize>, BatchHeader), RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.step() {
            Ok(None) => None,
            Ok(Some(header)) => {
                let start = self.position;
                self.position = start + header.whole_length();
                Some(Ok((start..self.position, header)))
            }
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// Uncompressed records must fit the batch. Compressed ones are checked by [`check_count`] once decompressed.
fn check_record_count(count: i32, codec: Option<Codec>, available: usize) -> Result<(), RecordsError> {
    if codec == Some(Codec::None) { check_count(count, available) } else { Ok(()) }
}

/// Whether `count` records can fit `available` bytes of uncompressed records. Check it before reserving room by count.
///
/// # Errors
/// `BadCount` when they cannot.
pub fn check_count(count: i32, available: usize) -> Result<(), RecordsError> {
    match usize::try_from(count) {
        Ok(records) if records <= available / LEAST_RECORD => Ok(()),
        _ => Err(RecordsError::BadCount { count: i64::from(count), available }),
    }
}

/// Whether the CRC of `batch` (whole, from its first byte) is the header's.
pub fn check_crc(header: &BatchHeader, batch: &[u8]) -> bool {
    batch.get(CRC_START..).is_some_and(|checked| crc32c(checked) == header.crc)
}

/// One record as views of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// To add, wrapping, to the batch's base offset. Within 32 bits.
    pub offset_delta: i64,
    /// To give to [`super::timestamp`], milliseconds.
    pub timestamp_delta: i64,
    /// The key's bytes; empty and null differ.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; null is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, not parsed yet.
    pub headers: RawHeaders<'a>,
}

/// One record as positions in the buffer that it was read from: 32 bytes that borrow nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordOffsets {
    /// To give to [`super::timestamp`], milliseconds.
    pub timestamp_delta: i64,
    /// To add, wrapping, to the batch's base offset.
    pub offset_delta: i32,
    key_start: u32,
    /// -1 for null.
    key_length: i32,
    value_start: u32,
    /// -1 for null.
    value_length: i32,
    /// End of the record and of its headers, which begin with their count behind the value.
    end: u32,
}

/// A consumer holds thousands of them.
const _: () = assert!(size_of::<RecordOffsets>() == 32);

impl RecordOffsets {
    /// Start and end of the key, or null.
    #[inline]
    pub fn key(&self) -> Option<(u32, u32)> {
        span(self.key_start, self.key_length)
    }

    /// Start and end of the value, or null.
    #[inline]
    pub fn value(&self) -> Option<(u32, u32)> {
        span(self.value_start, self.value_length)
    }

    /// Start and end of the headers with their count before them: see [`RawHeaders::parse`].
    #[inline]
    pub fn headers(&self) -> (u32, u32) {
        (self.value_start + self.value_length.max(0) as u32, self.end)
    }

    /// Whether there are headers, told without touching the buffer (a count of zero takes exactly one byte: padded
    /// varints are taken for headers here and turn out empty when parsed).
    #[inline]
    pub fn has_headers(&self) -> bool {
        let (start, end) = self.headers();
        end - start > 1
    }

    /// Views of `data`, the buffer that the record was read from. Of another buffer: wrong or empty views, no panic.
    pub fn view<'a>(&self, data: &'a [u8]) -> RecordView<'a> {
        let slice = |(start, end): (u32, u32)| data.get(start as usize..end as usize).unwrap_or_default();
        RecordView {
            offset_delta: i64::from(self.offset_delta),
            timestamp_delta: self.timestamp_delta,
            key: self.key().map(slice),
            value: self.value().map(slice),
            headers: RawHeaders::parse(slice(self.headers())).unwrap_or_default(),
        }
    }
}

#[inline]
fn span(start: u32, length: i32) -> Option<(u32, u32)> {
    u32::try_from(length).ok().map(|length| (start, start + length))
}

/// Reads the record at `position` and moves it behind.
///
/// # Errors
/// Whatever of it does not fit; `position` is then somewhere in the record. The headers' count is checked, their bytes
/// only when they are iterated.
#[inline]
pub fn read_record<'a>(data: &'a [u8], position: &mut usize) -> Result<RecordView<'a>, RecordsError> {
    let record = frame(data, position)?;
    let mut at = 1;
    let timestamp_delta = read64(record, &mut at)?;
    let offset_delta = read32(record, &mut at)?;
    let key = field(record, &mut at)?;
    let value = field(record, &mut at)?;
    let headers = RawHeaders::parse(record.get(at..).unwrap_or_default())?;
    Ok(RecordView { offset_delta, timestamp_delta, key, value, headers })
}

/// Like [`read_record`], but positions in `data` instead of views: for cursors over a shared buffer (E16).
///
/// # Errors
/// Those of [`read_record`], and `TooLarge` if `data` is beyond 4 GiB.
#[inline]
pub fn read_record_offsets(data: &[u8], position: &mut usize) -> Result<RecordOffsets, RecordsError> {
    if u32::try_from(data.len()).is_err() {
        return Err(RecordsError::TooLarge);
    }
    match usual_record(data, *position) {
        Some(record) => {
            *position = record.end as usize;
            Ok(record)
        }
        None => any_record(data, position),
    }
}

/// A record as most are: every number before the value of at most three bytes, the value's length too. `None` for any other,
/// and for whatever is wrong: `any_record` then reads it, or says what it is. One look at the first bytes, held in an array,
/// saves a check of bounds for each number.
#[inline(always)]
fn usual_record(data: &[u8], position: usize) -> Option<RecordOffsets> {
    let rest = data.get(position..)?;
    let head: &[u8; 20] = rest.first_chunk()?;
    let (length, at) = short(head, 0)?;
    let end = at + nonnegative(length)?;
    // Behind the attributes.
    let (timestamp_delta, at) = short(head, at + 1)?;
    let (offset_delta, at) = short(head, at)?;
    let (key, at) = short(head, at)?;
    let (key_length, key_start) = (length_of(key)?, at);
    let key_end = key_start + key_length.max(0) as usize;
    let (value, at) = short(rest.get(key_end..)?.first_chunk::<4>()?, 0)?;
    let (value_length, value_start) = (length_of(value)?, key_end + at);
    let value_end = value_start + value_length.max(0) as usize;
    let headers = rest.get(value_end..end)?;
    if headers != [0] {
        RawHeaders::parse(headers).ok()?;
    }
    // What is relative here fits, as `data` does.
    let base = position as u32;
    Some(RecordOffsets {
        timestamp_delta: unzigzag64(timestamp_delta.into()),
        offset_delta: unzigzag64(offset_delta.into()) as i32,
        key_start: base + key_start as u32,
        key_length,
        value_start: base + value_start as u32,
        value_length,
        end: base + end as u32,
    })
}

/// A varint of at most three bytes, still folded, and where it ends; `at` is below 16 in a longer array, else 0.
#[inline(always)]
fn short<const N: usize>(bytes: &[u8; N], at: usize) -> Option<(u32, usize)> {
    let word = u32::from_le_bytes(*bytes.get(if N > 16 { at & 15 } else { 0 }..)?.first_chunk()?);
    if word & 0x80 == 0 {
        Some((word & 0x7f, at + 1))
    } else if word & 0x8000 == 0 {
        Some((word & 0x7f | (word & 0x7f00) >> 1, at + 2))
    } else if word & 0x80_0000 == 0 {
        Some((word & 0x7f | (word & 0x7f00) >> 1 | (word & 0x7f_0000) >> 2, at + 3))
    } else {
        None
    }
}

/// The number that is not below 0.
#[inline(always)]
fn nonnegative(folded: u32) -> Option<usize> {
    (folded & 1 == 0).then_some((folded >> 1) as usize)
}

/// A length, or -1 for null.
#[inline(always)]
fn length_of(folded: u32) -> Option<i32> {
    if folded == 1 { Some(-1) } else { nonnegative(folded).map(|length| length as i32) }
}

#[inline(never)]
fn any_record(data: &[u8], position: &mut usize) -> Result<RecordOffsets, RecordsError> {
    let record = frame(data, position)?;
    // The frame ends at `position`, which fits 32 bits as `data` does.
    let start = (*position - record.len()) as u32;
    let mut at = 1;
    let timestamp_delta = read64(record, &mut at)?;
    let offset_delta = read32(record, &mut at)? as i32;
    let key_length = field(record, &mut at)?.map_or(-1, |key| key.len() as i32);
    let key_start = start + (at as u32) - key_length.max(0) as u32;
    let value_length = field(record, &mut at)?.map_or(-1, |value| value.len() as i32);
    let value_start = start + (at as u32) - value_length.max(0) as u32;
    // Most records have none, which is one byte.
    if record.len() - at.min(record.len()) != 1 || record[at] != 0 {
        RawHeaders::parse(record.get(at..).unwrap_or_default())?;
    }
    Ok(RecordOffsets {
        timestamp_delta,
        offset_delta,
        key_start,
        key_length,
        value_start,
        value_length,
        end: *position as u32,
    })
}

/// The record's bytes behind its length; `position` moves behind them.
#[inline(always)]
fn frame<'a>(data: &'a [u8], position: &mut usize) -> Result<&'a [u8], RecordsError> {
    let at = *position;
    let length = read32(data, position)?;
    let rest = data.get(*position..).unwrap_or_default();
    match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
        Some(record) => {
            *position += record.len();
            Ok(record)
        }
        None => Err(RecordsError::BadLength { position: at, length }),
    }
}

/// A nullable field with its length before it.
#[inline(always)]
fn field<'a>(record: &'a [u8], position: &mut usize) -> Result<Option<&'a [u8]>, RecordsError> {
    let at = *position;
    let length = read32(record, position)?;
    if length == -1 {
        return Ok(None);
    }
    let rest = record.get(*position..).unwrap_or_default();
    match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
        Some(bytes) => {
            *position += bytes.len();
            Ok(Some(bytes))
        }
        None => Err(RecordsError::BadLength { position: at, length }),
    }
}

/// A record's headers as they stand on the wire: parsed when iterated. Duplicate and non-UTF-8 keys are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawHeaders<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> RawHeaders<'a> {
    /// Takes the count off the front of `data`, the end of a record.
    ///
    /// # Errors
    /// `BadCount` when that many headers cannot fit, or bytes are left over without any.
    #[inline]
    pub fn parse(data: &'a [u8]) -> Result<Self, RecordsError> {
        if data == [0] {
            return Ok(RawHeaders::default());
        }
        let mut position = 0;
        let count = read32(data, &mut position)?;
        let bytes = data.get(position..).unwrap_or_default();
        match u32::try_from(count) {
            Ok(headers) if headers as usize <= bytes.len() / LEAST_HEADER && (headers > 0 || bytes.is_empty()) => {
                Ok(RawHeaders { count: headers, bytes })
            }
            _ => Err(RecordsError::BadCount { count, available: bytes.len() }),
        }
    }

    /// How many headers there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries' bytes without the count, as [`super::EncodedHeaders`] takes them.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Walks the headers; an error is the last item.
    pub const fn iter(&self) -> HeaderIter<'a> {
        HeaderIter { left: self.count, bytes: self.bytes, position: 0 }
    }
}

impl<'a> From<super::EncodedHeaders<'a>> for RawHeaders<'a> {
    fn from(headers: super::EncodedHeaders<'a>) -> Self {
        RawHeaders { count: headers.count, bytes: headers.bytes }
    }
}

impl<'a> IntoIterator for RawHeaders<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), RecordsError>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

/// Walks [`RawHeaders`]: key and value, or an error as the last item.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    left: u32,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> HeaderIter<'a> {
    fn step(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), RecordsError> {
        let at = self.position;
        let key = field(self.bytes, &mut self.position)?.ok_or(RecordsError::BadLength { position: at, length: -1 })?;
        let value = field(self.bytes, &mut self.position)?;
        if self.left == 1 && self.position != self.bytes.len() {
            let length = (self.bytes.len() - self.position) as i64;
            return Err(RecordsError::BadLength { position: self.position, length });
        }
        Ok((key, value))
    }
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let item = self.step();
        self.left = if item.is_ok() { self.left - 1 } else { 0 };
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize))
    }
}
