//! One record in wire format v2, straight into a slice: the produce hot path (E5).
//!
//! Sizes are known before anything is written, so the caller chooses chunk or link first (E7). Headers come already
//! encoded and are copied. Which timestamp, delta and chunk is the accumulator's decision.

use super::varint::{unsigned_size, write_short, write_unsigned, zigzag64};

/// A record's headers as they stand on the wire, without their count: made by [`encode_header`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodedHeaders<'a> {
    /// How many headers `bytes` holds.
    pub count: u32,
    /// The entries one after the other.
    pub bytes: &'a [u8],
}

impl EncodedHeaders<'_> {
    /// Bytes that count and entries take.
    #[inline]
    pub const fn size(&self) -> usize {
        unsigned_size(zigzag64(self.count as i64)) + self.bytes.len()
    }
}

/// Appends one header entry to `dst`. Keys may repeat and need not be UTF-8.
pub fn encode_header(dst: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    super::varint::append(dst, key.len() as i64);
    dst.extend_from_slice(key);
    match value {
        None => super::varint::append(dst, -1),
        Some(value) => {
            super::varint::append(dst, value.len() as i64);
            dst.extend_from_slice(value);
        }
    }
}

/// How long a record is, known before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSize {
    /// The whole record with its length varint. Kafka's limit is `i32::MAX`: refuse more before writing.
    pub total: usize,
    /// What the length varint says: all behind it.
    pub body: usize,
}

/// Wire length of an optional field: folded length and bytes. Null is -1, which folds to 1.
#[inline]
fn folded_length(length: Option<usize>) -> u64 {
    match length {
        None => 1,
        Some(length) => (length as u64) << 1,
    }
}

/// Size of a record whose key and value have these lengths; see [`record_size`].
#[inline]
pub fn record_size_of(
    offset_delta: u32,
    timestamp_delta: i64,
    key: Option<usize>,
    value: Option<usize>,
    headers: EncodedHeaders<'_>,
) -> RecordSize {
    let body = 1
        + unsigned_size(zigzag64(timestamp_delta))
        + unsigned_size(u64::from(offset_delta) << 1)
        + unsigned_size(folded_length(key))
        + key.unwrap_or(0)
        + unsigned_size(folded_length(value))
        + value.unwrap_or(0)
        + headers.size();
    RecordSize { total: body + unsigned_size((body as u64) << 1), body }
}

/// Size of a record, computed without writing it.
#[inline]
pub fn record_size(
    offset_delta: u32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: EncodedHeaders<'_>,
) -> RecordSize {
    record_size_of(offset_delta, timestamp_delta, key.map(<[u8]>::len), value.map(<[u8]>::len), headers)
}

/// Writes a record of `size` (from [`record_size`] with the same arguments) at the start of `dst`; returns
/// `size.total`. Bytes of `dst` behind the record may be overwritten: they are the chunk's free room.
///
/// # Panics
/// When `dst` is shorter than `size.total`.
#[inline]
pub fn write_record(
    dst: &mut [u8],
    size: RecordSize,
    offset_delta: u32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: EncodedHeaders<'_>,
) -> usize {
    let mut position = write_record_prefix(dst, size, offset_delta, timestamp_delta, key, value.map(<[u8]>::len));
    if let Some(value) = value {
        position = copy(dst, position, value);
    }
    if headers.count == 0 {
        dst[position] = 0;
        return position + 1;
    }
    position = write_unsigned(dst, position, zigzag64(i64::from(headers.count)));
    copy(dst, position, headers.bytes)
}

/// Writes all of a record that stands before its value's bytes: for records larger than a chunk, whose value and
/// [`write_header_tail`] are linked as further chunks. Returns the bytes written:
/// `size.total - value length - headers.size()`. Bytes behind them may be overwritten.
///
/// # Panics
/// When `dst` is shorter than that.
#[inline]
pub fn write_record_prefix(
    dst: &mut [u8],
    size: RecordSize,
    offset_delta: u32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value_length: Option<usize>,
) -> usize {
    let length = (size.body as u64) << 1;
    let timestamp = zigzag64(timestamp_delta);
    let offset = u64::from(offset_delta) << 1;
    let mut position;
    if (length | timestamp | offset) < 1 << 28
        && let Some(head) = dst.first_chunk_mut::<16>()
    {
        // Length, attributes and deltas take at most 4, 1, 4 and 4 bytes: no field needs a check of its own.
        position = put(head, 0, length as u32);
        head[position] = 0;
        position = put(head, position + 1, timestamp as u32);
        position = put(head, position, offset as u32);
    } else {
        position = write_unsigned(dst, 0, length);
        dst[position] = 0;
        position = write_unsigned(dst, position + 1, timestamp);
        position = write_unsigned(dst, position, offset);
    }
    position = write_unsigned(dst, position, folded_length(key.map(<[u8]>::len)));
    if let Some(key) = key {
        position = copy(dst, position, key);
    }
    write_unsigned(dst, position, folded_length(value_length))
}

