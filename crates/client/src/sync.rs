//! The primitives under the lock, the wake-up edge and the hand-over: std's, or loom's with the feature `loom`.
//!
//! Nothing else of the crate uses this module, so that a model has no thread and no clock that loom does not see.

#[cfg(not(feature = "loom"))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
};

#[cfg(feature = "loom")]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
};

/// Takes a mutex whose holder may have panicked: what it guards here is whole after every statement.
pub(crate) fn take<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
