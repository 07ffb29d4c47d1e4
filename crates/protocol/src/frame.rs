//! The four bytes of length in front of each request and response, and what follows them in memory. Reading and sending the
//! bytes is the connection's.

use crate::primitives::Writer;
use core::fmt;
use core::ops::Range;
use std::sync::Arc;

/// Bytes of the length itself.
pub const PREFIX_LEN: usize = 4;

/// The bytes of one request or response, without its length in front, shared by all that is cut from it.
#[derive(Clone, Debug)]
pub struct Frame(Arc<Vec<u8>>);

impl Frame {
    /// Takes the bytes; they are not copied.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// What this frame costs in memory, in bytes: its buffer's capacity (E20).
    #[inline]
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Where `part`, a slice of this frame, lies in it; `None` for a slice of something else.
    #[inline]
    pub fn range_of(&self, part: &[u8]) -> Option<Range<usize>> {
        let start = (part.as_ptr() as usize).checked_sub(self.0.as_ptr() as usize)?;
        let end = start.checked_add(part.len())?;
        (end <= self.0.len()).then_some(start..end)
    }

    /// Whether `other` is the same frame, not merely an equal one.
    #[inline]
    pub fn same(&self, other: &Frame) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether nobody else holds the frame. Stays so until this holder clones it.
    #[inline]
    pub fn is_last_holder(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The buffer, for reuse, when nobody else holds the frame.
    #[inline]
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        Arc::into_inner(self.0)
    }

    /// The bytes, to change them in place; copied first where someone else holds the frame.
    pub fn make_mut(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.0)
    }
}

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
    fn a_frame_is_changed_in_place_only_while_nobody_else_holds_it() {
        let mut frame = Frame::new(vec![1, 2, 3]);
        let kept = frame.clone();
        assert_eq!(frame.as_slice().as_ptr(), kept.as_slice().as_ptr());
        frame.make_mut()[0] = 9;
        assert_eq!((frame.as_slice(), kept.as_slice()), (&[9, 2, 3][..], &[1, 2, 3][..]));
        let place = frame.as_slice().as_ptr();
        frame.make_mut()[1] = 8;
        assert_eq!(frame.as_slice().as_ptr(), place);
    }

    #[test]
    fn parts_know_their_place() {
        let frame = Frame::new(vec![1, 2, 3, 4]);
        assert_eq!(frame.range_of(&frame.as_slice()[1..3]), Some(1..3));
        assert_eq!(frame.range_of(&[2, 3]), None);
    }

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
