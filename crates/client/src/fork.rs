//! What a forked child does with the parent's engine: it leaves it alone (DESIGN section 5, *Fork*).
//!
//! In the child no engine thread exists, locks may be held by threads that are gone, and maps may be torn. So a fork raises
//! the process's *generation*; a handle of an older generation is never locked, dropped or closed: it is leaked. Its sockets
//! are closed with `close(2)` alone, from a table of atomics: each descriptor is entered after it was opened and removed
//! before it is closed, since a stale number would close someone else's file.
#![allow(unsafe_code)] // pthread_atfork and close(2) on bare numbers have no safe form.

use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, Once};

static GENERATION: AtomicU32 = AtomicU32::new(0);
/// The process that the generation belongs to; tells a second hook of the same fork from a new fork.
static PROCESS: AtomicI32 = AtomicI32::new(0);
static TABLE: Block = Block::new();

const FREE: RawFd = -1;
const SLOTS: usize = 256;

/// A part of the table. Further blocks are never freed, so that the child can always walk them.
struct Block {
    slots: [AtomicI32; SLOTS],
    next: AtomicPtr<Block>,
}

impl Block {
    const fn new() -> Self {
        Self { slots: [const { AtomicI32::new(FREE) }; SLOTS], next: AtomicPtr::new(ptr::null_mut()) }
    }

    fn next(&self) -> Option<&'static Block> {
        // SAFETY: the pointer is null or a block leaked by `enter`, whole before it was published.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }
}

/// How often this process descends from a fork since the crate was loaded. One relaxed load.
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has every later fork of this process run [`after_fork_in_child`], also one made in C. Idempotent.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        PROCESS.store(process(), Ordering::Relaxed);
        // SAFETY: the hook is a plain function that lives for ever and does only what a forked child may do: atomics and
        // close(2). Out of memory (the only failure) leaves the hook of `os.register_at_fork`.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
    });
}

extern "C" fn child() {
    after_fork_in_child();
}

/// Raises the generation and closes the parent's descriptors in this child. Called by `pthread_atfork`; a second call for
/// the same fork (the binding's own hook) does nothing. Safe to call at any time.
pub fn after_fork_in_child() {
    let process = process();
    let before = PROCESS.swap(process, Ordering::SeqCst);
    // 0: no engine was ever made, so that there is nothing to leave alone.
    if before == process || before == 0 {
        return;
    }
    GENERATION.fetch_add(1, Ordering::SeqCst);
    let mut block = Some(&TABLE);
    while let Some(current) = block {
        for slot in &current.slots {
            let descriptor = slot.swap(FREE, Ordering::SeqCst);
            if descriptor != FREE {
                // SAFETY: the number was in the table, so this copy of it was open at the fork and nobody in this process
                // uses it: handles of the parent's generation are never touched.
                unsafe { libc::close(descriptor) };
            }
        }
        block = current.next();
    }
}

/// A static of which each process has its own: a child begins without one, since the parent's may be locked for ever.
pub(crate) struct PerProcess<T>(AtomicPtr<Slot<T>>);

struct Slot<T> {
    generation: u32,
    value: Mutex<Option<T>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's slot; empty at first.
    pub(crate) fn slot(&self) -> &'static Mutex<Option<T>> {
        loop {
            let current = self.0.load(Ordering::Acquire);
            // SAFETY: the pointer is null or a slot leaked below, whole before it was published. Reading the generation of
            // a parent's slot is sound: it is never written again.
            if let Some(slot) = unsafe { current.as_ref() }
                && slot.generation == generation()
            {
                return &slot.value;
            }
            let fresh = Box::into_raw(Box::new(Slot { generation: generation(), value: Mutex::new(None) }));
            // The parent's slot, and that of a thread which lost this race, are leaked: some bytes, once per fork.
            let _ = self.0.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

/// Writes a line to stderr without std's lock, which a thread of the parent may have held at the fork for ever. What cannot be
/// written is lost: there is nobody to tell.
pub(crate) fn write_to_stderr(line: &str) {
    // SAFETY: the pointer and length are those of a live str, which write(2) only reads.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

fn process() -> i32 {
    // SAFETY: getpid has no preconditions. (std::process::id is unsigned; the kernel's number fits.)
    unsafe { libc::getpid() }
}

/// A descriptor's entry in the table: drop it *before* the descriptor is closed.
#[derive(Debug)]
pub struct Entry {
    slot: &'static AtomicI32,
    descriptor: RawFd,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // A fork between this and the close leaks one descriptor in the child; the other order could close a stranger's.
        let _ = self.slot.compare_exchange(self.descriptor, FREE, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Enters a descriptor that was just opened, so that every forked child closes its copy. Also for who serves sockets of
/// its own in this process.
pub fn enter(descriptor: RawFd) -> Entry {
    register();
    let mut block: &'static Block = &TABLE;
    loop {
        for slot in &block.slots {
            if slot.load(Ordering::Relaxed) == FREE
                && slot.compare_exchange(FREE, descriptor, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            {
                return Entry { slot, descriptor };
            }
        }
        if block.next().is_none() {
            let fresh = Box::into_raw(Box::new(Block::new()));
            let lost =
                block.next.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire).is_err();
            if lost {
                // SAFETY: another thread's block was published first; nobody has seen this one.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
        if let Some(next) = block.next() {
            block = next;
        }
    }
}

/// The descriptors in the table, for tests.
#[cfg(test)]
fn entered() -> Vec<RawFd> {
    let mut found = Vec::new();
    let mut block = Some(&TABLE);
    while let Some(current) = block {
        found.extend(current.slots.iter().map(|slot| slot.load(Ordering::SeqCst)).filter(|number| *number != FREE));
        block = current.next();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn the_table_grows_and_forgets() {
        // Numbers that no process has, so that a child of another test closes nothing by them.
        let base = 1 << 24;
        let entries: Vec<_> = (base..base + 600).map(enter).collect();
        let present = entered();
        assert!((base..base + 600).all(|number| present.contains(&number)));
        drop(entries);
        assert!(!entered().iter().any(|number| *number >= base));
    }

    #[test]
    fn a_second_hook_of_the_same_process_changes_nothing() {
        register();
        let before = generation();
        after_fork_in_child();
        assert_eq!(generation(), before);
    }

    #[test]
    fn a_child_has_another_generation_and_none_of_the_parents_descriptors() {
        register();
        let (reader, writer) = std::io::pipe().unwrap();
        let entry = enter(reader.as_raw_fd());
        let before = generation();
        // SAFETY: the child makes only calls that are safe beside threads that are gone, and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: asking about a bare number.
            let is_closed = |descriptor| unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1;
            let (gone, kept) = (is_closed(reader.as_raw_fd()), !is_closed(writer.as_raw_fd()));
            after_fork_in_child();
            let raised = generation() == before + 1;
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(i32::from(gone) | i32::from(kept) << 1 | i32::from(raised) << 2) };
        }
        let mut status = 0;
        // SAFETY: waits for the child that was made above.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(libc::WEXITSTATUS(status), 0b111, "closed, others kept, generation raised once");
        assert_eq!(generation(), before);
        drop(entry);
    }
}
