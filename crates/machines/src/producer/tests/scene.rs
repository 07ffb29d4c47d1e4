//! A producer in a scenario: the accumulator as the caller's thread uses it, and the brokers' log as the test keeps it.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use ottla_protocol::primitives::Records;
use ottla_protocol::records::{BatchHeader, EncodedHeaders, check_crc, read_record};

use crate::client::{ClientMachine, Edges};
use crate::config::ProducerSettings;
use crate::machine::NodeId;
use crate::producer::{Accumulator, Needs, NewRecord, Refused, ReportRun, Supply};
use crate::scenario::{Asked, Scenario};

pub(super) struct Scene {
    pub(super) scenario: Scenario,
    pub(super) shared: Accumulator<u32>,
    pub(super) edges: Vec<Edges>,
    /// The caller's side woke the io side, which has not come yet (E8).
    pub(super) woken: bool,
    /// What the test acknowledged: partition, values in order.
    pub(super) log: Vec<(i32, Vec<u8>)>,
    /// What callers had to make outside the lock.
    pub(super) needed: Vec<Needs>,
}

/// One batch of a Produce request, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) asked: Asked,
    pub(super) partition: i32,
    pub(super) header: BatchHeader,
    pub(super) values: Vec<Vec<u8>>,
}

/// How a batch is answered.
#[derive(Clone, Default)]
pub(super) struct Reply {
    pub(super) code: i16,
    pub(super) base_offset: i64,
    pub(super) log_append_time_ms: i64,
    pub(super) refused: Vec<(i32, &'static str)>,
}

pub(super) fn code(code: i16) -> Reply {
    Reply { code, base_offset: -1, log_append_time_ms: -1, ..Reply::default() }
}

impl Scene {
    pub(super) fn new(settings: &ProducerSettings) -> Self {
        let machine = ClientMachine::producer(settings, 7);
        let mut scenario = Scenario::new(machine);
        scenario.topic("t", &[(0, 1), (1, 1)]);
        let shared = Accumulator::new(settings, 3);
        Self { scenario, shared, edges: Vec::new(), woken: false, log: Vec::new(), needed: Vec::new() }
    }

