//! From logical starts to offsets: committed ones, ListOffsets and `auto.offset.reset`. Committed offsets are looked up by
//! `commits`; what is wanted of them and what they turned out to be is passed on here.
use std::sync::Arc;

use super::super::list_offsets;
use super::super::offset_reset::{Reset, ResetCause, reset};
use super::super::positions::{OFFSET_INVALID, StartOffset};
use super::state::{Fetcher, Phase};
use crate::client::Outbox;
use crate::connection::{Network, Response};
use crate::error::{BrokerError, Error, Kind};
use crate::machine::Now;
use crate::metadata::Metadata;

/// The log's level for "something is wrong, but we go on" (syslog's warning).
const WARNING: u8 = 4;

/// A partition that starts at its committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartWanted {
    /// Its fetch epoch (E17), by which the answer finds it.
    pub epoch: u64,
    pub topic: Arc<str>,
    pub partition: i32,
}

/// What is committed for it: offset and leader epoch, `None` for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFound {
    pub epoch: u64,
    pub topic: Arc<str>,
    pub partition: i32,
    pub result: Result<Option<(i64, i32)>, Error>,
}

impl Fetcher {
    /// Partitions whose committed offsets are to be looked up since the last call.
    pub fn take_starts(&mut self) -> Vec<StartWanted> {
        std::mem::take(&mut self.starts)
    }

    /// A committed offset was looked up; an error is reported, and the partition waits for the next answer.
    pub fn start_found(&mut self, found: StartFound, outbox: &mut Outbox) {
        let StartFound { epoch, topic, partition, result } = found;
        let Some(slot) = self.slot_of(epoch) else { return };
        if !matches!(self.partitions[slot].phase, Phase::Asking { from: StartOffset::Stored }) {
            return;
        }
        self.touch(slot);
        match result {
            Ok(Some((offset, leader_epoch))) => {
                self.partitions[slot].phase = Phase::Fetch { offset };
                // The broker tells if the log was cut back since (KIP-320).
                self.partitions[slot].last_fetched_epoch = leader_epoch;
                self.partitions[slot].reported = None;
            }
            Ok(None) => self.reset(slot, ResetCause::NoOffset, outbox),
            Err(error) => {
                if self.partitions[slot].reported.replace(error.kind) != Some(error.kind) {
                    let text = format!(
                        "Failed to fetch committed offset for group \"{}\" topic {topic} [{partition}]: {}",
                        self.settings.group.group_id,
                        error.kind.description()
                    );
                    self.report(slot, epoch, OFFSET_INVALID, Error::with_text(error.kind, text));
                }
            }
        }
    }

    /// Takes a start as far as it goes without asking a broker.
    pub(crate) fn settle(&mut self, slot: usize, start: StartOffset) {
        match start {
            StartOffset::Offset(offset) => self.partitions[slot].phase = Phase::Fetch { offset },
            StartOffset::Stored | StartOffset::Invalid => {
                let partition = &mut self.partitions[slot];
                partition.phase = Phase::Asking { from: StartOffset::Stored };
                let (topic, number) = (Arc::clone(&partition.topic), partition.partition);
                self.starts.push(StartWanted { epoch: partition.epoch, topic, partition: number });
            }
            StartOffset::Beginning | StartOffset::End | StartOffset::Tail(_) => {}
        }
    }

    /// Goes by `auto.offset.reset`. What was fetched already stays: it lies before the gap.
    pub(crate) fn reset(&mut self, slot: usize, cause: ResetCause, outbox: &mut Outbox) {
        let policy = self.policy();
        self.touch(slot);
        let Some(partition) = self.partitions.get_mut(slot) else { return };
        let epoch = partition.epoch;
        match reset(policy, cause, &partition.topic, partition.partition) {
            Reset::To(start, line) => {
                partition.phase = Phase::Start(start);
                partition.last_fetched_epoch = -1;
                if let Some(line) = line {
                    outbox.log(WARNING, "OFFSET", line);
                }
                if let ResetCause::Truncated { .. } = cause {
                    // What waits was read from a log that is no more (E17).
                    self.restarts.push((slot, epoch, start));
                }
            }
            Reset::Fail(offset, error) => {
                partition.phase = Phase::Stopped;
                self.report(slot, epoch, offset, error);
            }
        }
    }

    pub(crate) fn offsets_answered(
        &mut self,
        now: Now,
        tag: u64,
        response: &Response,
        network: &mut Network,
        metadata: &mut Metadata,
    ) {
        let asked = self.queries.remove(&tag).unwrap_or_default();
        let answer = match list_offsets::read(response) {
            Ok(answer) => answer,
            Err(what) => {
                for (slot, epoch) in asked {
                    self.ask_again(now, slot, epoch);
                }
                return network.distrust(now, response.connection, &what);
            }
        };
        network.throttle(now, response.connection, answer.throttle_time_ms);
        for (slot, epoch) in asked {
            let Some(partition) = self.current(slot, epoch) else { continue };
            let named = answer.topics.iter().filter(|topic| topic.name == &*partition.topic);
            let number = partition.partition;
            let found = named.flat_map(|topic| &topic.partitions).find(|answered| answered.partition_index == number);
            match found {
                Some(found) if found.error_code == 0 => self.start_at(slot, list_offsets::offset(found)),
                Some(found) => self.query_failed(now, slot, BrokerError(found.error_code), metadata),
                None => self.ask_again(now, slot, epoch),
            }
        }
    }

    fn start_at(&mut self, slot: usize, found: i64) {
        self.touch(slot);
        let partition = &mut self.partitions[slot];
        let Phase::Asking { from } = partition.phase else { return };
        let back = if let StartOffset::Tail(records) = from { records } else { 0 };
        partition.phase = Phase::Fetch { offset: found.saturating_sub(back).max(0) };
        partition.retry_at_us = 0;
        partition.backoff.succeeded();
        partition.reported = None;
    }

    fn query_failed(&mut self, now: Now, slot: usize, error: BrokerError, metadata: &mut Metadata) {
        let epoch = self.partitions[slot].epoch;
        let kind = Kind::Broker(error);
        let Phase::Asking { from } = self.partitions[slot].phase else { return };
        metadata.request_update(now);
        self.ask_again(now, slot, epoch);
        if !error.is_retriable() && self.partitions[slot].reported.replace(kind) != Some(kind) {
            let name = if from == StartOffset::Beginning { "BEGINNING" } else { "END" };
            let text = format!("Failed to query logical offset {name}: {}", kind.description());
            self.report(slot, epoch, OFFSET_INVALID, Error::with_text(kind, text));
        }
    }

    /// The question is asked again after a while.
    pub(crate) fn ask_again(&mut self, now: Now, slot: usize, epoch: u64) {
        if let Some(partition) = self.current(slot, epoch)
            && let Phase::Asking { from } = partition.phase
        {
            partition.phase = Phase::Start(from);
            self.back_off(now, slot, epoch);
        }
    }
}
