//! A consumer as a member of its group: subscribing, rebalances, commits, leaving. What it means is the machine's; here the
//! callers' side is changed under the lock and the machine is told, in this order.
//!
//! Offsets that were stored for partitions which are given up go to the machine before anything that the caller says after,
//! through the same inbox, so a commit comes before the acknowledgement of the rebalance that takes the partitions away.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ottla_machines::client::{Command, Reply};
use ottla_machines::consumer::{Assigned, Displaced, PreparedAssignment, StartOffset, Unfit};
use ottla_machines::error::{Error, Kind};
use ottla_machines::group::{GroupMetadata, OffsetAnswer, Rebalance, RebalanceKind, StoredOffset};

use super::Consumer;
use crate::lock::Contention;
use crate::pending::Pending;

/// As long as anybody waits.
const FOR_EVER: Duration = Duration::from_secs(3600 * 24 * 365);

impl Consumer {
    /// Makes it a member of its group for these topics, instead of those of before; a name that begins with `^` is a pattern.
    /// The answer comes once the names are checked, before the group is joined.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty list, an empty name, a name twice or a bad pattern.
    pub fn subscribe(&self, topics: Vec<Arc<str>>) -> Pending<()> {
        self.handle.ask(FOR_EVER, |request, _| Command::Subscribe { request, topics }, done)
    }

    /// Leaves the group, once what is assigned was revoked. The answer comes when that revoke waits to be taken.
    ///
    /// # Errors
    /// The error that ended the membership for good.
    pub fn unsubscribe(&self) -> Pending<()> {
        self.handle.ask(FOR_EVER, |request, _| Command::Unsubscribe { request }, done)
    }

    /// To be called before the application hears of a rebalance. Partitions that are taken away yield nothing more (E17);
    /// their positions and stored offsets stay until they are unassigned. Those that are lost are not committed any more.
    pub fn begin_revoke(&self, rebalance: &Rebalance) {
        if !self.handle.is_ours() || rebalance.kind == RebalanceKind::Assign {
            return;
        }
        if rebalance.kind == RebalanceKind::Lost {
            return self.changed(|buffer| buffer.lose(&rebalance.partitions));
        }
        self.changed(|buffer| buffer.revoke(&rebalance.partitions));
    }

    /// The application has done what the rebalance of this epoch said.
    pub fn acknowledge(&self, epoch: u64) {
        self.command(Command::Acknowledge { epoch });
    }

    /// Commits these offsets and answers what became of each; without offsets those that were stored and not committed yet.
    ///
    /// # Errors
    /// `NoOffset` where nothing is to be committed, else what hindered the commit as a whole.
    pub fn commit(&self, offsets: Option<Vec<StoredOffset>>, timeout: Duration) -> Pending<Vec<OffsetAnswer>> {
        if let Err(error) = self.ours() {
            return Pending::ready(Err(error));
        }
        let stored = offsets.is_none();
        let offsets = offsets.unwrap_or_else(|| self.take_stored());
        let command = |request, deadline_us| {
            let (request, deadline_us) = (Some(request), Some(deadline_us));
            Command::Commit { request, offsets, stored, deadline_us }
        };
        self.handle.ask(timeout, command, offsets_of)
    }

    /// As [`Consumer::commit`]; a [`Notice::OffsetsCommitted`](crate::Notice::OffsetsCommitted) tells the outcome.
    pub fn commit_detached(&self, offsets: Option<Vec<StoredOffset>>) {
        if self.handle.is_ours() {
            let stored = offsets.is_none();
            let offsets = offsets.unwrap_or_else(|| self.take_stored());
            self.send_commit(offsets, stored);
        }
    }

    fn send_commit(&self, offsets: Vec<StoredOffset>, stored: bool) {
        self.command(Command::Commit { request: None, offsets, stored, deadline_us: None });
    }

    /// The committed offsets of these partitions, in no certain order.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, else what the coordinator answered.
    pub fn committed(&self, partitions: Vec<(Arc<str>, i32)>, timeout: Duration) -> Pending<Vec<OffsetAnswer>> {
        let command = |request, deadline_us| Command::Committed { request, partitions, deadline_us };
        self.handle.ask(timeout, command, offsets_of)
    }

    /// Stores an offset for the next commit; nothing is sent.
    ///
    /// # Errors
    /// `State` for a partition that is not assigned, `UnknownPartition` where its topic never was.
    pub fn store_offset(&self, mut offset: StoredOffset) -> Result<(), Kind> {
        if !self.handle.is_ours() {
            return Err(Kind::State);
        }
        // What it replaces is dropped without the lock.
        let mut buffer = self.lock();
        let stored = buffer.store(&mut offset);
        drop(buffer);
        stored
    }

