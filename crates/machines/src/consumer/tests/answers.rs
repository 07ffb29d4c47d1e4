//! Record batches and Fetch answers, written as a broker would.
use ottla_protocol::compression::{Codec, Compressor};
use ottla_protocol::messages::fetch::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch};
use ottla_protocol::records::{BatchHeader, EncodedHeaders, TimestampType, record_size, write_record};

/// A key and a value.
type Record = (Option<Vec<u8>>, Option<Vec<u8>>);

/// How a batch is written.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) base: i64,
    pub(super) records: Vec<Record>,
    pub(super) codec: Codec,
    pub(super) transactional: bool,
    pub(super) control: bool,
    pub(super) producer_id: i64,
    pub(super) leader_epoch: i32,
    pub(super) broker_time: Option<i64>,
}

/// A batch of one-letter keys whose values name their offsets.
pub(super) fn batch(base: i64, count: i64) -> Batch {
    let records = (base..base + count).map(|at| (Some(b"k".to_vec()), Some(format!("value {at}").into_bytes())));
    Batch {
        base,
        records: records.collect(),
        codec: Codec::None,
        transactional: false,
        control: false,
        producer_id: -1,
        leader_epoch: 3,
        broker_time: None,
    }
}

/// A batch of records of `size` bytes each.
pub(super) fn large(base: i64, count: i64, size: usize) -> Batch {
    let records = (0..count).map(|_| (None, Some(vec![b'x'; size]))).collect();
    Batch { records, ..batch(base, 0) }
}

/// The end of a transaction.
pub(super) fn marker(base: i64, producer_id: i64, commit: bool) -> Batch {
    let key = vec![0, 0, 0, u8::from(commit)];
    Batch {
        records: vec![(Some(key), Some(vec![0; 6]))],
        control: true,
        transactional: true,
        producer_id,
        ..batch(base, 0)
    }
}

impl Batch {
    pub(super) fn of(self, producer_id: i64) -> Self {
        Self { transactional: true, producer_id, ..self }
    }

    pub(super) fn compressed(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let headers = EncodedHeaders { count: 0, bytes: &[] };
        let mut body = Vec::new();
        for (delta, (key, value)) in self.records.iter().enumerate() {
            let (delta, key, value) = (delta as u32, key.as_deref(), value.as_deref());
            let size = record_size(delta, i64::from(delta), key, value, headers);
            let start = body.len();
            body.resize(start + size.total, 0);
            write_record(&mut body[start..], size, delta, i64::from(delta), key, value, headers);
        }
        if self.codec != Codec::None {
            let plain = std::mem::take(&mut body);
            Compressor::new().compress(self.codec, None, &[&plain], &mut body).unwrap();
        }
        let time = if self.broker_time.is_some() { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let mut header = BatchHeader {
            base_offset: self.base,
            batch_length: 0,
            partition_leader_epoch: self.leader_epoch,
            magic: 2,
            crc: 0,
            attributes: BatchHeader::attributes(self.codec, time, self.transactional, self.control),
            last_offset_delta: self.records.len() as i32 - 1,
            base_timestamp: 1_000,
            max_timestamp: self.broker_time.unwrap_or(1_000 + self.records.len() as i64 - 1),
            producer_id: self.producer_id,
            producer_epoch: if self.producer_id < 0 { -1 } else { 0 },
            base_sequence: -1,
            record_count: self.records.len() as i32,
        };
        let mut bytes = header.seal(std::iter::once(body.as_slice())).to_vec();
        bytes.extend_from_slice(&body);
        bytes
    }
}

/// What one partition answers to a Fetch.
#[derive(Clone, Default)]
pub(super) struct Answer {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) error: i16,
    pub(super) low: i64,
    pub(super) high: i64,
    /// The last stable offset, the high watermark where it is not said.
    pub(super) stable: Option<i64>,
    pub(super) records: Vec<u8>,
    pub(super) aborted: Vec<(i64, i64)>,
    pub(super) leader: Option<(i32, i32)>,
    pub(super) diverging: Option<(i32, i64)>,
    pub(super) preferred: Option<i32>,
}

/// Records of partition 0 of `t`, of which there are `high` in all.
pub(super) fn answer(high: i64, batches: &[Batch]) -> Answer {
    let records = batches.iter().flat_map(Batch::bytes).collect();
    Answer { topic: "t", high, records, ..Answer::default() }
}

/// An error of partition 0 of `t`.
pub(super) fn error(code: i16) -> Answer {
    Answer { topic: "t", error: code, high: -1, low: -1, ..Answer::default() }
}

impl Answer {
    pub(super) fn aborted(&self) -> Vec<AbortedTransaction> {
        self.aborted
            .iter()
            .map(|&(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset })
            .collect()
    }

    pub(super) fn leader(&self) -> LeaderIdAndEpoch {
        self.leader.map(|(leader_id, leader_epoch)| LeaderIdAndEpoch { leader_id, leader_epoch }).unwrap_or_default()
    }

    pub(super) fn diverging(&self) -> EpochEndOffset {
        self.diverging.map(|(epoch, end_offset)| EpochEndOffset { epoch, end_offset }).unwrap_or_default()
    }
}
