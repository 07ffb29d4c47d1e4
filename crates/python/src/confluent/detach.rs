//! How a call that finds a client's lock taken waits.
use ottla::Contention;
use pyo3::prelude::*;

/// Waits detached: whoever holds the lock may want to attach.
#[inline]
pub(super) fn detached(py: Python<'_>) -> impl FnMut(Contention) + '_ {
    move |contention| py.detach(|| contention.wait())
}
