//! Memory of open batches, made ready outside the lock: under it no page may be touched for the first time (E6).
#![allow(unsafe_code)] // madvise has no safe name.

/// Below this the pages are touched anyway when the chunk is made.
const WORTH_A_CALL: usize = 16 << 10;

/// Gives the buffer's pages memory, all in one call: a fault for each costs several times as much.
pub(crate) fn prepare(buffer: &mut [u8]) {
    if buffer.len() < WORTH_A_CALL {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let start = buffer.as_mut_ptr();
        let skip = start.align_offset(PAGE);
        if let Some(length) = buffer.len().checked_sub(skip).map(|length| length / PAGE * PAGE)
            && length > 0
        {
            // SAFETY: the range lies within the buffer, which is ours to write; the call changes no byte of it. A kernel
            // that does not know the advice (before 5.14) refuses it, and the pages come one by one.
            unsafe { libc::madvise(start.add(skip).cast(), length, libc::MADV_POPULATE_WRITE) };
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_prepared_buffer_is_as_it_was() {
        let mut buffer = vec![7_u8; 100_000];
        super::prepare(&mut buffer);
        assert!(buffer.iter().all(|byte| *byte == 7));
    }
}
