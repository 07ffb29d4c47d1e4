//! Reads the logs without a client: what the cluster really holds.
use std::collections::BTreeMap;

use ottla_protocol::compression::{Codec, Decompressor};
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchIter, check_crc, read_record};

use crate::ledger::{Place, read_value};
use crate::world::World;

const LIMIT: usize = 64 << 20;

/// A record in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) offset: i64,
    pub(crate) producer: u32,
    pub(crate) sequence: u32,
}

impl World {
    /// The records of every partition, in the order of the log; control batches have none.
    pub(crate) fn read_logs(&mut self) -> BTreeMap<Place, Vec<Logged>> {
        let mut logs = BTreeMap::new();
        for place in self.plan.places() {
            let bytes = self.cluster.log_bytes(&self.plan.topics[place.0 as usize].0, place.1);
            match records(&bytes.unwrap_or_default()) {
                Ok(log) => drop(logs.insert(place, log)),
                Err(words) => self.stage.ledger.broken("a log can be read", format!("{place:?}: {words}")),
            }
        }
        logs
    }
}

fn records(batches: &[u8]) -> Result<Vec<Logged>, String> {
    let mut log = Vec::new();
    for batch in BatchIter::new(batches) {
        let (range, header) = batch.map_err(|error| error.to_string())?;
        let batch = &batches[range];
        if !check_crc(&header, batch) {
            return Err(format!("the batch at {} has another CRC", header.base_offset));
        }
        if header.is_control() {
            continue;
        }
        let mut plain = Vec::new();
        let body = &batch[BATCH_HEADER_LEN..];
        let codec = header.codec().map_err(|error| error.to_string())?;
        let data = if codec == Codec::None {
            body
        } else {
            Decompressor::new().decompress(codec, body, LIMIT, &mut plain).map_err(|error| error.to_string())?;
            &plain
        };
        let mut position = 0;
        for _ in 0..header.record_count {
            let record = read_record(data, &mut position).map_err(|error| error.to_string())?;
            let (producer, sequence) = record
                .value
                .and_then(read_value)
                .ok_or_else(|| format!("a record at {} that nobody produced", header.base_offset))?;
            log.push(Logged { offset: header.base_offset + record.offset_delta, producer, sequence });
        }
    }
    Ok(log)
}
