//! A sealed batch on its way: what it holds, how it was tried, and its header as the next attempt sends it (E9).
use std::sync::Arc;

use ottla_protocol::compression::Codec;
use ottla_protocol::records::header::MAGIC;
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, TimestampType};

use super::attachments::Place;
use super::open_batch::OpenBatch;
use super::reports::Tickets;
use crate::machine::{Body, Chunk};

/// No partition yet: the batch is in the framing of [`super::unassigned`].
pub const UNASSIGNED: i32 = -1;

/// A batch as it leaves the lock.
#[derive(Debug)]
pub struct Sealed {
    /// The topic's number in the accumulator.
    pub topic: u32,
    pub partition: i32,
    pub records: OpenBatch,
}

/// What gives a batch its place in the log of an idempotent producer (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequenced {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

/// A batch that the sender holds.
#[derive(Debug)]
pub struct Batch {
    pub id: u64,
    pub topic: u32,
    pub partition: i32,
    pub count: u32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub opened_us: u64,
    /// The end of its delivery timeout.
    pub expires_us: u64,
    pub not_before_us: u64,
    /// The records as written; kept for their reports when they are compressed.
    pub original: Arc<Body>,
    /// The records as sent.
    pub body: Arc<Body>,
    pub codec: Codec,
    pub first_ticket: u32,
    pub moved: Option<Vec<(u32, Place)>>,
    pub attached: u32,
    pub bytes: usize,
    pub attached_bytes: usize,
    /// Attempts that were sent.
    pub attempts: u32,
    pub sequenced: Option<Sequenced>,
    header: Option<[u8; BATCH_HEADER_LEN]>,
}

impl Batch {
    pub fn new(id: u64, topic: u32, partition: i32, records: OpenBatch, delivery_timeout_us: u64) -> Self {
        let body = Arc::new(Body::new(records.chunks));
        Self {
            id,
            topic,
            partition,
            count: records.count,
            base_timestamp: records.base_timestamp,
            max_timestamp: records.max_timestamp,
            opened_us: records.opened_us,
            expires_us: records.opened_us.saturating_add(delivery_timeout_us),
            not_before_us: 0,
            original: body.clone(),
            body,
            codec: Codec::None,
            first_ticket: records.first_ticket,
            moved: None,
            attached: records.attached,
            bytes: records.bytes,
            attached_bytes: records.attached_bytes,
            attempts: 0,
            sequenced: None,
            header: None,
        }
    }

    /// Takes the compressed form, unless it is no smaller (then the batch goes as it is).
    pub fn compressed(&mut self, codec: Codec, bytes: Vec<u8>) {
        if bytes.len() < self.original.len() {
            self.body = Arc::new(Body::new(vec![Chunk::filled(bytes)]));
            self.codec = codec;
            if self.attached == 0 {
                self.original = self.body.clone();
            }
            self.header = None;
        }
    }

    /// Gives the batch its sequence, or takes it away.
    pub fn sequence(&mut self, sequenced: Option<Sequenced>) {
        if self.sequenced != sequenced {
            self.sequenced = sequenced;
            self.header = None;
        }
    }

    /// The 61 bytes in front of the body; the CRC is computed when something of it changed.
    pub fn header(&mut self) -> [u8; BATCH_HEADER_LEN] {
        if let Some(header) = self.header {
            return header;
        }
        let sequenced = self.sequenced.unwrap_or(Sequenced { producer_id: -1, producer_epoch: -1, base_sequence: -1 });
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: BatchHeader::attributes(self.codec, TimestampType::CreateTime, false, false),
            last_offset_delta: self.count as i32 - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: sequenced.producer_id,
            producer_epoch: sequenced.producer_epoch,
            base_sequence: sequenced.base_sequence,
            record_count: self.count as i32,
        };
        *self.header.insert(header.seal(self.body.parts()))
    }

    /// Bytes on the wire.
    pub fn wire_size(&self) -> usize {
        BATCH_HEADER_LEN + self.body.len()
    }

    /// The tickets of its records with attachments.
    pub fn tickets(&mut self) -> Tickets {
        match self.moved.take() {
            Some(moved) => Tickets::Moved(moved, 0),
            None => Tickets::Chain(self.first_ticket),
        }
    }
}
