//! What can be wrong with a record batch. What is done about it (E19) is the consumer's decision.

/// Why bytes are not a valid record batch or record. Positions are bytes from the start of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordsError {
    /// Fewer bytes than the structure needs.
    Truncated {
        /// Where the missing bytes should begin.
        position: usize,
    },
    /// A message set of magic 0 or 1: from a topic that a broker before 0.11 wrote.
    OldFormat {
        /// 0 or 1.
        magic: i8,
    },
    /// A magic that no Kafka release has.
    UnknownMagic {
        /// What stood there.
        magic: i8,
    },
    /// A length that contradicts the bytes around it, or is below -1 (below 0 where null is not allowed).
    BadLength {
        /// Where the length stands.
        position: usize,
        /// The length as read.
        length: i64,
    },
    /// A number of records or headers that is negative or cannot fit the bytes that follow.
    BadCount {
        /// The number as read.
        count: i64,
        /// Bytes that are there for them.
        available: usize,
    },
    /// A varint of more than 5 (10) bytes, or one whose last byte exceeds 32 (64) bits.
    BadVarint {
        /// Where the varint begins.
        position: usize,
    },
    /// A codec number that no Kafka release has.
    UnknownCodec {
        /// Bits 0 to 2 of the attributes.
        codec: u8,
    },
    /// More than 4 GiB of records: positions are 32 bits.
    TooLarge,
}

impl core::fmt::Display for RecordsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            RecordsError::Truncated { position } => write!(f, "record data ends at byte {position}, more is needed"),
            RecordsError::OldFormat { magic } => {
                write!(f, "old format: message set of magic {magic}, only record batches of magic 2 can be read")
            }
            RecordsError::UnknownMagic { magic } => write!(f, "unknown record batch magic {magic}"),
            RecordsError::BadLength { position, length } => {
                write!(f, "length {length} at byte {position} does not fit the record data")
            }
            RecordsError::BadCount { count, available } => write!(f, "{count} entries do not fit {available} bytes"),
            RecordsError::BadVarint { position } => write!(f, "varint at byte {position} is too long"),
            RecordsError::UnknownCodec { codec } => write!(f, "unknown compression codec {codec}"),
            RecordsError::TooLarge => write!(f, "more than 4 GiB of record data"),
        }
    }
}

impl std::error::Error for RecordsError {}
