//! The 61-byte header of a record batch (KIP-98): parsing, writing, sealing with length and CRC32C.
//!
//! A retry rewrites the header alone and seals it again over the same records (E9). Which producer id, epoch and
//! sequence stand in it is the producer's decision.

use super::error::RecordsError;
use crate::compression::Codec;
use crate::crc::Crc32c;

/// Bytes of a batch before its first record.
pub const BATCH_HEADER_LEN: usize = 61;
/// Bytes that `batch_length` does not count: the base offset and the length itself.
pub const LENGTH_OVERHEAD: usize = 12;
/// Where the checksummed part begins: at the attributes.
pub const CRC_START: usize = 21;
/// The least `batch_length`: a header and no record (brokers keep such after compaction).
const LEAST_LENGTH: i32 = (BATCH_HEADER_LEN - LENGTH_OVERHEAD) as i32;
/// The only magic that is read and written.
pub const MAGIC: i8 = 2;

const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// Whose clock a batch's timestamps are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's, one a record.
    CreateTime,
    /// The broker's: `max_timestamp` holds for every record.
    LogAppendTime,
}

/// The fields of a batch header in the order of the wire. Timestamps are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset that the records' deltas add to; 0 when produced.
    pub base_offset: i64,
    /// Bytes behind this field: at least 49.
    pub batch_length: i32,
    /// Epoch of the leader that appended it, -1 when produced. Not checksummed.
    pub partition_leader_epoch: i32,
    /// 2.
    pub magic: i8,
    /// CRC32C of all behind it.
    pub crc: u32,
    /// Codec, timestamp type, transactional, control: read by the methods.
    pub attributes: i16,
    /// Offset of the last record less the base; kept by compaction.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas add to.
    pub base_timestamp: i64,
    /// Greatest timestamp; with LogAppendTime that of every record.
    pub max_timestamp: i64,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// -1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence of the first record, -1 without idempotence.
    pub base_sequence: i32,
    /// Records in the batch.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `data`.
    ///
    /// # Errors
    /// `OldFormat` or `UnknownMagic` (told from 17 bytes), `Truncated` below 61 bytes, `BadLength` for a length below
    /// 49, `BadCount` for a negative number of records. Neither CRC nor codec is checked.
    pub fn parse(data: &[u8]) -> Result<Self, RecordsError> {
        match data.get(16).map(|&magic| magic as i8) {
            None => return Err(RecordsError::Truncated { position: data.len() }),
            Some(MAGIC) => {}
            Some(magic @ (0 | 1)) => return Err(RecordsError::OldFormat { magic }),
            Some(magic) => return Err(RecordsError::UnknownMagic { magic }),
        }
        let Some(bytes) = data.first_chunk::<BATCH_HEADER_LEN>() else {
            return Err(RecordsError::Truncated { position: data.len() });
        };
        let header = BatchHeader {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            batch_length: i32::from_be_bytes(field(bytes, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(bytes, 12)),
            magic: MAGIC,
            crc: u32::from_be_bytes(field(bytes, 17)),
            attributes: i16::from_be_bytes(field(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, 35)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            record_count: i32::from_be_bytes(field(bytes, 57)),
        };
        if header.batch_length < LEAST_LENGTH {
            return Err(RecordsError::BadLength { position: 8, length: i64::from(header.batch_length) });
        }
        if header.record_count < 0 {
            let available = header.whole_length() - BATCH_HEADER_LEN;
            return Err(RecordsError::BadCount { count: i64::from(header.record_count), available });
        }
        Ok(header)
    }

    /// Writes the fields as they are.
    pub fn write(&self, dst: &mut [u8; BATCH_HEADER_LEN]) {
        dst[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        dst[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        dst[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        dst[16..17].copy_from_slice(&self.magic.to_be_bytes());
        dst[17..21].copy_from_slice(&self.crc.to_be_bytes());
        dst[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        dst[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        dst[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        dst[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        dst[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        dst[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        dst[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        dst[57..61].copy_from_slice(&self.record_count.to_be_bytes());
    }

    /// Sets `batch_length` and `crc` for the records in `body` (the chunks of the chain, compressed if the attributes
    /// say so) and returns the header's bytes. A body above 2 GiB would saturate the length: batches end far below.
    pub fn seal<'a>(&mut self, body: impl Iterator<Item = &'a [u8]>) -> [u8; BATCH_HEADER_LEN] {
        let mut bytes = [0; BATCH_HEADER_LEN];
        self.write(&mut bytes);
        let mut crc = Crc32c::new();
        crc.update(&bytes[CRC_START..]);
        let mut length = BATCH_HEADER_LEN - LENGTH_OVERHEAD;
        for chunk in body {
            crc.update(chunk);
            length += chunk.len();
        }
        self.batch_length = i32::try_from(length).unwrap_or(i32::MAX);
        self.crc = crc.finish();
        bytes[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes
    }

    /// Attribute bits of a batch.
    pub const fn attributes(codec: Codec, timestamp_type: TimestampType, transactional: bool, control: bool) -> i16 {
        let time = match timestamp_type {
            TimestampType::CreateTime => 0,
            TimestampType::LogAppendTime => LOG_APPEND_TIME,
        };
        codec as i16 | time | if transactional { TRANSACTIONAL } else { 0 } | if control { CONTROL } else { 0 }
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// `UnknownCodec` for 5 to 7.
    pub fn codec(&self) -> Result<Codec, RecordsError> {
        let codec = (self.attributes & CODEC_MASK) as u8;
        Codec::from_number(codec).ok_or(RecordsError::UnknownCodec { codec })
    }

    /// Whose clock the timestamps are from.
    pub const fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Whether the batch belongs to a transaction.
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether it holds a control record (a transaction's end) instead of data.
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Offset of the last record, kept by compaction. Wraps.
    pub const fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(self.last_offset_delta as i64)
    }

    /// Where to fetch on behind this batch. Wraps.
    pub const fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Bytes of the whole batch, header included; at least 61 for a parsed header.
    pub const fn whole_length(&self) -> usize {
        self.batch_length as usize + LENGTH_OVERHEAD
    }
}

/// A record's timestamp in milliseconds: base and delta, or the batch's with LogAppendTime. Wraps.
#[inline]
pub const fn timestamp(header: &BatchHeader, delta: i64) -> i64 {
    match header.timestamp_type() {
        TimestampType::CreateTime => header.base_timestamp.wrapping_add(delta),
        TimestampType::LogAppendTime => header.max_timestamp,
    }
}

/// The `N` bytes at a constant `start`, which the compiler proves to lie within the 61.
#[inline]
fn field<const N: usize>(bytes: &[u8; BATCH_HEADER_LEN], start: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[start..start + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: BatchHeader = BatchHeader {
        base_offset: 0x0102_0304_0506_0708,
        batch_length: 49,
        partition_leader_epoch: 0x1112_1314,
        magic: MAGIC,
        crc: 0xdead_beef,
        attributes: 0x38 | 4,
        last_offset_delta: 9,
        base_timestamp: 1_790_000_000_000,
        max_timestamp: 1_790_000_000_500,
        producer_id: 77,
        producer_epoch: 3,
        base_sequence: 1_000,
        record_count: 10,
    };

    #[test]
    fn writes_what_it_parses() {
        let mut bytes = [0; BATCH_HEADER_LEN];
        SAMPLE.write(&mut bytes);
        assert_eq!(BatchHeader::parse(&bytes), Ok(SAMPLE));
        assert_eq!(bytes[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[57..], [0, 0, 0, 10]);
        assert_eq!(SAMPLE.codec(), Ok(Codec::Zstd));
        assert!(SAMPLE.is_control() && SAMPLE.is_transactional());
        let attributes = BatchHeader::attributes(Codec::Zstd, TimestampType::LogAppendTime, true, true);
        assert_eq!(attributes, SAMPLE.attributes);
        assert_eq!(SAMPLE.next_offset(), 0x0102_0304_0506_0708 + 10);
    }

    #[test]
    fn log_append_time_is_the_batches_own() {
        assert_eq!(timestamp(&SAMPLE, 3), 1_790_000_000_500);
        let created = BatchHeader { attributes: 0, ..SAMPLE };
        assert_eq!(timestamp(&created, 3), 1_790_000_000_003);
        assert_eq!(timestamp(&created, -3), 1_789_999_999_997);
    }

    #[test]
    fn sums_wrap() {
        let header = BatchHeader { base_offset: i64::MAX, attributes: 0, base_timestamp: i64::MAX, ..SAMPLE };
        assert_eq!(header.next_offset(), i64::MIN + 9);
        assert_eq!(timestamp(&header, 1), i64::MIN);
    }

    #[test]
    fn bad_headers_are_told_apart() {
        let mut good = [0; BATCH_HEADER_LEN];
        SAMPLE.write(&mut good);
        let with = |position: usize, byte: u8| {
            let mut bad = good;
            bad[position] = byte;
            BatchHeader::parse(&bad)
        };
        assert_eq!(with(16, 0), Err(RecordsError::OldFormat { magic: 0 }));
        assert_eq!(with(16, 1), Err(RecordsError::OldFormat { magic: 1 }));
        assert_eq!(with(16, 3), Err(RecordsError::UnknownMagic { magic: 3 }));
        assert_eq!(with(16, 0xff), Err(RecordsError::UnknownMagic { magic: -1 }));
        assert_eq!(with(11, 48), Err(RecordsError::BadLength { position: 8, length: 48 }));
        assert_eq!(with(8, 0x80), Err(RecordsError::BadLength { position: 8, length: i64::from(i32::MIN) + 49 }));
        assert!(matches!(with(57, 0x80), Err(RecordsError::BadCount { available: 0, .. })));
        for length in 0..BATCH_HEADER_LEN {
            assert_eq!(BatchHeader::parse(&good[..length]), Err(RecordsError::Truncated { position: length }));
        }
        for codec in 5..8 {
            let header = BatchHeader { attributes: i16::from(codec), ..SAMPLE };
            assert_eq!(header.codec(), Err(RecordsError::UnknownCodec { codec }));
        }
    }
}
