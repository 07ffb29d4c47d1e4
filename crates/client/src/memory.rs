//! Memory of open batches, fresh and zero, made ready outside the lock: under it no page may be touched for the first time (E6).
#![allow(unsafe_code)] // madvise has no safe name.

const PAGE: usize = 4096;
/// Below this a call costs more than the faults that it saves.
const WORTH_A_CALL: usize = 16 << 10;

/// Gives the buffer's pages memory, all in one call: a fault for each costs several times as much.
pub(crate) fn prepare(buffer: &mut [u8]) {
    if buffer.len() < WORTH_A_CALL || !populate(buffer) {
        // Page by page: fresh memory gets its pages when it is first written.
        for page in buffer.chunks_mut(PAGE) {
            std::hint::black_box(page)[0] = 0;
        }
    }
}

/// Whether the kernel did it.
fn populate(buffer: &mut [u8]) -> bool {
    #[cfg(target_os = "linux")]
    {
        let start = buffer.as_mut_ptr();
        let skip = start.align_offset(PAGE);
        if let Some(length) = buffer.len().checked_sub(skip).map(|length| length / PAGE * PAGE)
            && length > 0
        {
            // SAFETY: the range lies within the buffer, which is ours to write; the call changes no byte of it. A kernel
            // that does not know the advice (before 5.14) refuses it.
            return unsafe { libc::madvise(start.add(skip).cast(), length, libc::MADV_POPULATE_WRITE) } == 0;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
    false
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_prepared_buffer_is_zero_as_it_was() {
        for length in [0, 1, 5000, 100_000] {
            let mut buffer = vec![0_u8; length];
            super::prepare(&mut buffer);
            assert!(buffer.iter().all(|byte| *byte == 0));
        }
    }
}