#[inline(always)]
fn put(head: &mut [u8; 16], position: usize, value: u32) -> usize {
    match head.get_mut(position..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        Some(room) => position + write_short(room, value),
        // Never: the positions are at most 9.
        None => position,
    }
}

/// Writes the header count and the headers, the end of a record; returns `headers.size()`.
///
/// # Panics
/// When `dst` is shorter than that.
pub fn write_header_tail(dst: &mut [u8], headers: EncodedHeaders<'_>) -> usize {
    let position = write_unsigned(dst, 0, zigzag64(i64::from(headers.count)));
    copy(dst, position, headers.bytes)
}

/// Copies `src` to `dst[position..]`; returns the position behind it. Up to 16 bytes (keys) without a call.
#[inline(always)]
fn copy(dst: &mut [u8], position: usize, src: &[u8]) -> usize {
    let end = position + src.len();
    let room = &mut dst[position..end];
    match src.len() {
        8..=16 => {
            // Two words that overlap.
            let last = src.len() - 8;
            let (a, b): ([u8; 8], [u8; 8]) = (word(src, 0), word(src, last));
            room[..8].copy_from_slice(&a);
            room[last..].copy_from_slice(&b);
        }
        _ => room.copy_from_slice(src),
    }
    end
}

#[inline(always)]
fn word(src: &[u8], start: usize) -> [u8; 8] {
    let mut word = [0; 8];
    word.copy_from_slice(&src[start..start + 8]);
    word
}

#[cfg(test)]
mod tests {
    use super::super::reader::read_record;
    use super::*;

    /// Bytes by hand: length 17, attributes, timestamp delta 5, offset delta 1, key, value, two headers.
    #[test]
    fn a_record_byte_for_byte() {
        let mut entries = Vec::new();
        encode_header(&mut entries, b"h", Some(b"x"));
        encode_header(&mut entries, b"", None);
        assert_eq!(entries, [2, b'h', 2, b'x', 0, 1]);
        let headers = EncodedHeaders { count: 2, bytes: &entries };
        let size = record_size(1, 5, Some(b"ke"), Some(b"val"), headers);
        let expected = [34, 0, 10, 2, 4, b'k', b'e', 6, b'v', b'a', b'l', 4, 2, b'h', 2, b'x', 0, 1];
        assert_eq!(size, RecordSize { total: expected.len(), body: 17 });
        let mut exact = vec![0; size.total];
        assert_eq!(write_record(&mut exact, size, 1, 5, Some(b"ke"), Some(b"val"), headers), size.total);
        assert_eq!(exact, expected);
    }

    #[test]
    fn null_and_empty_differ() {
        for (key, value) in [(None, None), (Some(&b""[..]), Some(&b""[..])), (None, Some(&b"v"[..]))] {
            let size = record_size(0, -1, key, value, EncodedHeaders::default());
            let mut bytes = vec![0; size.total];
            write_record(&mut bytes, size, 0, -1, key, value, EncodedHeaders::default());
            let record = read_record(&bytes, &mut 0).expect("valid");
            assert_eq!((record.key, record.value, record.timestamp_delta), (key, value, -1));
            assert!(record.headers.is_empty());
        }
    }

    /// Prefix, value and tail linked as chunks are the record.
    #[test]
    fn parts_make_the_same_record() {
        let mut entries = Vec::new();
        encode_header(&mut entries, &[0xff, 0xfe], Some(b"not UTF-8"));
        let headers = EncodedHeaders { count: 1, bytes: &entries };
        let value = vec![7u8; 100_000];
        for delta in [0, i64::MIN, i64::MAX] {
            let size = record_size(u32::MAX >> 1, delta, Some(b"key"), Some(&value), headers);
            let mut whole = vec![0; size.total + 9];
            assert_eq!(
                write_record(&mut whole, size, u32::MAX >> 1, delta, Some(b"key"), Some(&value), headers),
                size.total
            );
            let mut prefix = vec![0; size.total - value.len() - headers.size()];
            let written = write_record_prefix(&mut prefix, size, u32::MAX >> 1, delta, Some(b"key"), Some(value.len()));
            assert_eq!(written, prefix.len());
            let mut tail = vec![0; headers.size()];
            assert_eq!(write_header_tail(&mut tail, headers), tail.len());
            assert_eq!([&prefix[..], &value, &tail].concat(), whole[..size.total]);
        }
    }
}
