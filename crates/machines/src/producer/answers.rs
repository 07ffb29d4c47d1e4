//! What an answer, or its absence, means for a batch: acknowledged, tried again, or given up; for an idempotent producer
//! also what becomes of its sequences.
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_protocol::primitives::{Message, Reader};

use super::batch::{Batch, UNASSIGNED};
use super::exchange::Ended;
use super::produce_request::{Answer, Verdict};
use super::reports::{Layout, ReportBatch};
use super::sender::Sender;
use crate::client::Outbox;
use crate::connection::backoff::Backoff;
use crate::connection::{Failure, Network, Response, Tag};
use crate::error::{Error, Kind};
use crate::machine::{DisconnectCause, Lane, Now};
use crate::metadata::Metadata;

const NONE: i16 = 0;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const UNKNOWN_PRODUCER_ID: i16 = 59;
const PRODUCER_FENCED: i16 = 90;

pub(super) fn ask_for_id(sender: &mut Sender, now: Now, network: &mut Network, outbox: &mut Outbox) {
    let Some(connection) = network.any_ready(now, Lane::General) else { return };
    let Some(ids) = &mut sender.idempotence else { return };
    let Some(version) = network.version(connection, ApiKey::InitProducerId) else {
        let text =
            "The broker does not support idempotent producers: check its version or set enable.idempotence=false";
        return sender.fail(Error::with_text(Kind::UnsupportedFeature, text).into_fatal(), now, outbox);
    };
    let request =
        InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: i32::MAX, ..Default::default() };
    let timeout_us = sender.settings.connection.socket_timeout_us;
    match network.request(now, connection, version, &request, Tag::InitProducerId, timeout_us, &[]) {
        Ok(()) => ids.asked(),
        Err(error) => network.distrust(now, connection, &error.to_string()),
    }
}

impl Sender {
    /// An answer to Produce or InitProducerId.
    pub fn response(
        &mut self,
        now: Now,
        response: Response,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        match response.tag {
            Tag::Produce(id) => self.produced(now, id, &response, network, metadata, outbox),
            Tag::InitProducerId => self.identified(now, &response, network, outbox),
            _ => {}
        }
        outbox.recycle(response.frame.into_buffer().unwrap_or_default());
    }

    fn produced(
        &mut self,
        now: Now,
        id: u64,
        response: &Response,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        let Some(names) = self.sent.get(&id).map(|sent| &sent.names) else { return };
        let answer = match Answer::read(response, names) {
            Ok(answer) => answer,
            Err(what) => {
                network.distrust(now, response.connection, &what);
                let (node, connection, tag) = (response.node, response.connection, response.tag);
                let cause = DisconnectCause::BadFrame(what.into());
                return self.failure(now, Failure { tag, node, connection, cause }, metadata, outbox);
            }
        };
        network.throttle(now, response.connection, answer.throttle_time_ms);
        let Some(sent) = self.sent.remove(&id) else { return };
        for batch in sent.batches {
            self.landed(&batch);
            let verdict = answer.of(batch.topic, batch.partition).cloned().unwrap_or_else(|| Verdict {
                code: -1,
                text: Some("The broker's answer does not name the partition".to_owned()),
                ..Verdict::default()
            });
            if let Some((leader, epoch)) = verdict.leader {
                network.add_brokers(&answer.endpoints);
                metadata.moved(&self.topics[batch.topic as usize].name, batch.partition, leader, epoch);
            }
            if verdict.code == NOT_LEADER_OR_FOLLOWER && verdict.leader.is_none() {
                metadata.not_leader(now, &self.topics[batch.topic as usize].name, batch.partition, sent.node);
            }
            self.judge(now, batch, verdict, metadata, outbox);
        }
    }

