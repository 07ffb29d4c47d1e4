//! Transactions of a producer that is not there: their batches are put into the logs, and a marker ends each. What the
//! client makes of them is tested before it has transactions itself.
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, EncodedHeaders, record_size, write_record};

use crate::chaos::Transaction;
use crate::ledger::{ABORTED, COMMITTED, value};
use crate::world::World;

const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
/// Producer ids of transactions: those that the broker gives out are small.
const FIRST_ID: i64 = 1 << 40;

impl World {
    /// A transaction writes to a partition.
    pub(crate) fn write_transaction(&mut self, transaction: &Transaction) {
        let producer = if transaction.aborted { ABORTED } else { COMMITTED };
        let values: Vec<Vec<u8>> =
            (0..transaction.records).map(|record| value(producer, transaction.number * 100 + record, 5)).collect();
        let records: Vec<(Option<&[u8]>, &[u8])> = values.iter().map(|value| (None, value.as_slice())).collect();
        self.append_records(transaction, TRANSACTIONAL, 0, &records);
    }

    /// A transaction ends.
    pub(crate) fn end_transaction(&mut self, transaction: &Transaction) {
        let key = [0, 0, 0, u8::from(!transaction.aborted)];
        self.append_records(transaction, TRANSACTIONAL | CONTROL, -1, &[(Some(&key), &[0; 6])]);
    }

    fn append_records(&mut self, of: &Transaction, attributes: i16, sequence: i32, records: &[(Option<&[u8]>, &[u8])]) {
        let mut body = Vec::new();
        for (number, (key, value)) in records.iter().enumerate() {
            let headers = EncodedHeaders::default();
            let size = record_size(number as u32, 0, *key, Some(value), headers);
            let start = body.len();
            body.resize(start + size.total, 0);
            write_record(&mut body[start..], size, number as u32, 0, *key, Some(value), headers);
        }
        let timestamp = self.stage.agenda.wall_ms();
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length: (body.len() + BATCH_HEADER_LEN - 12) as i32,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes,
            last_offset_delta: records.len() as i32 - 1,
            base_timestamp: timestamp,
            max_timestamp: timestamp,
            producer_id: FIRST_ID + i64::from(of.number),
            producer_epoch: 0,
            base_sequence: sequence,
            record_count: records.len() as i32,
        };
        let mut batch = header.seal(std::iter::once(body.as_slice())).to_vec();
        batch.extend_from_slice(&body);
        let topic = self.plan.topics[of.place.0 as usize].0.clone();
        if let Err(error) = self.cluster.append_batch(&topic, of.place.1, batch) {
            self.stage.ledger.broken("a batch can be put into a log", format!("{error:?}"));
        }
        self.pump();
    }
}
