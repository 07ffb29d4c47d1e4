//! Fetch responses: whose data they are, errors, leaders, watermarks, the end of a partition.
use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::fetch::{FetchResponse, PartitionData};
use ottla_protocol::primitives::{Message, Reader, Records};

use super::super::batch::{Item, PartitionError};
use super::super::budget::Origin;
use super::super::offset_reset::ResetCause;
use super::readers::Told;
use super::state::{Fetcher, Flight, Pending, Phase};
use crate::client::Outbox;
use crate::connection::{Network, Response, Tag};
use crate::error::{BrokerError, Error, Kind};
use crate::machine::{Endpoint, Frame, NodeId, Now};
use crate::metadata::Metadata;

/// A Fetch response as its partitions need it.
pub(crate) struct Source<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) buffer_id: u64,
    pub(crate) node: NodeId,
}

impl Fetcher {
    /// An answer to one of this fetcher's requests.
    pub fn response(
        &mut self,
        now: Now,
        response: Response,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        match response.tag {
            Tag::Fetch(tag) => self.fetched(now, tag, response, network, metadata, outbox),
            Tag::ListOffsets(tag) => {
                self.offsets_answered(now, tag, &response, network, metadata);
                outbox.recycle(response.frame.into_buffer().unwrap_or_default());
            }
            _ => {}
        }
    }

    fn fetched(
        &mut self,
        now: Now,
        tag: u64,
        response: Response,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        let Some(flight) = self.landed(tag) else { return };
        let size = response.frame.as_slice().len();
        let frame = self.right_sized(response.frame, outbox);
        let body = frame.as_slice().get(response.body..).unwrap_or_default();
        let answer = match FetchResponse::decode(&mut Reader::new(body), response.version) {
            Ok(answer) => answer,
            Err(error) => {
                self.leave_alone(now, flight.node);
                let what = format!("an answer to Fetch that cannot be read ({error})");
                return network.distrust(now, response.connection, &what);
            }
        };
        network.throttle(now, response.connection, answer.throttle_time_ms);
        if answer.error_code != 0 {
            return self.refused(now, &flight, ErrorCode(answer.error_code), metadata);
        }
        if let Some(session) = self.sessions.get_mut(&flight.node) {
            session.answered(answer.session_id);
        }
        if !answer.node_endpoints.is_empty() {
            // KIP-951: where the leaders are that the partitions name.
            let told = answer.node_endpoints.iter().map(|told| {
                let port = u16::try_from(told.port).unwrap_or(0);
                (NodeId(told.node_id), Endpoint { host: told.host.into(), port })
            });
            network.add_brokers(&told.collect::<Vec<_>>());
        }
        let source =
            Source { frame: &frame, buffer_id: self.budget.hold(frame.clone(), Origin::Response), node: response.node };
        let mut lag = false;
        let mut silent: BTreeSet<(usize, u64)> = if flight.full || !self.settings.partition_eof {
            BTreeSet::new()
        } else {
            flight.named.into_iter().collect()
        };
        for topic in &answer.responses {
            let by_id = if topic.topic.is_empty() { metadata.topic_name(topic.topic_id).map(Arc::clone) } else { None };
            let name = by_id.as_deref().unwrap_or(topic.topic);
            for data in &topic.partitions {
                let Some((slot, told)) = self.asked(name, data.partition_index, topic.topic_id, flight.node) else {
                    continue;
                };
                silent.remove(&(slot, told.epoch));
                lag |= self.partition_answered(now, slot, &told, data, &source, metadata, outbox);
                self.touch(slot);
            }
        }
        for (slot, epoch) in silent {
            self.nothing_new(slot, epoch, flight.node);
        }
        // It was the budget that kept the response from being larger.
        if lag && size >= flight.reserved / 4 * 3 {
            self.budget.growth.full(size, response.round_trip_us);
        }
    }

    /// A Fetch is not under way any more.
    pub(crate) fn landed(&mut self, tag: u64) -> Option<Flight> {
        let flight = self.flights.remove(&tag)?;
        self.budget.give_back(flight.reserved);
        if let Some(session) = self.sessions.get_mut(&flight.node) {
            session.in_flight.take_if(|known| *known == tag);
        }
        Some(flight)
    }

    /// What is read from a broker is asked for again after a while, all of it.
    pub(crate) fn leave_alone(&mut self, now: Now, node: NodeId) {
        let Some(session) = self.sessions.get_mut(&node) else { return };
        session.reset();
        let mut retry_at_us = None;
        for slot in session.wanted.clone() {
            let Self { partitions, random, due, .. } = self;
            let Some(partition) = partitions.get_mut(slot) else { continue };
            // One time for all, so that they are asked for together.
            let own_us = now.mono_us.saturating_add(partition.backoff.failed(random));
            partition.retry_at_us = *retry_at_us.get_or_insert(own_us);
            due.insert(slot);
        }
    }

