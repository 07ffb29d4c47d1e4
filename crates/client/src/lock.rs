//! The one lock of a client (E6): everything that `append` and `take` touch lies under it.
//!
//! One exchange takes it and a plain release store frees it: nobody owes a wake-up, so freeing costs nothing. Whoever finds
//! it taken spins shortly and then waits as the caller says ([`Contention`]): the Python binding detaches from the
//! interpreter first, which this crate knows nothing of. It is a leaf: under it nothing is locked, allocated, dropped or
//! waited for. Thread *io* only tries.
#![allow(unsafe_code)] // A lock hands out `&mut` from `&`; std's cost a second locked instruction per record.
#![cfg_attr(not(feature = "loom"), allow(unreachable_pub))] // Public for loom's models alone.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::sync::{AtomicBool, Ordering};

/// Tries before a caller gives up its processor: about the time of two holds.
const SPINS: u32 = if cfg!(feature = "loom") { 1 } else { 100 };
/// Tries of thread *io*, which has others to serve.
const SPINS_OF_IO: u32 = if cfg!(feature = "loom") { 1 } else { 25 };
const SHORTEST_SLEEP: Duration = Duration::from_micros(50);
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

/// What a caller who found the lock taken should do before it tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contention {
    /// Let another thread run.
    Yield,
    /// Sleep for this long.
    Sleep(Duration),
}

impl Contention {
    /// Does what is asked on the calling thread: the `wait` of callers who need not let go of anything first.
    pub fn wait(self) {
        match self {
            Contention::Yield => std::thread::yield_now(),
            Contention::Sleep(time) => std::thread::sleep(time),
        }
    }
}

/// A spin lock whose waiting is the caller's. See the module's documentation.
// The flag shares its cache line with the beginning of the value, and with nothing else.
#[repr(align(64))]
pub struct Lock<T> {
    taken: AtomicBool,
    /// Thread *io* waits at the door: a caller that takes the lock again at once would win every time, for the flag lies in
    /// its cache.
    wanted: AtomicBool,
    value: cell::Cell<T>,
}

// SAFETY: the flag lets one thread at a time reach the value, and the release store of a guard's drop happens before the
// acquiring exchange of the next, so a `T` that may be sent may be reached from any thread.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: a lock owns its value.
unsafe impl<T: Send> Send for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock.
    pub fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), wanted: AtomicBool::new(false), value: cell::Cell::new(value) }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        // Compare and exchange, not swap: the same price, and a refused try writes nothing.
        match self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(self.guard()),
            Err(_) => None,
        }
    }

    /// Takes the lock; while it is taken, spins 100 times, has `wait` yield twice, then sleep 50 us, doubling to 1 ms.
    #[inline]
    pub fn lock(&self, wait: &mut dyn FnMut(Contention)) -> Guard<'_, T> {
        if self.wanted.load(Ordering::Relaxed) {
            self.give_way();
        }
        match self.try_lock() {
            Some(guard) => guard,
            None => self.lock_contended(wait),
        }
    }

    /// For thread *io*, which only tries: asks callers to give way for a moment.
    pub fn try_lock_first(&self) -> Option<Guard<'_, T>> {
        if let Some(guard) = self.try_lock() {
            return Some(guard);
        }
        self.wanted.store(true, Ordering::Relaxed);
        let guard = self.try_lock_shortly();
        self.wanted.store(false, Ordering::Relaxed);
        guard
    }

    /// Lets *io* in. Whoever asked and was then put off its processor is waited for once, and shortly.
    #[cold]
    fn give_way(&self) {
        for _ in 0..SPINS {
            if !self.wanted.load(Ordering::Relaxed) {
                return;
            }
            #[cfg(not(feature = "loom"))]
            std::hint::spin_loop();
        }
        self.wanted.store(false, Ordering::Relaxed);
    }

    /// Tries a bounded number of times, without waiting.
    pub fn try_lock_shortly(&self) -> Option<Guard<'_, T>> {
        self.spin(SPINS_OF_IO)
    }

    fn spin(&self, tries: u32) -> Option<Guard<'_, T>> {
        for _ in 0..tries {
            // Reading first leaves the holder its cache line; loom would let the read be stale for ever.
            if (cfg!(feature = "loom") || !self.taken.load(Ordering::Relaxed))
                && let Some(guard) = self.try_lock()
            {
                return Some(guard);
            }
            #[cfg(not(feature = "loom"))]
            std::hint::spin_loop();
        }
        None
    }

    #[cold]
    fn lock_contended(&self, wait: &mut dyn FnMut(Contention)) -> Guard<'_, T> {
        let mut yields = 2;
        let mut sleep = SHORTEST_SLEEP;
        loop {
            if let Some(guard) = self.spin(SPINS) {
                return guard;
            }
            if yields > 0 {
                yields -= 1;
                wait(Contention::Yield);
            } else {
                wait(Contention::Sleep(sleep));
                sleep = (sleep * 2).min(LONGEST_SLEEP);
            }
        }
    }

    #[inline]
    fn guard(&self) -> Guard<'_, T> {
        Guard { lock: self, pointer: ManuallyDrop::new(self.value.pointer()), not_send: PhantomData }
    }
}

