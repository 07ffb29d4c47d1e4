//! The bytes that travel: one request as it was read, and the pieces of one response. Stored batches are slices of the
//! requests that brought them, so that records are never copied.

use std::ops::Range;
use std::sync::Arc;

/// The bytes of one request, without the length in front, shared by all that is cut from it.
#[derive(Clone, Debug)]
pub struct Frame(Arc<Vec<u8>>);

impl Frame {
    /// Takes the bytes; they are not copied.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to change them in place; copied first where someone else holds the frame.
    pub(crate) fn make_mut(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.0)
    }

    /// Where `part`, a slice of this frame, lies in it; `None` for a slice of something else.
    pub(crate) fn range_of(&self, part: &[u8]) -> Option<Range<usize>> {
        let start = (part.as_ptr() as usize).checked_sub(self.0.as_ptr() as usize)?;
        let end = start.checked_add(part.len())?;
        (end <= self.0.len()).then_some(start..end)
    }
}

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
        let segment = Segment::Slice { frame, range: 1..3 };
        assert_eq!((segment.as_slice(), segment.len()), (&[2, 3][..], 2));
    }
}
