//! Room for output, and blocks of input: what the codecs share.

use super::CompressionError;

/// Least room that is added at once.
const LEAST: usize = 16 * 1024;
/// Room reserved before anything is decompressed: at most this many times the input, whatever it declares.
const HINT_RATIO: usize = 16;

/// Output that must not exceed a limit, appended to a buffer that may hold other bytes already.
pub(super) struct Room<'a> {
    pub(super) out: &'a mut Vec<u8>,
    start: usize,
    limit: usize,
}

impl<'a> Room<'a> {
    /// `hint` is what `input` bytes claim to become, if they do.
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        limit: usize,
        input: usize,
        hint: Option<usize>,
    ) -> Result<Self, CompressionError> {
        let start = out.len();
        let most = input.saturating_mul(HINT_RATIO).saturating_add(LEAST);
        // Half the ratio usual for JSON where nothing is declared: one doubling later it fits.
        let wanted = hint.unwrap_or(input.saturating_mul(4)).min(most).min(limit);
        reserve(out, wanted)?;
        Ok(Room { out, start, limit })
    }

    /// Bytes that came out so far.
    pub(super) fn used(&self) -> usize {
        self.out.len() - self.start
    }

    /// Bytes that may still come.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.used())
    }

    pub(super) fn exceeded(&self) -> CompressionError {
        CompressionError::LimitExceeded { limit: self.limit }
    }

    /// Fails once more came out than allowed.
    pub(super) fn check(&self) -> Result<(), CompressionError> {
        if self.used() > self.limit { Err(self.exceeded()) } else { Ok(()) }
    }

    /// Makes spare capacity if there is none: doubled, but one byte beyond the limit at most, by which excess shows.
    pub(super) fn grow(&mut self) -> Result<(), CompressionError> {
        self.check()?;
        if self.out.len() < self.out.capacity() {
            return Ok(());
        }
        let wanted = self.used().max(LEAST).min(self.left().saturating_add(1));
        reserve(self.out, wanted)
    }
}

/// Reserves without aborting the process when there is no memory.
pub(super) fn reserve(out: &mut Vec<u8>, bytes: usize) -> Result<(), CompressionError> {
    if out.capacity() - out.len() >= bytes {
        return Ok(());
    }
    out.try_reserve_exact(bytes).map_err(|_| CompressionError::OutOfMemory)
}

/// Cuts a chain of chunks into blocks of `size` (the last may be shorter) and hands each to `each`. A block that lies
/// within one chunk is not copied; `gather` is the buffer for others.
pub(super) fn blocks<E>(
    chunks: &[&[u8]],
    size: usize,
    gather: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    gather.clear();
    let last = chunks.len().wrapping_sub(1);
    for (index, chunk) in chunks.iter().enumerate() {
        let mut rest = *chunk;
        while !rest.is_empty() {
            if gather.is_empty() && (rest.len() >= size || index == last) {
                let (block, behind) = rest.split_at(rest.len().min(size));
                each(block)?;
                rest = behind;
            } else {
                let (part, behind) = rest.split_at(rest.len().min(size - gather.len()));
                gather.extend_from_slice(part);
                rest = behind;
                if gather.len() == size {
                    each(gather)?;
                    gather.clear();
                }
            }
        }
    }
    if gather.is_empty() { Ok(()) } else { each(gather) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_are_the_chain_cut(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..9),
                                    size in 1usize..40) {
            let chain: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let mut seen: Vec<Vec<u8>> = Vec::new();
            let cut: Result<(), ()> = blocks(&chain, size, &mut Vec::new(), |block| {
                seen.push(block.to_vec());
                Ok(())
            });
            prop_assert_eq!(cut, Ok(()));
            let whole = chunks.concat();
            let expected: Vec<Vec<u8>> = whole.chunks(size).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
