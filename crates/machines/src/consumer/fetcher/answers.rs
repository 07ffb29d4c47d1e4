//! Fetch responses: whose data they are, errors, leaders, watermarks, the end of a partition.
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::fetch::{FetchResponse, PartitionData};
use ottla_protocol::primitives::{Message, Reader, Records};

use super::super::batch::{Item, PartitionError};
use super::super::budget::Origin;
use super::super::offset_reset::ResetCause;
use super::state::{Fetched, Fetcher, Pending, Phase};
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
        let Some(flight) = self.flights.remove(&tag) else { return };
        self.budget.give_back(flight.reserved);
        let size = response.frame.as_slice().len();
        let frame = self.right_sized(response.frame, outbox);
        let body = frame.as_slice().get(response.body..).unwrap_or_default();
        let answer = match FetchResponse::decode(&mut Reader::new(body), response.version) {
            Ok(answer) => answer,
            Err(error) => {
                for fetched in &flight.partitions {
                    self.back_off(now, fetched.slot, fetched.epoch);
                }
                let what = format!("an answer to Fetch that cannot be read ({error})");
                return network.distrust(now, response.connection, &what);
            }
        };
        network.throttle(now, response.connection, answer.throttle_time_ms);
        if answer.error_code != 0 {
            metadata.request_update(now);
            for fetched in &flight.partitions {
                self.back_off(now, fetched.slot, fetched.epoch);
            }
            return;
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
        let mut cursor = 0;
        let mut lag = false;
        for topic in &answer.responses {
            for data in &topic.partitions {
                let matches = |fetched: &Fetched, slots: &[super::state::Partition]| {
                    let named = || slots.get(fetched.slot).is_some_and(|partition| topic.topic == &*partition.topic);
                    let same = if topic.topic.is_empty() { fetched.topic_id == topic.topic_id } else { named() };
                    fetched.partition == data.partition_index && same
                };
                // Answers mostly come in the order of asking.
                let count = flight.partitions.len();
                let found = (0..count)
                    .map(|step| (cursor + step) % count)
                    .find(|at| flight.partitions.get(*at).is_some_and(|fetched| matches(fetched, &self.partitions)));
                let Some(at) = found else { continue };
                cursor = at + 1;
                if let Some(fetched) = flight.partitions.get(at) {
                    lag |= self.partition_answered(now, fetched, data, &source, metadata, outbox);
                }
            }
        }
        // It was the budget that kept the response from being larger.
        if lag && size >= flight.reserved / 4 * 3 {
            self.budget.growth.full(size, response.round_trip_us);
        }
    }

    /// Returns whether the broker has more.
    fn partition_answered(
        &mut self,
        now: Now,
        fetched: &Fetched,
        data: &PartitionData<'_>,
        source: &Source<'_>,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) -> bool {
        let (slot, epoch) = (fetched.slot, fetched.epoch);
        let Some(partition) = self.current(slot, epoch) else { return false };
        // E17, and what was asked for an offset that is no longer wanted.
        if partition.phase != (Phase::Fetch { offset: fetched.offset }) {
            return false;
        }
        if data.error_code != 0 {
            self.partition_failed(now, fetched, data, source.node, metadata, outbox);
            return false;
        }
        if data.diverging_epoch.end_offset >= 0 && data.diverging_epoch.epoch >= 0 {
            let end_offset = data.diverging_epoch.end_offset;
            let cause = ResetCause::Truncated { offset: fetched.offset, end_offset, broker: source.node };
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
        partition.lag = offset < data.high_watermark;
        let lag = partition.lag;
        self.report_end(slot, offset, data, source.node);
        self.hand_out(slot);
        lag
    }

    /// `enable.partition.eof`: once per reaching the end.
    fn report_end(&mut self, slot: usize, offset: i64, data: &PartitionData<'_>, NodeId(node): NodeId) {
        let committed = self.read_committed() && data.last_stable_offset >= 0;
        let end = if committed { data.last_stable_offset } else { data.high_watermark };
        let wanted = self.settings.partition_eof;
        let Some(partition) = self.partitions.get_mut(slot) else { return };
        if !wanted || partition.suspect.is_some() || end < 0 || offset < end || partition.eof_at == Some(offset) {
            return;
        }
        partition.eof_at = Some(offset);
        let text = format!(
            "Fetch from broker {node} reached end of partition at offset {offset} (HighwaterMark {})",
            data.high_watermark
        );
        let error = Error::with_text(Kind::PartitionEof, text);
        let (topic, number) = (partition.topic.clone(), partition.partition);
        let item = Item::Error(Box::new(PartitionError { topic, partition: number, offset, error }));
        partition.pending.push_back(Pending::Ready(item));
    }

    fn partition_failed(
        &mut self,
        now: Now,
        fetched: &Fetched,
        data: &PartitionData<'_>,
        node: NodeId,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        let (slot, epoch) = (fetched.slot, fetched.epoch);
        let code = ErrorCode(data.error_code);
        if code == ErrorCode::OFFSET_OUT_OF_RANGE {
            return self.reset(slot, ResetCause::OutOfRange { offset: fetched.offset, broker: node }, outbox);
        }
        let error_backoff_us = self.settings.fetch_error_backoff_us;
        let Some(partition) = self.current(slot, epoch) else { return };
        let told = &data.current_leader;
        if told.leader_id >= 0 && told.leader_epoch >= 0 {
            // KIP-951: the new leader came with the error, so the partition is asked for there at once.
            let before = metadata.leader(&partition.topic, partition.partition);
            metadata.moved(&partition.topic, partition.partition, NodeId(told.leader_id), told.leader_epoch);
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
            self.report(slot, epoch, fetched.offset, Error::with_text(kind, text));
        }
        metadata.request_update(now);
    }
}
