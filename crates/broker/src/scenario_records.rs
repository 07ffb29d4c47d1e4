//! Record batches and the requests around them, for tests.

use ottla_protocol::compression::{Codec, Compressor};
use ottla_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_protocol::primitives::{Records, Uuid};
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, EncodedHeaders, record_size, write_record};

/// When the records of tests are from.
pub(crate) const TIME: i64 = 1_790_000_000_000;

/// A batch to be.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) count: i32,
    /// Id, epoch, first sequence.
    pub(crate) producer: (i64, i16, i32),
    /// Beside the codec.
    pub(crate) attributes: i16,
    pub(crate) codec: Codec,
    pub(crate) base_timestamp: i64,
    /// Added for each record.
    pub(crate) step_ms: i64,
    pub(crate) value: Vec<u8>,
    pub(crate) key: Option<Vec<u8>>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            count: 1,
            producer: (-1, -1, -1),
            attributes: 0,
            codec: Codec::None,
            base_timestamp: TIME,
            step_ms: 0,
            value: b"value".to_vec(),
            key: None,
        }
    }
}

impl Batch {
    pub(crate) fn of(count: i32) -> Self {
        Self { count, ..Self::default() }
    }

    /// A transactional batch of a producer.
    pub(crate) fn in_transaction(producer_id: i64, sequence: i32, count: i32) -> Self {
        Self { producer: (producer_id, 0, sequence), attributes: 0x10, ..Self::of(count) }
    }

    /// The end of a producer's transaction.
    pub(crate) fn marker(producer_id: i64, commit: bool) -> Self {
        let key = Some(vec![0, 0, 0, u8::from(commit)]);
        Self { producer: (producer_id, 0, -1), attributes: 0x30, key, value: vec![0; 6], ..Self::of(1) }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        for delta in 0..self.count {
            let (key, time) = (self.key.as_deref(), self.step_ms * i64::from(delta));
            let headers = EncodedHeaders::default();
            let size = record_size(delta as u32, time, key, Some(&self.value), headers);
            let start = plain.len();
            plain.resize(start + size.total + 16, 0);
            write_record(&mut plain[start..], size, delta as u32, time, key, Some(&self.value), headers);
            plain.truncate(start + size.total);
        }
        let mut body = Vec::new();
        Compressor::new().compress(self.codec, None, &[&plain], &mut body).unwrap();
        let (producer_id, producer_epoch, base_sequence) = self.producer;
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: self.attributes | self.codec as i16,
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.base_timestamp + self.step_ms * i64::from(self.count - 1),
            producer_id,
            producer_epoch,
            base_sequence,
            record_count: self.count,
        };
        let sealed = header.seal(std::iter::once(&body[..]));
        assert_eq!(sealed.len(), BATCH_HEADER_LEN);
        [&sealed[..], &body[..]].concat()
    }
}

/// A Produce of one batch, acknowledged by all.
pub(crate) fn produce<'a>(topic: &'a str, id: Uuid, partition: i32, records: &'a [u8]) -> ProduceRequest<'a> {
    let partition_data = vec![PartitionProduceData { index: partition, records: Some(Records::Bytes(records)) }];
    let topic_data = vec![TopicProduceData { name: topic, topic_id: id, partition_data }];
    ProduceRequest { acks: -1, timeout_ms: 1000, topic_data, ..ProduceRequest::default() }
}

/// A Fetch of one topic's partitions, each an index and an offset, without a session; answered at once.
pub(crate) fn fetch<'a>(topic: &'a str, id: Uuid, partitions: &[(i32, i64)]) -> FetchRequest<'a> {
    let partition = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topics = vec![FetchTopic { topic, topic_id: id, partitions: partitions.iter().map(partition).collect() }];
    FetchRequest { max_bytes: 1 << 20, session_epoch: -1, topics, ..FetchRequest::default() }
}
