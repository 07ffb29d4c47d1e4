//! Records of a topic whose partitions are not known yet (E10): kept in chunks like others, in a framing of our own that
//! remembers what the partitioner needs; placed into real batches, outside the lock, once metadata is there.
use ottla_protocol::records::EncodedHeaders;

use super::attachments::{NONE, Place};
use super::open_batch::{NewRecord, OpenBatch};
use crate::machine::Chunk;

const HEAD: usize = 32;
const TICKET_AT: usize = 4;

/// Bytes that the record takes here.
pub fn size(record: &NewRecord<'_>) -> usize {
    HEAD + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + record.headers.bytes.len()
}

fn length(field: Option<&[u8]>) -> i32 {
    field.map_or(-1, |bytes| bytes.len() as i32)
}

fn fill(room: &mut [u8], record: &NewRecord<'_>) {
    let mut head = [0; HEAD];
    head[0..4].copy_from_slice(&record.partition.to_le_bytes());
    head[TICKET_AT..8].copy_from_slice(&NONE.to_le_bytes());
    head[8..16].copy_from_slice(&record.timestamp_ms.to_le_bytes());
    head[16..20].copy_from_slice(&length(record.key).to_le_bytes());
    head[20..24].copy_from_slice(&length(record.value).to_le_bytes());
    head[24..28].copy_from_slice(&record.headers.count.to_le_bytes());
    head[28..32].copy_from_slice(&(record.headers.bytes.len() as u32).to_le_bytes());
    let mut position = 0;
    for part in [&head[..], record.key.unwrap_or_default(), record.value.unwrap_or_default(), record.headers.bytes] {
        room[position..position + part.len()].copy_from_slice(part);
        position += part.len();
    }
}

/// Writes a record into the batch's last chunk, which has room for it.
pub fn write(batch: &mut OpenBatch, record: &NewRecord<'_>) -> Place {
    let (index, size) = (batch.chunks.len() - 1, size(record));
    let place = batch.place(index, batch.chunks[index].used, record);
    let chunk = &mut batch.chunks[index];
    fill(&mut chunk.buffer[chunk.used..chunk.used + size], record);
    chunk.used += size;
    batch.counted(record, size);
    place
}

/// A chunk of its own for a large record, made outside the lock.
pub fn linked(record: &NewRecord<'_>) -> Chunk {
    let mut chunk = Chunk::new(size(record));
    fill(&mut chunk.buffer, record);
    chunk.used = chunk.buffer.len();
    chunk
}

/// Links such a chunk.
pub fn link(batch: &mut OpenBatch, record: &NewRecord<'_>, chunk: Chunk) -> Place {
    let place = batch.place(batch.chunks.len(), 0, record);
    batch.counted(record, chunk.used);
    batch.chunks.push(chunk);
    place
}

/// Notes in the record at `place` which ticket it got.
pub fn note_ticket(batch: &mut OpenBatch, place: Place, ticket: u32) {
    let at = place.position as usize + TICKET_AT;
    if let Some(chunk) = batch.chunks.get_mut(place.chunk as usize) {
        chunk.buffer[at..at + 4].copy_from_slice(&ticket.to_le_bytes());
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// Reads the record at the start of `bytes`: itself, its ticket and its size here.
pub fn read<'a>(topic: &'a str, bytes: &'a [u8]) -> (NewRecord<'a>, u32, usize) {
    let (key_length, value_length) = (i32::from_le_bytes(array(bytes, 16)), i32::from_le_bytes(array(bytes, 20)));
    let mut position = HEAD;
    let mut field = |length: i32| {
        let length = usize::try_from(length).ok()?;
        position += length;
        Some(&bytes[position - length..position])
    };
    let (key, value) = (field(key_length), field(value_length));
    let headers_length = u32::from_le_bytes(array(bytes, 28)) as usize;
    let headers = EncodedHeaders {
        count: u32::from_le_bytes(array(bytes, 24)),
        bytes: &bytes[position..position + headers_length],
    };
    let partition = i32::from_le_bytes(array(bytes, 0));
    let timestamp_ms = i64::from_le_bytes(array(bytes, 8));
    let record = NewRecord { topic, partition, key, value, headers, timestamp_ms };
    (record, u32::from_le_bytes(array(bytes, TICKET_AT)), position + headers_length)
}

/// All records of a chunk, in order, each with its ticket.
pub fn records<'a>(topic: &'a str, chunk: &'a Chunk) -> impl Iterator<Item = (NewRecord<'a>, u32)> {
    let mut rest = chunk.as_slice();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (record, ticket, size) = read(topic, rest);
        rest = &rest[size..];
        Some((record, ticket))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let mut batch = OpenBatch::empty();
        batch.chunks.push(Chunk::new(4096));
        let headers = EncodedHeaders { count: 1, bytes: &[2, b'h', 2, b'v'] };
        let record = |partition, key, value| NewRecord { topic: "t", partition, key, value, headers, timestamp_ms: -5 };
        let all =
            [record(-1, Some(&b"k"[..]), None), record(3, None, Some(&b"value"[..])), record(0, Some(b""), Some(b""))];
        for (number, record) in all.iter().enumerate() {
            let place = write(&mut batch, record);
            note_ticket(&mut batch, place, number as u32 + 10);
        }
        let large = linked(&all[1]);
        link(&mut batch, &all[1], large);
        let back: Vec<_> = batch.chunks.iter().flat_map(|chunk| records("t", chunk)).collect();
        assert_eq!(batch.count, 4);
        for (index, (record, ticket)) in back.iter().enumerate() {
            let original = &all[if index == 3 { 1 } else { index }];
            assert_eq!(*ticket, if index == 3 { NONE } else { index as u32 + 10 });
            assert_eq!(
                (record.partition, record.key, record.value),
                (original.partition, original.key, original.value)
            );
            assert_eq!((record.headers, record.timestamp_ms), (headers, -5));
        }
    }
}