    pub(super) fn record<'a>(partition: i32, value: &'a [u8]) -> NewRecord<'a> {
        let headers = EncodedHeaders::default();
        NewRecord { topic: "t", partition, key: None, value: Some(value), headers, timestamp_ms: 1_790_000_000_000 }
    }

    pub(super) fn append(&mut self, record: &NewRecord<'_>, attachment: Option<u32>) -> Result<bool, Refused> {
        let (mut supply, mut attachment) = (Supply::nothing(), attachment);
        for _ in 0..10 {
            let now_us = self.scenario.now.mono_us;
            match self.shared.append(record, &mut attachment, &mut supply, || now_us) {
                Err(Refused::Needs(needs)) => {
                    self.needed.push(needs);
                    supply.make(needs, record);
                }
                Ok(appended) => {
                    self.woken |= appended.wake;
                    return Ok(appended.wake);
                }
                Err(refused) => return Err(refused),
            }
        }
        panic!("an append never gets what it needs");
    }

    pub(super) fn produce(&mut self, partition: i32, value: &[u8], attachment: Option<u32>) {
        self.append(&Self::record(partition, value), attachment).expect("room");
    }

    pub(super) fn flush(&mut self) -> bool {
        let wake = self.shared.flush();
        self.woken |= wake;
        wake
    }

    /// What the driver does until nothing moves any more at this time: it exchanges only when one side asks for it.
    pub(super) fn turn(&mut self) -> Option<u64> {
        for _ in 0..100 {
            let until = self.scenario.turn();
            if !std::mem::take(&mut self.woken) && !self.scenario.machine.wants_exchange() {
                return until;
            }
            let edges = self.scenario.machine.exchange_producer(self.scenario.now, &mut self.shared);
            self.woken |= edges.again;
            self.edges.push(edges);
        }
        panic!("the exchange never ends");
    }

    /// Lets time pass as the machine asks for it, at most `us`.
    pub(super) fn pass(&mut self, us: u64) {
        let end = self.scenario.now.mono_us + us;
        loop {
            let until = self.turn().unwrap_or(u64::MAX);
            let now = self.scenario.now.mono_us;
            if until >= end {
                self.scenario.forward(end - now);
                self.turn();
                return;
            }
            self.scenario.forward(until.max(now + 1) - now);
        }
    }

    /// Batches that wait for an answer.
    pub(super) fn got(&self) -> Vec<Got> {
        let mut all = Vec::new();
        for asked in self.scenario.asked.iter().filter(|asked| asked.api == ApiKey::Produce) {
            let request: ProduceRequest<'_> = asked.decode();
            for partition in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
                let Some(Records::Bytes(bytes)) = partition.records else { panic!("records") };
                let header = BatchHeader::parse(bytes).expect("a batch header");
                assert!(check_crc(&header, bytes), "the CRC of a sent batch");
                let mut values = Vec::new();
                if header.codec().expect("a codec") == ottla_protocol::compression::Codec::None {
                    let mut position = 61;
                    while position < bytes.len() {
                        let record = read_record(bytes, &mut position).expect("a record");
                        values.push(record.value.unwrap_or_default().to_vec());
                    }
                    assert_eq!(values.len(), header.record_count as usize);
                }
                all.push(Got { asked: asked.clone(), partition: partition.index, header, values });
            }
        }
        all
    }

    /// Answers the oldest Produce request, every batch of it alike.
    pub(super) fn answer(&mut self, reply: &Reply) {
        let asked = self.scenario.oldest(ApiKey::Produce).expect("a Produce request");
        let batches: Vec<Got> = self
            .got()
            .into_iter()
            .filter(|got| (got.asked.connection, got.asked.correlation_id) == (asked.connection, asked.correlation_id))
            .collect();
        let request: ProduceRequest<'_> = asked.decode();
        let topic = &request.topic_data[0];
        let record_errors = || {
            let error =
                |(index, text): &(i32, &'static str)| ottla_protocol::messages::produce::BatchIndexAndErrorMessage {
                    batch_index: *index,
                    batch_index_error_message: Some(text),
                };
            reply.refused.iter().map(error).collect()
        };
        let partition = |index: i32| PartitionProduceResponse {
            index,
            error_code: reply.code,
            base_offset: reply.base_offset,
            log_append_time_ms: reply.log_append_time_ms,
            record_errors: record_errors(),
            ..Default::default()
        };
        let response = ProduceResponse {
            responses: vec![TopicProduceResponse {
                name: topic.name,
                topic_id: topic.topic_id,
                partition_responses: topic.partition_data.iter().map(|data| partition(data.index)).collect(),
            }],
            ..Default::default()
        };
        if reply.code == 0 {
            let mine: Vec<i32> = topic.partition_data.iter().map(|data| data.index).collect();
            for got in batches.iter().filter(|got| mine.contains(&got.partition)) {
                self.log.extend(got.values.iter().map(|value| (got.partition, value.clone())));
            }
        }
        self.scenario.answer(&asked, &response);
    }

    /// Answers everything that comes, with success, until nothing is outstanding or the time is over.
    pub(super) fn answer_all(&mut self, us: u64) {
        let end = self.scenario.now.mono_us + us;
        while self.shared.outstanding() > 0 && self.scenario.now.mono_us < end {
            self.pass(1000);
            while self.scenario.oldest(ApiKey::Produce).is_some() {
                self.answer(&Reply { log_append_time_ms: -1, ..Reply::default() });
                self.turn();
            }
            self.serve();
        }
    }

    /// Serves all reports: attachment, offset, error code.
    pub(super) fn serve(&mut self) -> Vec<(u32, i64, Option<i32>)> {
        let (mut run, mut all) = (ReportRun::with_capacity(3), Vec::new());
        loop {
            self.shared.take_reports(&mut run);
            if run.reports.is_empty() {
                return all;
            }
            let batch = run.batch.clone().expect("a batch");
            for report in run.reports.drain(..) {
                let error = batch.error_of(report.place).map(|error| error.code());
                all.push((report.attachment, batch.offset_of(report.place), error));
                assert!(batch.record(report.place).is_some());
                self.shared.served(1, report.place.bytes as usize);
            }
        }
    }

    pub(super) fn leader(&mut self, partition: usize, node: i32, epoch: i32) {
        if let Some(topic) = self.scenario.topics.get_mut("t") {
            topic.leaders[partition] = (node, epoch);
        }
    }

    pub(super) fn kill(&mut self, node: i32) {
        self.scenario.down.push(NodeId(node));
        self.scenario.disconnect(NodeId(node));
    }
}
