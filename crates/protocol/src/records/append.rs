//! The produce hot path (E5): one record of ordinary size at the end of a batch that has room for the longest form it could
//! take, in one pass, without computing its size first.
//!
//! [`super::writer`] is for records whose size must be known before they are written.
use super::writer::EncodedHeaders;

/// The longest a record's fields other than key, value and headers can be: length, attributes, timestamp and offset
/// deltas, two lengths, the count of headers.
pub const RECORD_OVERHEAD: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;

/// Records up to this bound go through [`append_record`]: their length takes one or two bytes.
pub const APPEND_LIMIT: usize = 8 << 10;

#[inline(always)]
fn put(dst: &mut [u8], at: usize, value: u64) -> usize {
    if value < 1 << 7 {
        dst[at] = value as u8;
        at + 1
    } else if value < 1 << 14 {
        dst[at..at + 2].copy_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
        at + 2
    } else {
        put_long(dst, at, value)
    }
}

#[cold]
fn put_long(dst: &mut [u8], mut at: usize, mut value: u64) -> usize {
    while value >= 1 << 7 {
        dst[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    dst[at] = value as u8;
    at + 1
}

#[inline(always)]
fn put_field(dst: &mut [u8], at: usize, field: Option<&[u8]>) -> usize {
    match field {
        None => {
            dst[at] = 1;
            at + 1
        }
        Some(bytes) => {
            let at = put(dst, at, (bytes.len() as u64) << 1);
            dst[at..at + bytes.len()].copy_from_slice(bytes);
            at + bytes.len()
        }
    }
}

/// Writes a record at the start of `dst`; returns its length. `dst` has at least [`RECORD_OVERHEAD`] bytes more than key,
/// value and headers, which together are below [`APPEND_LIMIT`] less the overhead; bytes behind the record may be
/// overwritten.
///
/// # Panics
/// When `dst` is shorter.
#[inline(always)]
pub fn append_record(
    dst: &mut [u8],
    offset_delta: u32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: EncodedHeaders<'_>,
) -> usize {
    // The length in front takes two bytes but for the shortest records, which are moved back by one.
    const FRONT: usize = 2;
    dst[FRONT] = 0;
    let timestamp = ((timestamp_delta << 1) ^ (timestamp_delta >> 63)) as u64;
    let mut at = put(dst, FRONT + 1, timestamp);
    at = put(dst, at, u64::from(offset_delta) << 1);
    at = put_field(dst, at, key);
    at = put_field(dst, at, value);
    if headers.count == 0 {
        dst[at] = 0;
        at += 1;
    } else {
        at = put(dst, at, u64::from(headers.count) << 1);
        dst[at..at + headers.bytes.len()].copy_from_slice(headers.bytes);
        at += headers.bytes.len();
    }
    let length = ((at - FRONT) as u64) << 1;
    if length >= 1 << 7 {
        dst[..FRONT].copy_from_slice(&[length as u8 | 0x80, (length >> 7) as u8]);
        at
    } else {
        dst.copy_within(FRONT..at, 1);
        dst[0] = length as u8;
        at - 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::{encode_header, record_size, write_record};
    use super::*;

    #[test]
    fn writes_what_the_measured_writer_writes() {
        let mut encoded = Vec::new();
        encode_header(&mut encoded, b"h", Some(b"v"));
        encode_header(&mut encoded, b"h", None);
        let no_headers = EncodedHeaders { count: 0, bytes: &[] };
        let lengths = [
            None,
            Some(0),
            Some(1),
            Some(40),
            Some(55),
            Some(56),
            Some(57),
            Some(58),
            Some(63),
            Some(64),
            Some(200),
            Some(7000),
        ];
        for headers in [no_headers, EncodedHeaders { count: 2, bytes: &encoded }] {
            for value in lengths.map(|length| length.map(|length| vec![7_u8; length])) {
                for key in [None, Some(&b""[..]), Some(b"key")] {
                    for (offset_delta, timestamp_delta) in
                        [(0, 0), (63, -1), (64, 64), (9999, -9000), (70_000, i64::MAX)]
                    {
                        let value = value.as_deref();
                        let size = record_size(offset_delta, timestamp_delta, key, value, headers);
                        let mut expected = vec![0xee; size.total + 16];
                        write_record(&mut expected, size, offset_delta, timestamp_delta, key, value, headers);
                        let room = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + headers.bytes.len();
                        let mut got = vec![0xdd; room + RECORD_OVERHEAD];
                        let length = append_record(&mut got, offset_delta, timestamp_delta, key, value, headers);
                        assert_eq!(got[..length], expected[..size.total]);
                    }
                }
            }
        }
    }
}