/// The right to reach the value until it is dropped.
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
    pointer: ManuallyDrop<cell::Pointer<T>>,
    not_send: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard exists for the thread alone whose exchange found the flag unset, until the drop that clears it;
        // the borrow ends with the guard's.
        unsafe { self.pointer.value() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and the guard is borrowed uniquely.
        unsafe { self.pointer.value() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: dropped here alone, before the lock is free (loom checks that no access outlives the hold).
        unsafe { ManuallyDrop::drop(&mut self.pointer) };
        self.lock.taken.store(false, Ordering::Release);
    }
}

#[cfg(not(feature = "loom"))]
mod cell {
    use std::cell::UnsafeCell;

    pub(super) struct Cell<T>(UnsafeCell<T>);

    pub(super) struct Pointer<T>(*mut T);

    impl<T> Cell<T> {
        pub(super) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        #[inline]
        pub(super) fn pointer(&self) -> Pointer<T> {
            Pointer(self.0.get())
        }
    }

    impl<T> Pointer<T> {
        /// # Safety
        /// The lock is held, the result is not used after it is freed, and no other reference to the value lives.
        #[inline]
        #[allow(clippy::mut_from_ref)]
        pub(super) unsafe fn value(&self) -> &mut T {
            // SAFETY: the pointer comes from a live cell; the rest is the caller's promise.
            unsafe { &mut *self.0 }
        }
    }
}

#[cfg(feature = "loom")]
mod cell {
    use loom::cell::{MutPtr, UnsafeCell};

    pub(super) struct Cell<T>(UnsafeCell<T>);

    pub(super) struct Pointer<T>(MutPtr<T>);

    impl<T> Cell<T> {
        pub(super) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        pub(super) fn pointer(&self) -> Pointer<T> {
            Pointer(self.0.get_mut())
        }
    }

    impl<T> Pointer<T> {
        /// # Safety
        /// As for std's.
        #[allow(clippy::mut_from_ref)]
        pub(super) unsafe fn value(&self) -> &mut T {
            // SAFETY: loom itself checks that no other access is under way.
            unsafe { self.0.deref() }
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn four_threads_lose_no_increment() {
        let lock = Arc::new(Lock::new(0_u64));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = lock.clone();
                std::thread::spawn(move || {
                    for _ in 0..50_000 {
                        *lock.lock(&mut Contention::wait) += 1;
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.try_lock().unwrap(), 200_000);
    }

    #[test]
    fn a_taken_lock_asks_to_yield_twice_and_then_to_sleep_twice_as_long_each_time() {
        let lock = Lock::new(());
        let mut asked = Vec::new();
        let mut guard = lock.try_lock();
        assert!(lock.try_lock().is_none());
        drop(lock.lock(&mut |contention| {
            asked.push(contention);
            if asked.len() == 9 {
                guard = None;
            }
        }));
        let sleep = |us| Contention::Sleep(Duration::from_micros(us));
        let sleeps = [50, 100, 200, 400, 800, 1000, 1000].map(sleep);
        assert_eq!(asked, [&[Contention::Yield; 2][..], &sleeps[..]].concat());
    }

    #[test]
    fn a_holder_that_panics_frees_it() {
        let lock = Lock::new(1);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = lock.try_lock().unwrap();
            panic!("while held");
        }));
        assert!(outcome.is_err());
        assert_eq!(*lock.try_lock().unwrap(), 1);
    }
}