    fn judge(&mut self, now: Now, mut batch: Batch, verdict: Verdict, metadata: &mut Metadata, outbox: &mut Outbox) {
        if let (NONE | DUPLICATE_SEQUENCE_NUMBER, Some(ids), Some(sequenced)) =
            (verdict.code, &mut self.idempotence, batch.sequenced)
        {
            ids.written((batch.topic, batch.partition), sequenced);
        }
        match verdict.code {
            NONE => self.end(now, batch, Ok(verdict)),
            // Written before: an earlier attempt whose answer was lost.
            DUPLICATE_SEQUENCE_NUMBER => self.end(now, batch, Ok(Verdict { base_offset: -1, ..verdict })),
            OUT_OF_ORDER_SEQUENCE_NUMBER | UNKNOWN_PRODUCER_ID if batch.sequenced.is_some() => {
                if !self.earlier_open(&batch) {
                    // The broker lost what came before: it wrote nothing of this batch, which goes anew in the next epoch.
                    self.unsequence(&mut batch);
                    self.gap(now, &batch, outbox);
                } else if self.draining() {
                    self.unsequence(&mut batch);
                }
                self.again(now, batch, Error::broker(verdict.code), outbox);
            }
            INVALID_PRODUCER_EPOCH | PRODUCER_FENCED if batch.sequenced.is_some() => {
                self.fail(Error::broker(verdict.code).into_fatal(), now, outbox);
                self.end(now, batch, Err(Error::broker(verdict.code)));
            }
            code => {
                let error = Error { text: verdict.text.clone().map(Into::into), ..Error::broker(code) };
                if error.is_retriable() {
                    metadata.request_update(now);
                    self.again(now, batch, error, outbox);
                } else {
                    let refused = verdict.record_errors.iter().map(|(index, text)| {
                        let error = Error { text: text.clone().map(Into::into), ..error.clone() };
                        (*index, error)
                    });
                    let refused = refused.collect();
                    self.reject(now, batch, error, refused, outbox);
                }
            }
        }
    }

    /// The system took a request that the broker does not answer (acks=0): no more will be known of its batches.
    pub fn written(&mut self, now: Now, tag: Tag) {
        let Tag::Produce(id) = tag else { return };
        for batch in self.sent.remove(&id).map_or_else(Vec::new, |sent| sent.batches) {
            self.landed(&batch);
            self.end(now, batch, Ok(Verdict::default()));
        }
    }

    /// A request had no answer: what became of its batches is unknown.
    pub fn failure(&mut self, now: Now, failure: Failure, metadata: &mut Metadata, outbox: &mut Outbox) {
        match failure.tag {
            Tag::InitProducerId => {
                if let Some(ids) = &mut self.idempotence {
                    ids.again(now.mono_us.saturating_add(self.settings.connection.retry_backoff_us));
                }
            }
            Tag::Produce(id) => {
                let error = match &failure.cause {
                    DisconnectCause::RequestTimeout => Error::new(Kind::TimedOut),
                    _ => Error::new(Kind::Transport),
                };
                metadata.request_update(now);
                for batch in self.sent.remove(&id).map_or_else(Vec::new, |sent| sent.batches) {
                    self.landed(&batch);
                    self.again(now, batch, error.clone(), outbox);
                }
            }
            _ => {}
        }
    }

    fn identified(&mut self, now: Now, response: &Response, network: &mut Network, outbox: &mut Outbox) {
        let Some(ids) = &mut self.idempotence else { return };
        let again_us = now.mono_us.saturating_add(self.settings.connection.retry_backoff_us);
        match InitProducerIdResponse::decode(&mut Reader::new(response.body()), response.version) {
            Ok(found) if found.error_code == NONE => ids.answered(found.producer_id, found.producer_epoch),
            Ok(found) => {
                let error = Error::broker(found.error_code);
                if error.is_retriable() {
                    ids.again(again_us);
                } else {
                    self.fail(error.into_fatal(), now, outbox);
                }
            }
            Err(error) => {
                ids.again(again_us);
                network.distrust(
                    now,
                    response.connection,
                    &format!("an answer to InitProducerId that cannot be read ({error})"),
                );
            }
        }
    }

