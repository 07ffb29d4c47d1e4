//! A batch that still takes records: wire format v2 from the first byte on (E5), in a chain of chunks (E7).
use ottla_protocol::records::{
    EncodedHeaders, RECORD_OVERHEAD, RecordSize, append_record, record_size, write_record, write_record_prefix,
};

use super::attachments::{NONE, Place};
use super::chunks::{Pool, class};
use crate::machine::Chunk;

/// How many chunks a batch can hold: 2 MiB of small records. A batch with no room for another chunk is full.
pub const CHUNKS: usize = 66;

/// A record that the caller wants to send.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    pub topic: &'a str,
    /// -1: the partitioner chooses.
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: EncodedHeaders<'a>,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
}

impl NewRecord<'_> {
    /// The longest that the record can become on the wire.
    #[inline(always)]
    pub fn bound(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + self.headers.bytes.len() + RECORD_OVERHEAD
    }

    /// What counts against `queue.buffering.max.kbytes`: the value, as in the original.
    #[inline]
    pub fn counted(&self) -> usize {
        self.value.map_or(0, <[u8]>::len)
    }
}

/// The parts of a record too large to be copied under the lock, written outside it (E6).
#[derive(Debug)]
pub struct Linked {
    /// Has room for all in front of the value.
    pub prefix: Chunk,
    /// The value and what follows it.
    pub tail: Chunk,
}

/// What an append needs before it can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// A chunk of this class.
    Chunk(usize),
    /// A list for the chunks of a new batch.
    List,
    /// The batch is full: seal it first.
    Full,
}

/// The records of one partition that wait to be sealed; empty until its first record.
#[derive(Debug)]
pub struct OpenBatch {
    pub chunks: Vec<Chunk>,
    pub count: u32,
    /// Bytes of the records on the wire.
    pub size: usize,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    /// When its first record came.
    pub opened_us: u64,
    /// The chain of tickets of its records with attachments.
    pub first_ticket: u32,
    pub last_ticket: u32,
    pub attached: u32,
    /// What its records count against the user's limit of bytes; those with attachments alone.
    pub bytes: usize,
    pub attached_bytes: usize,
}

impl OpenBatch {
    pub const fn empty() -> Self {
        Self {
            chunks: Vec::new(),
            count: 0,
            size: 0,
            base_timestamp: 0,
            max_timestamp: i64::MIN,
            opened_us: 0,
            first_ticket: NONE,
            last_ticket: NONE,
            attached: 0,
            bytes: 0,
            attached_bytes: 0,
        }
    }

    /// The size that the record would have in this batch.
    #[inline]
    pub fn measure(&self, record: &NewRecord<'_>) -> RecordSize {
        let base = if self.count == 0 { record.timestamp_ms } else { self.base_timestamp };
        let delta = record.timestamp_ms.wrapping_sub(base);
        record_size(self.count, delta, record.key, record.value, record.headers)
    }

    /// Writes a record of at most `bound` bytes if the batch has others already and its last chunk has room: the path that
    /// all but a few records take.
    #[inline(always)]
    pub fn append(&mut self, record: &NewRecord<'_>, bound: usize) -> Option<Place> {
        let chunk = self.chunks.last_mut()?;
        let room = chunk.buffer.get_mut(chunk.used..)?;
        if room.len() < bound {
            return None;
        }
        let delta = record.timestamp_ms.wrapping_sub(self.base_timestamp);
        let position = chunk.used;
        let length = append_record(room, self.count, delta, record.key, record.value, record.headers);
        chunk.used += length;
        let place = self.place(self.chunks.len() - 1, position, record);
        self.counted(record, length);
        Some(place)
    }

    /// Makes sure that the last chunk has `needed` bytes of room.
    #[inline]
    pub fn make_room(&mut self, needed: usize, pool: &mut Pool) -> Result<(), Short> {
        if let Some(chunk) = self.chunks.last()
            && chunk.buffer.len() - chunk.used >= needed
        {
            return Ok(());
        }
        self.add_chunk(needed, pool)
    }

    #[cold]
    fn add_chunk(&mut self, needed: usize, pool: &mut Pool) -> Result<(), Short> {
        if self.chunks.capacity() == 0 {
            self.chunks = pool.take_list().ok_or(Short::List)?;
        } else if self.chunks.len() == self.chunks.capacity() {
            return Err(Short::Full);
        }
        let class = class(self.chunks.len(), needed);
        self.chunks.push(pool.take(class).ok_or(Short::Chunk(class))?);
        Ok(())
    }

    /// Makes sure that `count` chunks can be linked in without the list growing.
    pub fn make_links(&mut self, count: usize, pool: &mut Pool) -> Result<(), Short> {
        if self.chunks.capacity() == 0 {
            self.chunks = pool.take_list().ok_or(Short::List)?;
        }
        if self.chunks.capacity() - self.chunks.len() < count { Err(Short::Full) } else { Ok(()) }
    }

    /// Writes a record that the last chunk has room for; returns where it lies.
    #[inline]
    pub fn write(&mut self, record: &NewRecord<'_>, size: RecordSize) -> Place {
        self.begin(record);
        let delta = record.timestamp_ms.wrapping_sub(self.base_timestamp);
        let index = self.chunks.len() - 1;
        let place = self.place(index, self.chunks[index].used, record);
        let chunk = &mut self.chunks[index];
        let room = &mut chunk.buffer[chunk.used..];
        chunk.used += write_record(room, size, self.count, delta, record.key, record.value, record.headers);
        self.counted(record, size.total);
        place
    }

    /// Links a record that was written outside; `linked.prefix` takes what stands before its value.
    pub fn link(&mut self, record: &NewRecord<'_>, size: RecordSize, linked: Linked) -> Place {
        self.begin(record);
        let delta = record.timestamp_ms.wrapping_sub(self.base_timestamp);
        let Linked { mut prefix, tail } = linked;
        let value_length = record.value.map(<[u8]>::len);
        prefix.used = write_record_prefix(&mut prefix.buffer, size, self.count, delta, record.key, value_length);
        let place = self.place(self.chunks.len(), 0, record);
        self.chunks.push(prefix);
        self.chunks.push(tail);
        self.counted(record, size.total);
        place
    }

    #[inline]
    fn begin(&mut self, record: &NewRecord<'_>) {
        if self.count == 0 {
            self.base_timestamp = record.timestamp_ms;
        }
    }

    #[inline]
    pub fn place(&self, chunk: usize, position: usize, record: &NewRecord<'_>) -> Place {
        Place { index: self.count, chunk: chunk as u16, position: position as u32, bytes: record.counted() as u32 }
    }

    #[inline]
    pub fn counted(&mut self, record: &NewRecord<'_>, size: usize) {
        self.max_timestamp = self.max_timestamp.max(record.timestamp_ms);
        self.count += 1;
        self.size += size;
        self.bytes += record.counted();
    }
}