    /// The whole Fetch was refused. A session that the broker does not know, or counts otherwise, is begun anew at once.
    fn refused(&mut self, now: Now, flight: &Flight, code: ErrorCode, metadata: &mut Metadata) {
        if let Some(session) = self.sessions.get_mut(&flight.node) {
            match code {
                ErrorCode::FETCH_SESSION_ID_NOT_FOUND => session.unknown(),
                _ => session.reset(),
            }
        }
        let lost = matches!(code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND | ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        if lost && !flight.full {
            return;
        }
        metadata.request_update(now);
        self.leave_alone(now, flight.node);
    }

    /// A session leaves a partition out that has no more than it was told already. Who just began to read there is at the end.
    fn nothing_new(&mut self, slot: usize, epoch: u64, node: NodeId) {
        let Some(partition) = self.current(slot, epoch) else { return };
        if let (Phase::Fetch { offset }, Some((high, end))) = (partition.phase, partition.end) {
            self.report_end(slot, offset, high, end, node);
            self.hand_out(slot);
        }
    }

    /// Returns whether the broker has more.
    #[allow(clippy::too_many_arguments, reason = "each is at hand one by one; a struct would only name them")]
    fn partition_answered(
        &mut self,
        now: Now,
        slot: usize,
        told: &Told,
        data: &PartitionData<'_>,
        source: &Source<'_>,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) -> bool {
        let epoch = told.epoch;
        let Some(partition) = self.current(slot, epoch) else { return false };
        // What was asked for an offset that is no longer wanted.
        if partition.phase != (Phase::Fetch { offset: told.offset }) {
            return false;
        }
        if data.error_code != 0 {
            self.partition_failed(now, slot, told, data, metadata, outbox);
            return false;
        }
        if data.preferred_read_replica >= 0
            && data.preferred_read_replica != source.node.0
            && self.prefer(now, slot, NodeId(data.preferred_read_replica))
        {
            return false;
        }
        let committed = self.read_committed() && data.last_stable_offset >= 0;
        let end = if committed { data.last_stable_offset } else { data.high_watermark };
        let Some(partition) = self.current(slot, epoch) else { return false };
        partition.end = Some((data.high_watermark, end));
        if data.diverging_epoch.end_offset >= 0 && data.diverging_epoch.epoch >= 0 {
            let end_offset = data.diverging_epoch.end_offset;
            let cause = ResetCause::Truncated { offset: told.offset, end_offset, broker: source.node };
            self.reset(slot, cause, outbox);
            return false;
        }
        partition.retry_at_us = 0;
        partition.backoff.succeeded();
        partition.reported = None;
        let low = if data.log_start_offset >= 0 { data.log_start_offset } else { 0 };
        self.watermarks.push((slot, epoch, low, data.high_watermark));
        let records = match &data.records {
            Some(Records::Bytes(records)) => *records,
            _ => &[],
        };
        let served = self.take_batches(slot, records, data, source, outbox);
        self.next_turn += 1;
        let turn = self.next_turn;
        let Some(partition) = self.current(slot, epoch) else { return false };
        // Who brought something goes to the end of the line; who had room for a part of a batch alone goes first.
        if served {
            partition.turn = turn;
        } else if !records.is_empty() && partition.suspect.is_none() {
            partition.turn = 0;
        }
        let Phase::Fetch { offset } = partition.phase else { return false };
        let lag = offset < data.high_watermark;
        if lag {
            self.lagging.insert(epoch);
        } else {
            self.lagging.remove(&epoch);
        }
        self.report_end(slot, offset, data.high_watermark, end, source.node);
        self.hand_out(slot);
        lag
    }

    /// `enable.partition.eof`: once per reaching the end.
    fn report_end(&mut self, slot: usize, offset: i64, high: i64, end: i64, NodeId(node): NodeId) {
        let wanted = self.settings.partition_eof;
        let Some(partition) = self.partitions.get_mut(slot) else { return };
        if !wanted || partition.suspect.is_some() || end < 0 || offset < end || partition.eof_at == Some(offset) {
            return;
        }
        partition.eof_at = Some(offset);
        let text =
            format!("Fetch from broker {node} reached end of partition at offset {offset} (HighwaterMark {high})");
        let error = Error::with_text(Kind::PartitionEof, text);
        let (topic, number) = (partition.topic.clone(), partition.partition);
        let item = Item::Error(Box::new(PartitionError { topic, partition: number, offset, error }));
        partition.pending.push_back(Pending::Ready(item));
    }

    fn partition_failed(
        &mut self,
        now: Now,
        slot: usize,
        told: &Told,
        data: &PartitionData<'_>,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        let (node, epoch) = (told.node, told.epoch);
        let code = ErrorCode(data.error_code);
        if let Some(partition) = self.current(slot, epoch)
            && partition.preferred.take_if(|(replica, _)| *replica == node).is_some()
        {
            // A follower may not have it yet, or not any more: the leader knows (KIP-392).
            return;
        }
        if code == ErrorCode::OFFSET_OUT_OF_RANGE {
            return self.reset(slot, ResetCause::OutOfRange { offset: told.offset, broker: node }, outbox);
        }
        let error_backoff_us = self.settings.fetch_error_backoff_us;
        let Some(partition) = self.current(slot, epoch) else { return };
        let leader = &data.current_leader;
        if leader.leader_id >= 0 && leader.leader_epoch >= 0 {
            // KIP-951: the new leader came with the error, so the partition is asked for there at once.
            let before = metadata.leader(&partition.topic, partition.partition);
            metadata.moved(&partition.topic, partition.partition, NodeId(leader.leader_id), leader.leader_epoch);
            if metadata.leader(&partition.topic, partition.partition) != before {
                return;
            }
        }
        let kind = Kind::Broker(BrokerError(data.error_code));
        if code.refreshes_metadata() || code.retriable() || code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
            metadata.request_update(now);
            return self.back_off(now, slot, epoch);
        }
        partition.retry_at_us = now.mono_us.saturating_add(error_backoff_us);
        if partition.reported.replace(kind) != Some(kind) {
            let text = format!("Fetch from broker {} failed: {}", node.0, kind.description());
            self.report(slot, epoch, told.offset, Error::with_text(kind, text));
        }
        metadata.request_update(now);
    }
}