    /// The batch is no longer in flight.
    pub(super) fn landed(&mut self, batch: &Batch) {
        if let Some(queue) = self.queues.get_mut(&(batch.topic, batch.partition)) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
            queue.retried = queue.retried.saturating_sub(usize::from(batch.attempts > 1));
        }
    }

    /// Whether an earlier batch of the same partition carries a sequence and has no outcome yet.
    fn earlier_open(&self, batch: &Batch) -> bool {
        let key = (batch.topic, batch.partition);
        let earlier =
            |other: &Batch| (other.topic, other.partition) == key && other.id < batch.id && other.sequenced.is_some();
        self.sent.values().any(|sent| sent.batches.iter().any(earlier))
            || self.queues.get(&key).is_some_and(|queue| queue.batches.iter().any(earlier))
    }

    /// Takes the sequence from a batch that the broker refused for it, and from those that wait behind it: a broker that
    /// did not write this one wrote none of them, whatever became of their answers.
    fn unsequence(&mut self, batch: &mut Batch) {
        batch.sequence(None);
        if let Some(queue) = self.queues.get_mut(&(batch.topic, batch.partition)) {
            queue.batches.iter_mut().filter(|other| other.id > batch.id).for_each(|other| other.sequence(None));
        }
    }

    fn draining(&self) -> bool {
        self.idempotence.as_ref().is_some_and(super::idempotence::Idempotence::is_draining)
    }

    /// The sequences of this epoch cannot go on.
    fn gap(&mut self, now: Now, batch: &Batch, outbox: &mut Outbox) {
        if self.settings.gapless {
            let text = format!(
                "Batch of {} records for {} [{}] failed: no gap is allowed with enable.gapless.guarantee",
                batch.count, self.topics[batch.topic as usize].name, batch.partition
            );
            return self.fail(Error::with_text(Kind::GaplessGuarantee, text), now, outbox);
        }
        if let Some(ids) = &mut self.idempotence {
            ids.drain();
        }
    }

    /// The batch is tried once more, in its place among those of its partition, unless its retries are used up.
    fn again(&mut self, now: Now, mut batch: Batch, error: Error, outbox: &mut Outbox) {
        if let Some(error) = self.hopeless(batch.topic) {
            return self.give_up(now, batch, error, outbox);
        }
        if batch.attempts > self.settings.retries {
            return self.give_up(now, batch, error, outbox);
        }
        let connection = &self.settings.connection;
        let mut backoff = Backoff::new(connection.retry_backoff_us, connection.retry_backoff_max_us);
        let waits = (0..batch.attempts.clamp(1, 16)).map(|_| backoff.failed(&mut self.random));
        batch.not_before_us = now.mono_us.saturating_add(waits.last().unwrap_or(0));
        let queue = self.queues.entry((batch.topic, batch.partition)).or_default();
        let position = queue.batches.partition_point(|other| other.id < batch.id);
        if queue.batches.range(..position).any(|other| other.sequenced.is_none()) {
            // One before it goes in a new epoch, so nothing of this one was written: see `unsequence`.
            batch.sequence(None);
        }
        queue.batches.insert(position, batch);
    }

    /// The batch ends with an error although it may have been written.
    pub(super) fn give_up(&mut self, now: Now, batch: Batch, error: Error, outbox: &mut Outbox) {
        if batch.sequenced.is_some() {
            self.gap(now, &batch, outbox);
        }
        self.end(now, batch, Err(error));
    }

    /// The broker will not have the batch.
    fn reject(&mut self, now: Now, batch: Batch, error: Error, refused: Vec<(u32, Error)>, outbox: &mut Outbox) {
        if batch.sequenced.is_some() {
            self.gap(now, &batch, outbox);
        }
        self.finish(now, batch, Err(error), refused);
    }

    pub(super) fn end(&mut self, now: Now, batch: Batch, outcome: Result<Verdict, Error>) {
        self.finish(now, batch, outcome, Vec::new());
    }

    fn finish(
        &mut self,
        now: Now,
        mut batch: Batch,
        outcome: Result<Verdict, Error>,
        record_errors: Vec<(u32, Error)>,
    ) {
        let (messages, bytes) = (batch.count as usize, batch.bytes);
        let (attached, attached_bytes) = (batch.attached as usize, batch.attached_bytes);
        let mut ended = Ended { messages, bytes, attached, attached_bytes, report: None, chunks: Vec::new() };
        if attached == 0 {
            // What was compressed is of no use again; the chunks that it was made of are.
            drop(batch.body);
            // Still held where a connection writes it: then it is freed there.
            if let Some(body) = Arc::into_inner(batch.original) {
                ended.chunks = body.into_chunks();
            }
        } else {
            let tickets = batch.tickets();
            let verdict = outcome.as_ref().ok();
            let unwritten = self.settings.acks == 0;
            let report = ReportBatch {
                topic: self.topics[batch.topic as usize].name.clone(),
                partition: batch.partition,
                base_offset: verdict.filter(|_| !unwritten).map_or(-1, |verdict| verdict.base_offset),
                base_timestamp: batch.base_timestamp,
                log_append_time: verdict.and_then(|verdict| verdict.log_append_time),
                error: outcome.as_ref().err().cloned(),
                record_errors,
                body: batch.original,
                layout: if batch.partition == UNASSIGNED { Layout::Unassigned } else { Layout::Wire },
                opened_us: batch.opened_us,
                ended_us: now.mono_us,
                sent: batch.attempts > 0,
            };
            ended.report = Some((Arc::new(report), tickets));
        }
        self.ended.push_back(ended);
    }

    /// The producer ends for good: everything that waits fails with it.
    pub(super) fn fail(&mut self, error: Error, now: Now, outbox: &mut Outbox) {
        if self.fatal.is_some() {
            return;
        }
        outbox.error(error.clone());
        self.fatal = Some(error.clone());
        let mut all: Vec<Batch> = self.topics.iter_mut().flat_map(|topic| topic.unassigned.drain(..)).collect();
        all.extend(self.queues.values_mut().flat_map(|queue| queue.batches.drain(..)));
        for batch in all {
            self.end(now, batch, Err(error.clone()));
        }
    }
}
