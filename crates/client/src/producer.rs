//! [`Producer`]: appends records from any thread, hands out delivery reports. What happens to a record in between is the
//! machine's; callbacks and Python are the binding's, which attaches an `A` to a record and gets it back with its report.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ottla_machines::client::{ClientMachine, ClusterMetadata, Command, Edges};
use ottla_machines::config::ProducerSettings;
use ottla_machines::error::Error;
use ottla_machines::machine::Now;
use ottla_machines::producer::{Accumulator, NewRecord, Refused, ReportRun, Supply};

use crate::clock;
use crate::driver::Side;
use crate::handle::{Handle, seed};
use crate::lock::{Contention, Lock};
use crate::memory;
use crate::notices::{Notice, NoticeOptions};
use crate::pending::Pending;
use crate::waiters::Waiters;

/// Why a record was not appended. Nothing was kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The producer was closed.
    Closed,
    /// The producer belongs to the parent process.
    Forked,
    /// An earlier error ended the producer.
    Fatal(Error),
    /// `queue.buffering.max.messages` or `.kbytes` is reached; `reports` delivery reports wait to be taken (E13).
    Full {
        /// Reports that wait.
        reports: usize,
    },
    /// The record will not do: it is too large, or the brokers have no such topic or partition for it.
    Refused(Error),
}

/// What callers share with the machine.
struct ProducerSide<A> {
    accumulator: Lock<Accumulator<A>>,
    /// Callers that wait for reports, for notices, or for the count to reach zero.
    reports: Waiters,
    drained: Waiters,
    ended: AtomicBool,
    /// Reports may wait. Set by *io* after it has put some there, taken back under the lock when there is none: who reads
    /// `false` misses at most what came a moment ago.
    reported: AtomicBool,
}

impl<A: Send + 'static> Side for ProducerSide<A> {
    type Machine = ClientMachine;

    fn exchange(&self, machine: &mut ClientMachine, now: Now) -> Option<Edges> {
        let mut accumulator = self.accumulator.try_lock_first()?;
        Some(machine.exchange_producer(now, &mut accumulator))
    }

    fn wants_exchange(&self, machine: &ClientMachine) -> bool {
        machine.wants_exchange()
    }

    fn wake(&self, edges: Edges) {
        if edges.reports {
            self.reported.store(true, Ordering::Release);
            self.reports.wake_one();
        }
        if edges.reports || edges.drained {
            self.drained.wake_all();
        }
    }

    fn end(&self) {
        self.accumulator.lock(&mut Contention::wait).close();
        self.ended.store(true, Ordering::SeqCst);
        self.reports.wake_all();
        self.drained.wake_all();
    }
}

/// A producer. May be shared by threads; dropping it ends it without waiting and logs what was lost.
///
/// `wait` of its methods is called when another thread holds the producer's lock: see [`Contention`]. No method calls back
/// otherwise, or drops an `A`, while it holds the lock.
pub struct Producer<A: Send + 'static>(Handle<ProducerSide<A>>);

