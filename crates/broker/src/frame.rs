//! The bytes that travel: one request as it was read (a [`Frame`]), and the pieces of one response. Stored batches are slices
//! of the requests that brought them, so that records are never copied.

use std::ops::Range;

pub use ottla_protocol::frame::Frame;

/// A piece of a response.
#[derive(Clone, Debug)]
pub enum Segment {
    /// Bytes of its own.
    Bytes(Vec<u8>),
    /// A part of a stored request.
    Slice {
        /// The request.
        frame: Frame,
        /// Where in it; within its bounds.
        range: Range<usize>,
    },
}

impl Segment {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Slice { frame, range } => frame.as_slice().get(range.clone()).unwrap_or_default(),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Slice { range, .. } => range.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_a_part_of_its_frame() {
        let segment = Segment::Slice { frame: Frame::new(vec![1, 2, 3, 4]), range: 1..3 };
        assert_eq!((segment.as_slice(), segment.len()), (&[2, 3][..], 2));
    }
}
