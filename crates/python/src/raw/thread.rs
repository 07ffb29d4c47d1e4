//! The number of the calling thread, which std does not tell.
#![allow(unsafe_code)]

/// The kernel's number of this thread.
#[cfg(target_os = "linux")]
pub(crate) fn number() -> u32 {
    // SAFETY: gettid has no preconditions and cannot fail.
    unsafe { libc::gettid() }.unsigned_abs()
}