impl<A: Send + 'static> Producer<A> {
    /// A producer that begins to connect when it is first needed.
    ///
    /// # Errors
    /// `CriticalSystemResource` when the system refuses the engine's threads or descriptors.
    pub fn new(settings: ProducerSettings, notices: NoticeOptions) -> Result<Self, Error> {
        let seed = seed();
        let side = ProducerSide {
            accumulator: Lock::new(Accumulator::new(&settings, seed ^ 3)),
            reports: Waiters::new(),
            drained: Waiters::new(),
            ended: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        };
        let machine = ClientMachine::producer(&settings, seed);
        Handle::start(side, machine, &settings.connection, notices).map(Self)
    }

    /// Appends a record to its partition's batch; returns before it is sent. The attachment comes back with the record's
    /// report, or with the error. Does not wait for room: that is the caller's, by [`Producer::wait_for_reports`].
    ///
    /// # Errors
    /// See [`AppendError`].
    #[inline]
    pub fn append(
        &self,
        record: &NewRecord<'_>,
        attachment: Option<A>,
        wait: &mut dyn FnMut(Contention),
    ) -> Result<(), (AppendError, Option<A>)> {
        let mut attachment = attachment;
        let mut supply = Supply::nothing();
        if !self.0.is_ours() {
            return Err((AppendError::Forked, attachment));
        }
        loop {
            let outcome = {
                let mut accumulator = self.0.shared.side.accumulator.lock(wait);
                accumulator.append(record, &mut attachment, &mut supply, || clock::mono_us(Instant::now()))
            };
            match outcome {
                Ok(appended) => {
                    if appended.wake {
                        self.0.shared.edge.wake();
                    }
                    return Ok(());
                }
                Err(Refused::Needs(needs)) => {
                    supply.make(needs, record);
                    if let Some(memory) = supply.chunk_memory() {
                        memory::prepare(memory);
                    }
                }
                Err(refused) => return Err((self.refused(refused), attachment)),
            }
        }
    }

    #[cold]
    fn refused(&self, refused: Refused) -> AppendError {
        if let Refused::Full { reports } = refused {
            return AppendError::Full { reports };
        }
        match (refused.error(), self.failure()) {
            (Some(error), _) => AppendError::Refused(error),
            (None, Some(error)) => AppendError::Fatal(error),
            (None, None) => AppendError::Closed,
        }
    }

    /// Takes reports of one batch, as many as `run` has room for; none is an empty run. What `run` held before must have
    /// been taken out. Each report taken leaves the count by [`Producer::served`].
    pub fn take_reports(&self, run: &mut ReportRun<A>, wait: &mut dyn FnMut(Contention)) {
        // A poll after each record mostly finds nothing: that costs no lock.
        let before = if self.0.is_ours() && self.side().reported.load(Ordering::Acquire) {
            let mut accumulator = self.side().accumulator.lock(wait);
            let before = accumulator.take_reports(run);
            if accumulator.reports_waiting() == 0 {
                self.side().reported.store(false, Ordering::Relaxed);
            }
            before
        } else {
            run.batch.take()
        };
        drop(before);
    }

    /// So many reports were served, of records that counted so many bytes: they leave the queue's count (E13).
    pub fn served(&self, messages: usize, bytes: usize, wait: &mut dyn FnMut(Contention)) {
        if self.0.is_ours() && self.side().accumulator.lock(wait).served(messages, bytes) {
            self.side().drained.wake_all();
            self.side().reports.wake_all();
        }
    }

    /// Records that are queued or in flight, and reports that were not served yet.
    pub fn outstanding(&self) -> usize {
        if self.0.is_ours() { self.side().accumulator.lock(&mut Contention::wait).outstanding() } else { 0 }
    }

    /// Reports that wait to be taken.
    pub fn reports_waiting(&self) -> usize {
        if self.0.is_ours() { self.side().accumulator.lock(&mut Contention::wait).reports_waiting() } else { 0 }
    }

    /// Whether reports may wait to be taken. One load, no lock.
    #[inline]
    pub fn has_reports(&self) -> bool {
        self.0.is_ours() && self.side().reported.load(Ordering::Acquire)
    }

    /// Waits until a report or a notice is there to be taken, or the producer ended; false at the deadline. A passed
    /// deadline checks once.
    pub fn wait_for_reports(&self, deadline: Instant) -> bool {
        self.wait(&self.side().reports, deadline, |_, reports| reports > 0)
    }

    /// Waits until nothing is outstanding, or a report or a notice is there to be taken, or the producer ended; false at
    /// the deadline. The loop of a flush: serve what is there, then wait again while [`Producer::outstanding`] is not 0.
    pub fn wait_for_progress(&self, deadline: Instant) -> bool {
        self.wait(&self.side().drained, deadline, |outstanding, reports| outstanding == 0 || reports > 0)
    }

    /// Waits until nothing is outstanding, whatever else there is to serve; false at the deadline or when the producer
    /// ended with records outstanding.
    pub fn wait_until_drained(&self, deadline: Instant) -> bool {
        if !self.0.is_ours() {
            return false;
        }
        let side = self.side();
        let drained = || side.accumulator.lock(&mut Contention::wait).outstanding() == 0;
        side.drained.wait(Some(deadline), &mut || side.ended.load(Ordering::SeqCst) || drained());
        drained()
    }

    fn wait(&self, waiters: &Waiters, deadline: Instant, ready: impl Fn(usize, usize) -> bool) -> bool {
        if !self.0.is_ours() {
            return false;
        }
        let side = self.side();
        waiters.wait(Some(deadline), &mut || {
            let accumulator = side.accumulator.lock(&mut Contention::wait);
            let counts = (accumulator.outstanding(), accumulator.reports_waiting());
            drop(accumulator);
            ready(counts.0, counts.1) || self.0.notices_waiting() || side.ended.load(Ordering::SeqCst)
        })
    }

    /// Sends what is queued without waiting for linger. Does not wait.
    pub fn start_flush(&self) {
        if self.0.is_ours() {
            let wake = self.side().accumulator.lock(&mut Contention::wait).flush();
            if wake {
                self.0.shared.edge.wake();
            }
        }
    }

    /// The cluster's description, of one topic or of all; fails with `TimedOut` or what stood in the way after `timeout`.
    pub fn metadata(&self, topic: Option<&str>, timeout: Duration) -> Pending<ClusterMetadata> {
        self.0.metadata(topic, timeout)
    }

    /// Whether errors or log lines wait to be taken. One relaxed load.
    #[inline]
    pub fn notices_waiting(&self) -> bool {
        self.0.notices_waiting()
    }

    /// Moves errors and log lines to `out`, oldest first.
    pub fn take_notices(&self, out: &mut Vec<Notice>) {
        self.0.take_notices(out);
    }

    /// The error that ended the producer, if one did.
    pub fn failure(&self) -> Option<Error> {
        if !self.0.is_ours() {
            return None;
        }
        let fatal = self.side().accumulator.lock(&mut Contention::wait).fatal().cloned();
        fatal.or_else(|| self.0.failure())
    }

    /// Refuses later appends with [`AppendError::Closed`]; what is queued goes on.
    pub fn close(&self) {
        if self.0.is_ours() {
            self.side().accumulator.lock(&mut Contention::wait).close();
        }
    }

    /// Ends the producer without waiting: connections are closed, questions fail, and who waits returns.
    pub fn end(&self) {
        if self.0.is_ours() {
            self.close();
            self.0.shared.command(Command::Close);
        }
    }

    /// Whether a broker was ever connected.
    pub fn has_connected(&self) -> bool {
        self.0.is_ours() && self.0.shared.has_connected()
    }

    /// Writes a line to the client's log, as its machine would.
    pub fn log(&self, level: u8, facility: &'static str, text: String) {
        self.0.log(level, facility, text);
    }

    /// Whether [`Producer::close`] was called or the producer ended.
    pub fn is_closed(&self) -> bool {
        !self.0.is_ours() || self.side().accumulator.lock(&mut Contention::wait).is_closed()
    }

    /// Shows everything that is attached to records whose reports were not taken. `visit` runs under the lock: it must not
    /// call this producer, allocate or wait.
    pub fn with_attachments(&self, visit: impl FnMut(&A)) {
        if self.0.is_ours() {
            self.side().accumulator.lock(&mut Contention::wait).each_attachment(visit);
        }
    }

    /// Takes out everything that is attached; the records go on without, and get no report.
    pub fn take_attachments(&self, out: &mut Vec<A>, wait: &mut dyn FnMut(Contention)) {
        if !self.0.is_ours() {
            return;
        }
        loop {
            let remain = self.side().accumulator.lock(wait).take_attachments(out);
            if remain == 0 {
                return;
            }
            out.reserve(remain);
        }
    }

    #[inline]
    fn side(&self) -> &ProducerSide<A> {
        &self.0.shared.side
    }
}

impl<A: Send + 'static> Drop for Producer<A> {
    fn drop(&mut self) {
        if !self.0.is_ours() {
            return;
        }
        // Attachments are the callers' and dropped here: thread io never drops one.
        let mut attachments = Vec::new();
        self.take_attachments(&mut attachments, &mut Contention::wait);
        let lost = {
            let mut accumulator = self.side().accumulator.lock(&mut Contention::wait);
            accumulator.close();
            // Reports that were not taken are of records that arrived, or whose failure nobody asked for.
            accumulator.outstanding().saturating_sub(accumulator.reports_waiting())
        };
        drop(attachments);
        if lost > 0 {
            let text = format!(
                "Producer terminating with {lost} message(s) still in queue or transit: \
                 use flush() to wait for outstanding message delivery"
            );
            self.0.log(4, "TERMINATE", text);
        }
    }
}