    /// What `take_many` took with runs of this call is with the application now: its offsets are stored, where that is
    /// automatic.
    pub fn handed_over(&self, call: u64, wait: &mut dyn FnMut(Contention)) {
        if self.handle.is_ours() {
            self.handle.shared.side.buffer.lock(wait).handed_over(call);
        }
    }

    /// Who this member is.
    pub fn group_metadata(&self) -> Pending<GroupMetadata> {
        let map = |reply| match reply {
            Reply::Group(metadata) => Some(metadata),
            _ => None,
        };
        self.handle.ask(FOR_EVER, |request, _| Command::GroupMetadata { request }, map)
    }

    /// Gives up what is assigned, commits what is stored where that is automatic, and leaves the group, within `timeout`.
    /// Partitions of the group are revoked by a notice, which the caller serves while it waits.
    pub fn leave(&self, timeout: Duration) {
        let shared = Arc::clone(&self.handle.shared);
        let leaving = self.handle.ask(timeout, |request, deadline_us| Command::Leave { request, deadline_us }, done);
        leaving.on_ready(move |_| {
            shared.side.left.store(true, Ordering::SeqCst);
            shared.side.records.wake_all();
        });
    }

    /// Waits until what [`Consumer::leave`] began is over, a notice wants to be taken or `deadline` has passed; whether it
    /// is over.
    pub fn wait_until_left(&self, deadline: Instant) -> bool {
        if !self.handle.is_ours() {
            return true;
        }
        let side = &self.handle.shared.side;
        let left = || side.left.load(Ordering::SeqCst) || side.ended.load(Ordering::SeqCst);
        side.records.wait(Some(deadline), &mut || left() || self.handle.notices_waiting());
        left()
    }

    /// Adds to the assignment.
    ///
    /// # Errors
    /// `InvalidArgument` for a partition that is named twice, `Conflict` for one that is assigned.
    #[expect(clippy::result_large_err, reason = "made into an error, outside of the lock, at once")]
    pub fn incremental_assign(&self, partitions: Vec<Assigned>) -> Result<(), Error> {
        self.ours()?;
        let prepared = PreparedAssignment::beside(partitions, self.lock().assigned())?;
        self.changed(|buffer| buffer.incremental_assign(prepared)).map(drop).map_err(Unfit::into_error)
    }

    /// Takes from the assignment; what was stored of the partitions is committed, where that is automatic.
    ///
    /// # Errors
    /// `InvalidArgument` for a partition that is named twice or not assigned.
    #[expect(clippy::result_large_err, reason = "made into an error, outside of the lock, at once")]
    pub fn incremental_unassign(&self, partitions: &[(Arc<str>, i32)]) -> Result<(), Error> {
        self.ours()?;
        let named = |(topic, partition): &(Arc<str>, i32)| Assigned {
            topic: topic.clone(),
            partition: *partition,
            start: StartOffset::Invalid,
        };
        let named = partitions.iter().map(named).collect();
        let prepared = PreparedAssignment::beside(named, self.lock().assigned())?;
        let displaced = self.changed(|buffer| buffer.incremental_unassign(prepared)).map_err(Unfit::into_error)?;
        self.displaced(displaced);
        Ok(())
    }

    /// Commits what was stored of partitions that were given up, where that is automatic; of lost ones there is nothing.
    pub(super) fn displaced(&self, displaced: Displaced) {
        if self.auto_commit {
            let offsets = displaced.stored_offsets();
            if !offsets.is_empty() {
                self.send_commit(offsets, false);
            }
        }
    }

    /// What was stored and is not committed yet, of all that is assigned.
    fn take_stored(&self) -> Vec<StoredOffset> {
        let mut out = Vec::new();
        loop {
            let buffer = self.lock();
            let count = buffer.assigned();
            if count <= out.capacity() {
                buffer.stored_offsets(&mut out);
                return out;
            }
            drop(buffer);
            out.reserve(count);
        }
    }

    fn command(&self, command: Command) {
        if self.handle.is_ours() {
            self.handle.shared.command(command);
        }
    }
}

fn done(reply: Reply) -> Option<()> {
    matches!(reply, Reply::Done).then_some(())
}

fn offsets_of(reply: Reply) -> Option<Vec<OffsetAnswer>> {
    match reply {
        Reply::Offsets(offsets) => Some(offsets),
        _ => None,
    }
}
