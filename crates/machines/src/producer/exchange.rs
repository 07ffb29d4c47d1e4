//! The accumulator's other side: what the sender and the serving of reports do under the lock of E6.
use std::collections::VecDeque;
use std::sync::Arc;

use super::accumulator::{Accumulator, Target};
use super::batch::Sealed;
use super::open_batch::OpenBatch;
use super::reports::{ReportBatch, ReportRun, Tickets};
use crate::error::Error;
use crate::machine::Chunk;

/// What became of a topic, prepared outside the lock.
#[derive(Debug)]
pub struct Placement {
    pub topic: u32,
    pub target: Result<Partitions, i16>,
}

/// Room for every partition of a topic, and which of them have a leader.
#[derive(Debug)]
pub struct Partitions {
    pub open: Vec<OpenBatch>,
    pub available: Vec<u32>,
}

/// A batch at its end, as the shared side needs it.
#[derive(Debug)]
pub struct Ended {
    pub messages: usize,
    pub bytes: usize,
    pub attached: usize,
    pub attached_bytes: usize,
    /// For batches with attachments.
    pub report: Option<(Arc<ReportBatch>, Tickets)>,
    /// Memory to use again.
    pub chunks: Vec<Chunk>,
}

impl<A> Accumulator<A> {
    /// Names of topics that came since the sender knew `known`.
    pub(super) fn topics_since(&self, known: usize) -> impl Iterator<Item = Arc<str>> + '_ {
        self.topics.iter().skip(known).map(|topic| topic.name.clone())
    }

    /// Opens a topic's partitions, or closes the topic (E10). Returns what is to be dropped outside the lock.
    pub(super) fn place(&mut self, placement: Placement) -> Option<Target> {
        let Placement { topic: number, target } = placement;
        self.seal_now(number as usize, super::batch::UNASSIGNED);
        // Records of partitions that are no more go to the sender, which says what becomes of them.
        let kept = target.as_ref().map_or(0, |partitions| partitions.open.len());
        for partition in kept..self.partitions(number as usize) {
            self.seal_now(number as usize, partition as i32);
        }
        let topic = self.topics.get_mut(number as usize)?;
        let target = match target {
            Ok(Partitions { mut open, available }) => {
                if let Target::Partitions { open: old, .. } = &mut topic.target {
                    for (new, old) in open.iter_mut().zip(old) {
                        std::mem::swap(new, old);
                    }
                }
                Target::Partitions { open, available }
            }
            Err(code) => Target::Refused(code),
        };
        Some(std::mem::replace(&mut topic.target, target))
    }

    fn partitions(&self, topic: usize) -> usize {
        match self.topics.get(topic).map(|topic| &topic.target) {
            Some(Target::Partitions { open, .. }) => open.len(),
            _ => 0,
        }
    }

    /// Seals open batches for which `due` says so, until `limit` are sealed. Returns whether some that are due remain.
    pub(super) fn seal_due(&mut self, limit: usize, mut due: impl FnMut(u32, i32, &OpenBatch) -> bool) -> bool {
        let (mut index, mut remain) = (0, false);
        while let Some((topic, partition)) = self.open.get(index).copied() {
            let Some(batch) = self.open_batch(topic, partition) else {
                self.open.swap_remove(index);
                continue;
            };
            match due(topic, partition, batch) {
                true if self.sealed.len() < limit => self.seal_now(topic as usize, partition),
                is_due => {
                    remain |= is_due;
                    index += 1;
                }
            }
        }
        remain
    }

    fn open_batch(&self, topic: u32, partition: i32) -> Option<&OpenBatch> {
        let topic = self.topics.get(topic as usize)?;
        let batch = match (&topic.target, usize::try_from(partition)) {
            (Target::Partitions { open, .. }, Ok(index)) => open.get(index)?,
            _ => topic.unassigned(),
        };
        (batch.count > 0).then_some(batch)
    }

    /// Moves sealed batches to `out`, as many as its capacity holds, up to the first of a topic that the sender does not
    /// know yet: it knows the first `known`.
    pub(super) fn take_sealed(&mut self, known: usize, out: &mut Vec<Sealed>) {
        let room = out.capacity() - out.len();
        let count = self.sealed.iter().take(room).take_while(|sealed| (sealed.topic as usize) < known).count();
        out.extend(self.sealed.drain(..count));
    }

    /// A batch ended: its records leave the count, or their reports become ready (E13).
    pub(super) fn end(&mut self, ended: Ended, garbage: &mut Vec<Chunk>) {
        self.messages -= ended.messages - ended.attached;
        self.bytes -= ended.bytes - ended.attached_bytes;
        if let Some((batch, tickets)) = ended.report {
            self.reports.push(batch, tickets, ended.attached);
        }
        let mut chunks = ended.chunks;
        while let Some(chunk) = chunks.pop() {
            if let Some(chunk) = self.pool.put(chunk) {
                // No room in the pool: dropped by the sender, outside; `garbage` has room for a batch's chunks.
                garbage.push(chunk);
            }
        }
        if let Some(list) = self.pool.put_list(chunks) {
            garbage.extend(list);
        }
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.refuses = true;
        self.fatal.get_or_insert(error);
    }

    /// Moves up to `run.reports.capacity()` reports of one batch to `run`; returns the batch that it held before, to be
    /// dropped outside the lock.
    pub fn take_reports(&mut self, run: &mut ReportRun<A>) -> Option<Arc<ReportBatch>> {
        self.reports.take(&mut self.attachments, run)
    }

    /// The callbacks of so many records have run, however they ended: they leave the count. Returns whether nothing is
    /// outstanding any more.
    pub fn served(&mut self, messages: usize, bytes: usize) -> bool {
        self.messages -= messages;
        self.bytes -= bytes;
        self.messages == 0
    }

    /// Queued, in flight, and reports not yet served.
    #[inline]
    pub fn outstanding(&self) -> usize {
        self.messages
    }

    /// Reports that wait for `poll()`.
    #[inline]
    pub fn reports_waiting(&self) -> usize {
        self.reports.waiting()
    }

    /// Sends everything without waiting for linger. Returns whether the io side must be woken.
    pub fn flush(&mut self) -> bool {
        self.flushing = !self.open.is_empty();
        let wake = self.flushing && !self.told;
        self.told |= wake;
        self.idle &= !wake;
        wake
    }

    /// No further record is taken.
    pub fn close(&mut self) {
        self.refuses = true;
        self.closed = true;
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What ended the producer for good.
    pub fn fatal(&self) -> Option<&Error> {
        self.fatal.as_ref()
    }

    /// Visits what is attached to records that have not been reported.
    pub fn each_attachment(&self, visit: impl FnMut(&A)) {
        self.attachments.each(visit);
    }

    /// Moves what is attached to `out`, as far as it has room, for an owner that lets go of the engine; the records go on
    /// without. Returns how many remain.
    pub fn take_attachments(&mut self, out: &mut Vec<A>) -> usize {
        self.attachments.take_all(out)
    }

    pub(super) fn has_free_chunks(&self) -> bool {
        !self.pool.is_empty()
    }

    /// Exchanges the free chunks of a client that fell idle for an empty pool, to be dropped outside the lock (E7).
    pub(super) fn swap_pool(&mut self, pool: &mut super::chunks::Pool) {
        std::mem::swap(&mut self.pool, pool);
    }

    /// Longest queue of sealed batches that never grows.
    pub(super) fn sealed(&self) -> &VecDeque<Sealed> {
        &self.sealed
    }
}
