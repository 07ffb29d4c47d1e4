//! [`Consumer`]: records of the partitions that were assigned, taken from any thread. What is fetched when is the machine's.
//! What a member of a group does besides is in `group`.
mod group;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ottla_machines::client::{ClientMachine, ClusterMetadata, Command, Edges, Reply};
use ottla_machines::config::ConsumerSettings;
use ottla_machines::consumer::{
    Assigned, FetchBuffer, Position, PreparedAssignment, RecordRun, Scratch, StartOffset, Take,
};
use ottla_machines::error::{Error, Kind};
use ottla_machines::machine::Now;

use crate::driver::Side;
use crate::handle::{Handle, seed};
use crate::lock::{Contention, Guard, Lock};
use crate::notices::{Notice, NoticeOptions};
use crate::pending::Pending;
use crate::waiters::Waiters;

/// What callers share with the machine.
struct ConsumerSide {
    buffer: Lock<FetchBuffer>,
    records: Waiters,
    /// It has left its group, and may be closed.
    left: AtomicBool,
    ended: AtomicBool,
}

impl Side for ConsumerSide {
    type Machine = ClientMachine;

    fn exchange(&self, machine: &mut ClientMachine, now: Now) -> Option<Edges> {
        let mut buffer = self.buffer.try_lock_first()?;
        Some(machine.exchange_consumer(now, &mut buffer))
    }

    fn wants_exchange(&self, machine: &ClientMachine) -> bool {
        machine.wants_exchange()
    }

    fn wake(&self, edges: Edges) {
        if edges.records {
            self.records.wake_one();
        }
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        // A waiter's check that came before the store has freed the lock by now, and is seen.
        drop(self.buffer.lock(&mut Contention::wait));
        self.records.wake_all();
    }
}

/// A consumer. May be shared by threads; dropping it ends it without waiting.
///
/// `wait` of its methods is called when another thread holds the consumer's lock: see [`Contention`].
pub struct Consumer {
    handle: Handle<ConsumerSide>,
    /// Stored offsets are committed without being asked, also when their partitions are given up.
    auto_commit: bool,
}

impl Consumer {
    /// A consumer without an assignment.
    ///
    /// # Errors
    /// `CriticalSystemResource` when the system refuses the engine's threads or descriptors.
    pub fn new(settings: ConsumerSettings, notices: NoticeOptions) -> Result<Self, Error> {
        let side = ConsumerSide {
            buffer: Lock::new(FetchBuffer::new(&settings)),
            records: Waiters::new(),
            left: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        };
        let machine = ClientMachine::consumer(&settings, seed());
        Ok(Self {
            handle: Handle::start(side, machine, &settings.connection, notices)?,
            auto_commit: settings.auto_commit_interval_us.is_some(),
        })
    }

    /// Takes the next record, a partition's error, or nothing; does not wait. The record's bytes lie in `scratch` until it
    /// is used again.
    #[inline]
    pub fn take(&self, scratch: &mut Scratch, wait: &mut dyn FnMut(Contention)) -> Take {
        if !self.handle.is_ours() {
            return Take::Empty;
        }
        let mut buffer = self.handle.shared.side.buffer.lock(wait);
        let taken = buffer.take(scratch);
        self.free(buffer);
        taken
    }

    /// Takes up to `max` records, at most 256, into `run`, which is cleared first; does not wait. Returns how many.
    pub fn take_many(&self, max: usize, run: &mut RecordRun, wait: &mut dyn FnMut(Contention)) -> usize {
        // What the last run held is let go without the lock.
        run.clear();
        if !self.handle.is_ours() {
            return 0;
        }
        let mut buffer = self.handle.shared.side.buffer.lock(wait);
        let count = buffer.take_many(max, run);
        self.free(buffer);
        count
    }

