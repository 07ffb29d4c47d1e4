//! The four bytes of length in front of each request and response. Reading and sending the bytes is the connection's.

use crate::primitives::Writer;
use core::fmt;

/// Bytes of the length itself.
pub const PREFIX_LEN: usize = 4;

/// A length that cannot be a frame's. The connection is not to be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Below zero.
    Negative {
        /// The length on the wire.
        length: i32,
    },
    /// Above what the caller accepts, or when writing above what four bytes can say.
    TooLarge {
        /// The length, in bytes.
        length: usize,
        /// The most that is accepted.
        max: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative { length } => write!(f, "frame length {length} is negative; is the peer a Kafka broker?"),
            Self::TooLarge { length, max } => write!(
                f,
                "frame of {length} bytes exceeds the limit of {max}; is the port a TLS or HTTP port, or \
                 receive.message.max.bytes too small?"
            ),
        }
    }
}

impl core::error::Error for FrameError {}

/// How many bytes follow the length `prefix`, at most `max`.
///
/// # Errors
/// A negative length, or one above `max`: nothing is to be allocated for it.
pub fn frame_length(prefix: [u8; PREFIX_LEN], max: usize) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(prefix);
    match usize::try_from(length) {
        Err(_) => Err(FrameError::Negative { length }),
        Ok(length) if length > max => Err(FrameError::TooLarge { length, max }),
        Ok(length) => Ok(length),
    }
}

/// The place of a length that [`end_frame`] fills in.
#[derive(Debug)]
#[must_use = "the length is written by end_frame"]
pub struct FrameStart {
    position: usize,
    len: usize,
}

/// Begins a frame: leaves room for its length. Several may follow one another in one writer.
pub fn begin_frame(w: &mut Writer) -> FrameStart {
    let start = FrameStart { position: w.as_bytes().len(), len: w.len() };
    w.i32(0);
    start
}

/// Ends a frame: writes its length, which counts the bytes of splits too.
///
/// # Errors
/// The frame is longer than four bytes can say.
pub fn end_frame(w: &mut Writer, start: FrameStart) -> Result<(), FrameError> {
    let length = w.len() - start.len - PREFIX_LEN;
    let max = i32::MAX as usize;
    match i32::try_from(length) {
        Ok(length) => {
            w.patch_i32(start.position, length);
            Ok(())
        }
        Err(_) => Err(FrameError::TooLarge { length, max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::Records;

    #[test]
    fn lengths_are_checked_before_use() {
        assert_eq!(frame_length([0, 0, 1, 0], 256), Ok(256));
        assert_eq!(frame_length([0, 0, 1, 1], 256), Err(FrameError::TooLarge { length: 257, max: 256 }));
        assert_eq!(frame_length([0xff; 4], 256), Err(FrameError::Negative { length: -1 }));
    }

    #[test]
    fn a_frame_counts_what_is_sent_from_elsewhere() {
        let mut w = Writer::new();
        for tag in [3, 4] {
            let start = begin_frame(&mut w);
            let records = Records::External { header: &[1, 2], body_len: 100, tag };
            w.records(false, false, Some(records), "Records").unwrap();
            w.i8(9);
            end_frame(&mut w, start).unwrap();
        }
        let (bytes, splits) = w.into_parts();
        let frame = [0, 0, 0, 107, 0, 0, 0, 102, 1, 2, 9];
        assert_eq!(bytes, [frame, frame].concat());
        let places: Vec<_> = splits.iter().map(|split| (split.position, split.tag)).collect();
        assert_eq!(places, [(10, 3), (21, 4)]);
    }
}
