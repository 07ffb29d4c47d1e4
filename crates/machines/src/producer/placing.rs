//! Placing (E10): records that came before their topic's partitions were known become batches of those partitions, in the
//! order in which they came, with the tickets that they got.
use std::collections::BTreeMap;

use ottla_protocol::records::BATCH_HEADER_LEN;

use super::attachments::{NONE, Place};
use super::batch::Batch;
use super::chunks::{LARGEST, LINKED_FROM, Pool};
use super::open_batch::{CHUNKS, NewRecord, OpenBatch};
use super::partitioner;
use super::sender::Sender;
use super::unassigned;
use crate::machine::Chunk;

/// A batch that is being filled, with the tickets of its records.
struct Filling {
    records: OpenBatch,
    moved: Vec<(u32, Place)>,
}

/// Batches by partition, and those of records that asked for a partition which the topic does not have.
pub(super) fn place(sender: &mut Sender, number: usize, batch: &Batch) -> (Vec<Batch>, Vec<Batch>) {
    let name = sender.topics[number].name.clone();
    let count = sender.topics[number].count as u32;
    let available = sender.topics[number].available.clone();
    let limit = sender.settings.batch_size.min(sender.settings.message_max_bytes);
    let most = u32::try_from(sender.settings.batch_num_messages).unwrap_or(u32::MAX);
    let (partitioner, sticks) = (sender.settings.partitioner, sender.settings.sticky_linger_us > 0);
    // Records without a key stay with one partition, drawn by the first of them.
    let (mut sticky, mut drawn) = (0, false);
    let mut filling: BTreeMap<i32, Filling> = BTreeMap::new();
    let mut unknown: BTreeMap<i32, Filling> = BTreeMap::new();
    let mut done: Vec<(i32, Filling)> = Vec::new();
    let records = batch.original.chunks().iter().flat_map(|chunk| unassigned::records(&name, chunk));
    for (record, ticket) in records {
        let partition = partitioner::partition(partitioner, record.partition, record.key, count, || {
            let stays = sticks && std::mem::replace(&mut drawn, true);
            partitioner::stay_or_draw(stays, &mut sticky, &mut sender.random, &available, count)
        });
        if partition >= count {
            let entry = unknown.entry(record.partition).or_insert_with(|| filling_since(batch));
            append(entry, &record, ticket);
            continue;
        }
        let partition = partition as i32;
        let entry = filling.entry(partition).or_insert_with(|| filling_since(batch));
        let size = entry.records.measure(&record).total;
        let chunks_left = entry.records.chunks.capacity() - entry.records.chunks.len();
        let full = entry.records.count >= most
            || entry.records.count > 0 && BATCH_HEADER_LEN + entry.records.size + size > limit
            || chunks_left < 3;
        if full {
            done.push((partition, std::mem::replace(entry, filling_since(batch))));
        }
        append(entry, &record, ticket);
    }
    done.extend(filling);
    let topic = number as u32;
    let mut finish = |partition: i32, filling: Filling| {
        let mut placed = sender.batch(topic, partition, filling.records);
        placed.attached = filling.moved.len() as u32;
        placed.attached_bytes = filling.moved.iter().map(|(_, place)| place.bytes as usize).sum();
        placed.moved = Some(filling.moved);
        placed
    };
    let placed = done.into_iter().map(|(partition, filling)| finish(partition, filling)).collect();
    let unknown = unknown.into_iter().map(|(partition, filling)| finish(partition, filling)).collect();
    (placed, unknown)
}

fn filling_since(batch: &Batch) -> Filling {
    let mut records = OpenBatch::empty();
    records.opened_us = batch.opened_us;
    records.chunks = Vec::with_capacity(CHUNKS);
    Filling { records, moved: Vec::new() }
}

fn append(filling: &mut Filling, record: &NewRecord<'_>, ticket: u32) {
    let size = filling.records.measure(record);
    let needed = if size.total >= LINKED_FROM { size.total } else { LARGEST };
    let room = filling.records.chunks.last().is_some_and(|chunk| chunk.buffer.len() - chunk.used >= size.total);
    if !room {
        filling.records.chunks.push(Chunk::new(needed));
    }
    // Outside the lock a large record needs no link: it gets a chunk of its size.
    debug_assert!(filling.records.make_room(size.total, &mut Pool::default()).is_ok());
    let place = filling.records.write(record, size);
    if ticket != NONE {
        filling.moved.push((ticket, place));
    }
}