    fn lock(&self) -> Guard<'_, FetchBuffer> {
        self.handle.shared.side.buffer.lock(&mut Contention::wait)
    }

    /// Frees the lock, and wakes *io* if what was done asks for it.
    #[inline]
    fn free(&self, mut buffer: Guard<'_, FetchBuffer>) {
        let wake = buffer.take_wake();
        drop(buffer);
        if wake {
            self.handle.shared.edge.wake();
        }
    }

    /// Waits until a record, an error of a partition or a notice is there to be taken, or the consumer ended; false at the
    /// deadline. A passed deadline checks once.
    pub fn wait_for_records(&self, deadline: Instant) -> bool {
        if !self.handle.is_ours() {
            return false;
        }
        let side = &self.handle.shared.side;
        // While a caller waits, the clock of `max.poll.interval.ms` does not run (E18).
        self.lock().wait_begins();
        let there = side.records.wait(Some(deadline), &mut || {
            let there = self.lock().has_records();
            there || self.handle.notices_waiting() || side.ended.load(Ordering::SeqCst)
        });
        if self.handle.is_ours() {
            self.lock().wait_ends();
        }
        there
    }

    /// The application is in a call that takes, or not any more: while it is, also in callbacks, the clock of
    /// `max.poll.interval.ms` does not run. Calls come in pairs.
    pub fn polling(&self, begins: bool) {
        if self.handle.is_ours() {
            let mut buffer = self.lock();
            if begins { buffer.wait_begins() } else { buffer.wait_ends() }
        }
    }

    /// Changes what callers and machine share, and tells *io*.
    fn changed<T>(&self, change: impl FnOnce(&mut FetchBuffer) -> T) -> T {
        let mut buffer = self.lock();
        let result = change(&mut buffer);
        let ready = buffer.has_records();
        self.free(buffer);
        if ready {
            self.handle.shared.side.records.wake_one();
        }
        result
    }

    fn ours(&self) -> Result<(), Error> {
        if self.handle.is_ours() { Ok(()) } else { Err(Handle::<ConsumerSide>::forked()) }
    }

    /// Replaces the assignment.
    ///
    /// # Errors
    /// `InvalidArgument` for a partition that is named twice.
    pub fn assign(&self, partitions: Vec<Assigned>) -> Result<(), Error> {
        self.ours()?;
        let prepared = PreparedAssignment::new(partitions)?;
        // What was displaced is committed and dropped without the lock.
        let displaced = self.changed(|buffer| buffer.assign(prepared));
        self.displaced(displaced);
        Ok(())
    }

    /// Gives up every partition.
    ///
    /// # Errors
    /// `State` in a forked child.
    pub fn unassign(&self) -> Result<(), Error> {
        self.ours()?;
        let displaced = self.changed(FetchBuffer::unassign);
        self.displaced(displaced);
        Ok(())
    }

    /// What is assigned, sorted by topic and partition, with the start that was asked for.
    pub fn assignment(&self) -> Vec<Assigned> {
        if !self.handle.is_ours() {
            return Vec::new();
        }
        let mut out = Vec::new();
        loop {
            let buffer = self.lock();
            let count = buffer.assigned();
            if count <= out.capacity() {
                buffer.assignment(&mut out);
                return out;
            }
            drop(buffer);
            out.reserve(count);
        }
    }

    /// Goes on at `start` with the next take.
    ///
    /// # Errors
    /// `State` where the partition is not assigned, `InvalidArgument` for `Stored`.
    pub fn seek(&self, topic: &str, partition: i32, start: StartOffset) -> Result<(), Error> {
        self.ours()?;
        self.changed(|buffer| buffer.seek(topic, partition, start)).map_err(|kind| match kind {
            Kind::State => Error::with_text(kind, format!("{topic} [{partition}] is not assigned to this consumer")),
            kind => Error::new(kind),
        })
    }

    /// Hands over nothing more of the partition until it is resumed; returns whether it is assigned.
    pub fn pause(&self, topic: &str, partition: i32) -> bool {
        self.handle.is_ours() && self.changed(|buffer| buffer.pause(topic, partition))
    }

    /// Hands over the partition's records again; returns whether it is assigned.
    pub fn resume(&self, topic: &str, partition: i32) -> bool {
        self.handle.is_ours() && self.changed(|buffer| buffer.resume(topic, partition))
    }

    /// The offset behind the last record that was taken, -1001 before the first.
    pub fn position(&self, topic: &str, partition: i32) -> Position {
        if !self.handle.is_ours() {
            return Position { offset: ottla_machines::consumer::OFFSET_INVALID, leader_epoch: None };
        }
        self.lock().position(topic, partition)
    }

    /// Low and high watermark as the last Fetch response told them; -1001 both where there was none.
    pub fn cached_watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        if !self.handle.is_ours() {
            let invalid = ottla_machines::consumer::OFFSET_INVALID;
            return (invalid, invalid);
        }
        self.lock().watermarks(topic, partition)
    }

    /// Low and high watermark as the leader tells them now.
    pub fn watermarks(&self, topic: &str, partition: i32, timeout: Duration) -> Pending<(i64, i64)> {
        let topic = Arc::from(topic);
        let command = |request, deadline_us| Command::Watermarks { request, topic, partition, deadline_us };
        self.handle.ask(timeout, command, |reply| match reply {
            Reply::Watermarks { low, high } => Some((low, high)),
            _ => None,
        })
    }

    /// The cluster's description, of one topic or of all.
    pub fn metadata(&self, topic: Option<&str>, timeout: Duration) -> Pending<ClusterMetadata> {
        self.handle.metadata(topic, timeout)
    }

    /// The topic of an index in a taken record; the same for the life of the consumer. `None` for a number that is none.
    pub fn topic_name(&self, index: u32) -> Option<Arc<str>> {
        if !self.handle.is_ours() {
            return None;
        }
        self.lock().topic_name(index).cloned()
    }

    /// Whether what was taken of this partition at `epoch` may still be handed over (E17).
    pub fn is_current(&self, topic: u32, partition: i32, epoch: u64) -> bool {
        self.handle.is_ours() && self.lock().is_current(topic, partition, epoch)
    }

    /// Whether errors or log lines wait to be taken. One relaxed load.
    #[inline]
    pub fn notices_waiting(&self) -> bool {
        self.handle.notices_waiting()
    }

    /// Moves errors and log lines to `out`, oldest first.
    pub fn take_notices(&self, out: &mut Vec<Notice>) {
        self.handle.take_notices(out);
    }

    /// Writes a line to the client's log, as its machine would.
    pub fn log(&self, level: u8, facility: &'static str, text: String) {
        self.handle.log(level, facility, text);
    }

    /// The error that ended the consumer, if one did.
    pub fn failure(&self) -> Option<Error> {
        if self.handle.is_ours() { self.handle.failure() } else { None }
    }

    /// Ends the consumer without waiting: nothing more is fetched, questions fail, and who waits for records returns.
    pub fn close(&self) {
        if self.handle.is_ours() {
            drop(self.changed(FetchBuffer::unassign));
            self.handle.shared.command(Command::Close);
        }
    }
}
