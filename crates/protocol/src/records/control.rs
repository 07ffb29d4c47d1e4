//! The records of a control batch: the end of a transaction (KIP-98).
//!
//! What the end means for fetched records is the consumer's decision (read_committed). Types that later Kafka versions
//! add (a Raft leader change) are not errors: control batches are skipped whatever they say.

use super::error::RecordsError;

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlType {
    /// The transaction of the batch's producer id was aborted.
    Abort,
    /// It was committed.
    Commit,
    /// Of no concern to a client.
    Other(i16),
}

/// The key of a control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlRecord {
    /// 0 today; later versions only append fields.
    pub version: i16,
    /// What happened.
    pub control_type: ControlType,
}

impl ControlRecord {
    /// Reads the key of a control batch's record.
    ///
    /// # Errors
    /// `Truncated` below four bytes, `BadLength` for a negative version.
    pub fn parse(key: &[u8]) -> Result<Self, RecordsError> {
        let Some(&[a, b, c, d]) = key.first_chunk::<4>() else {
            return Err(RecordsError::Truncated { position: key.len() });
        };
        let version = i16::from_be_bytes([a, b]);
        if version < 0 {
            return Err(RecordsError::BadLength { position: 0, length: i64::from(version) });
        }
        let control_type = match i16::from_be_bytes([c, d]) {
            0 => ControlType::Abort,
            1 => ControlType::Commit,
            other => ControlType::Other(other),
        };
        Ok(ControlRecord { version, control_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_and_the_unknown() {
        let parse = ControlRecord::parse;
        assert_eq!(parse(&[0, 0, 0, 0]), Ok(ControlRecord { version: 0, control_type: ControlType::Abort }));
        assert_eq!(parse(&[0, 0, 0, 1]), Ok(ControlRecord { version: 0, control_type: ControlType::Commit }));
        // A newer version with a longer key.
        assert_eq!(parse(&[0, 1, 0, 1, 9]), Ok(ControlRecord { version: 1, control_type: ControlType::Commit }));
        assert_eq!(parse(&[0, 0, 0, 2]), Ok(ControlRecord { version: 0, control_type: ControlType::Other(2) }));
        assert_eq!(parse(&[0, 0, 0]), Err(RecordsError::Truncated { position: 3 }));
        assert_eq!(parse(&[0xff, 0xff, 0, 0]), Err(RecordsError::BadLength { position: 0, length: -1 }));
    }
}
