//! What a record batch must fulfil to be appended, with Kafka 4.4's codes for what it does not.

use ottla_protocol::compression::{Codec, Decompressor};
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::records::header::LENGTH_OVERHEAD;
use ottla_protocol::records::{
    BATCH_HEADER_LEN, BatchHeader, RecordsError, TimestampType, check_crc, read_record_offsets, timestamp,
};

/// Most bytes that a batch may decompress to.
const MAX_DECOMPRESSED: usize = 1 << 30;

/// Why records were not appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    /// For people. Kafka nearly never has one.
    pub(crate) message: Option<String>,
    /// The records that are to blame, by their place in the batch.
    pub(crate) records: Vec<(i32, String)>,
    /// Whether the log itself refused: then Kafka names its start.
    pub(crate) by_log: bool,
}

impl Refused {
    /// With a reason for people.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), ..Self::default() }
    }

    /// Refused with a code that ends every client's attempts.
    pub(crate) fn no_transactions() -> Self {
        let text = "the embedded broker has no transactions yet";
        Self::new(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, text)
    }

    /// Refused when the log was about to take it.
    pub(crate) fn by_log(code: ErrorCode) -> Self {
        Self { code, by_log: true, ..Self::default() }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self { code, ..Self::default() }
    }
}

/// What batches are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// `max.message.bytes`.
    pub(crate) max_message_bytes: i32,
    /// `message.timestamp.type`.
    pub(crate) timestamp_type: TimestampType,
    /// `message.timestamp.after.max.ms`.
    pub(crate) timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub(crate) timestamp_before_max_ms: i64,
    /// The broker's time.
    pub(crate) wall_ms: i64,
}

/// One valid batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) header: BatchHeader,
}

impl Incoming {
    /// The one batch that `records` must be. Bytes behind it that are no whole batch are ignored, as in Kafka.
    ///
    /// # Errors
    /// Kafka's for what it is not.
    pub(crate) fn check(
        records: &[u8],
        version: i16,
        rules: &Rules,
        decompressor: &mut Decompressor,
    ) -> Result<Self, Refused> {
        let header = header(records, version)?;
        let batch = records.get(..header.whole_length()).unwrap_or_default();
        if header.base_offset != 0 {
            return Err(Refused::by_log(ErrorCode::INVALID_RECORD));
        }
        if batch.len() > rules.max_message_bytes.max(0) as usize {
            return Err(ErrorCode::MESSAGE_TOO_LARGE.into());
        }
        if !check_crc(&header, batch) {
            return Err(ErrorCode::CORRUPT_MESSAGE.into());
        }
        check_fields(&header).map_err(Refused::by_log)?;
        check_records(&header, batch.get(BATCH_HEADER_LEN..).unwrap_or_default(), rules, decompressor)?;
        Ok(Self { header })
    }
}

/// The header of the one batch that `records` must be.
fn header(records: &[u8], version: i16) -> Result<BatchHeader, Refused> {
    let header = match BatchHeader::parse(records) {
        Ok(header) => header,
        Err(RecordsError::UnknownMagic { magic }) => {
            return Err(Refused::new(ErrorCode::CORRUPT_MESSAGE, format!("Invalid magic found in record: {magic}")));
        }
        Err(RecordsError::BadCount { .. }) => return Err(Refused::by_log(ErrorCode::INVALID_RECORD)),
        Err(RecordsError::BadLength { .. }) if records.len() >= LENGTH_OVERHEAD => {
            return Err(ErrorCode::CORRUPT_MESSAGE.into());
        }
        Err(_) => return Err(ErrorCode::INVALID_RECORD.into()),
    };
    let Some(rest) = records.get(header.whole_length()..) else { return Err(ErrorCode::INVALID_RECORD.into()) };
    if BatchHeader::parse(rest).is_ok_and(|second| second.whole_length() <= rest.len()) {
        // Of all versions that carry magic 2: exactly one batch a partition.
        return Err(ErrorCode::INVALID_RECORD.into());
    }
    if header.is_transactional() {
        return Err(Refused::no_transactions());
    }
    if version < 7 && header.codec() == Ok(Codec::Zstd) {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE.into());
    }
    Ok(header)
}

fn check_fields(header: &BatchHeader) -> Result<(), ErrorCode> {
    let count = i64::from(header.last_offset_delta) + 1;
    let sequence_missing = header.producer_id >= 0 && header.base_sequence < 0;
    if count <= 0 || i64::from(header.record_count) != count || header.is_control() || sequence_missing {
        return Err(ErrorCode::INVALID_RECORD);
    }
    Ok(())
}

/// Each record is whole and has the offset that follows the one before; nothing stands behind the last; times are
/// within bounds.
fn check_records(
    header: &BatchHeader,
    body: &[u8],
    rules: &Rules,
    decompressor: &mut Decompressor,
) -> Result<(), Refused> {
    let invalid = || Refused::by_log(ErrorCode::INVALID_RECORD);
    let mut plain = Vec::new();
    let records = match header.codec() {
        Ok(Codec::None) => body,
        Ok(codec) => match decompressor.decompress(codec, body, MAX_DECOMPRESSED, &mut plain) {
            Ok(()) => &plain,
            Err(_) => return Err(Refused::by_log(ErrorCode::UNKNOWN_SERVER_ERROR)),
        },
        Err(_) => return Err(Refused::by_log(ErrorCode::UNKNOWN_SERVER_ERROR)),
    };
    let oldest = rules.wall_ms.saturating_sub(rules.timestamp_before_max_ms);
    let newest = rules.wall_ms.saturating_add(rules.timestamp_after_max_ms);
    let create_time = rules.timestamp_type == TimestampType::CreateTime;
    let (mut position, mut untimely) = (0, Vec::new());
    for expected in 0..header.record_count {
        let record = read_record_offsets(records, &mut position).map_err(|_| invalid())?;
        // Kafka lets other numbers pass; nothing good can come of them.
        if record.offset_delta != expected {
            return Err(invalid());
        }
        let time = timestamp(header, record.timestamp_delta);
        if create_time && time != -1 && !(oldest..=newest).contains(&time) {
            untimely.push((
                expected,
                format!(
                    "Timestamp {time} of message with offset {expected} is out of range. The timestamp should be within [{oldest}, {newest}]"
                ),
            ));
        }
    }
    if position != records.len() {
        return Err(invalid());
    }
    if !untimely.is_empty() {
        let text = "One or more records have been rejected due to invalid timestamp";
        return Err(Refused { records: untimely, by_log: true, ..Refused::new(ErrorCode::INVALID_TIMESTAMP, text) });
    }
    Ok(())
}
