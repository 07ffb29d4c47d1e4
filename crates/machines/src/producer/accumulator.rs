//! All that `produce()` touches, under the one short lock of E6: queue counters, topics with their open batches, free
//! chunks, the callback table, reports that wait to be taken.
//!
//! Under the lock nothing is allocated, dropped, or copied beyond 4 KiB: who finds something short gets
//! [`Refused::Needs`], makes a [`Supply`] outside, and tries again. What becomes of sealed batches is the sender's business.
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ottla_protocol::records::BATCH_HEADER_LEN;

use super::attachments::{Attachments, NONE, Place, Segment};
use super::batch::{Sealed, UNASSIGNED};
use super::chunks::{LINKED_FROM, Pool, size_of};
pub use super::open_batch::NewRecord;
use super::open_batch::{CHUNKS, Linked, OpenBatch, Short};
use super::partitioner;
use super::reports::Reports;
use super::unassigned;
use crate::config::{Partitioner, ProducerSettings};
use crate::error::{Error, Kind};
use crate::machine::Chunk;
use crate::random::Random;

/// What librdkafka reckons a record to need around its key and value; `message.max.bytes` is compared with it.
const RECORD_OVERHEAD: usize = 36;

/// A record was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The io side is to be woken (E8): the first record of an idle client, or a batch became full.
    pub wake: bool,
}

/// What an append needs that must be made outside the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Topic,
    Chunk(usize),
    List,
    Tickets,
    /// A longer queue of sealed batches.
    Queue(usize),
    /// The record is too large to be copied under the lock.
    Linked {
        unassigned: bool,
    },
}

/// Why a record was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Closed,
    /// A fatal error ended the producer; see [`Accumulator::fatal`].
    Fatal,
    /// The user's limits are reached. `reports` of the records wait for `poll()` (E13).
    Full {
        reports: usize,
    },
    TooLarge {
        size: usize,
        limit: usize,
    },
    UnknownPartition,
    /// The brokers say that the topic does not exist, or that it may not be used: their code.
    Topic(i16),
    Needs(Needs),
}

impl Refused {
    /// What the caller is told of a record that will not do (E21); `None` for what is not the record's fault.
    pub fn error(self) -> Option<Error> {
        const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
        const INVALID_TOPIC_EXCEPTION: i16 = 17;
        match self {
            Refused::TooLarge { .. } => Some(Kind::MessageSizeTooLarge.into()),
            Refused::UnknownPartition => Some(Kind::UnknownPartition.into()),
            // As in the original, where both mean that there is no such topic; a report tells which.
            Refused::Topic(UNKNOWN_TOPIC_OR_PARTITION | INVALID_TOPIC_EXCEPTION) => Some(Kind::UnknownTopic.into()),
            Refused::Topic(code) => Some(Error::broker(code)),
            Refused::Closed | Refused::Fatal | Refused::Full { .. } | Refused::Needs(_) => None,
        }
    }
}

/// What a caller made outside the lock. What is not taken stays here, to be dropped outside.
#[derive(Debug)]
pub struct Supply<A> {
    topic: Option<Topic>,
    chunk: Option<Chunk>,
    list: Option<Vec<Chunk>>,
    segment: Option<Segment<A>>,
    queue: Option<VecDeque<Sealed>>,
    linked: Option<Linked>,
}

impl<A> Supply<A> {
    /// The memory of a chunk that was just made, for a driver that can make it ready.
    pub fn chunk_memory(&mut self) -> Option<&mut [u8]> {
        self.chunk.as_mut().map(|chunk| &mut chunk.buffer[..])
    }

    pub fn nothing() -> Self {
        Self { topic: None, chunk: None, list: None, segment: None, queue: None, linked: None }
    }

    /// Makes what `record` needs. Called without the lock.
    pub fn make(&mut self, needs: Needs, record: &NewRecord<'_>) {
        match needs {
            Needs::Topic => self.topic = Some(Topic::new(record.topic)),
            Needs::Chunk(class) => self.chunk = Some(Chunk::new(size_of(class))),
            Needs::List => self.list = Some(Vec::with_capacity(CHUNKS)),
            Needs::Tickets => self.segment = Some(Segment::new()),
            Needs::Queue(capacity) => self.queue = Some(VecDeque::with_capacity(capacity)),
            Needs::Linked { unassigned: true } => {
                self.linked = Some(Linked { prefix: Chunk::filled(Vec::new()), tail: unassigned::linked(record) });
            }
            Needs::Linked { unassigned: false } => self.linked = Some(linked(record)),
        }
    }
}

fn linked(record: &NewRecord<'_>) -> Linked {
    let value = record.value.unwrap_or_default();
    let mut tail = Vec::with_capacity(value.len() + record.headers.size() + 8);
    tail.extend_from_slice(value);
    let end = tail.len();
    tail.resize(end + record.headers.size(), 0);
    ottla_protocol::records::writer::write_header_tail(&mut tail[end..], record.headers);
    // The longest prefix has 5 varints of at most 10 bytes.
    Linked { prefix: Chunk::new(record.key.map_or(0, <[u8]>::len) + 64), tail: Chunk::filled(tail) }
}

/// What a topic's records may go to.
#[derive(Debug)]
pub(super) enum Target {
    /// Partitions are not known yet (E10).
    Unknown,
    Partitions {
        open: Vec<OpenBatch>,
        available: Vec<u32>,
    },
    /// The brokers' error code.
    Refused(i16),
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) target: Target,
    unassigned: OpenBatch,
    /// Where records without a key go until that batch is sealed (KIP-480).
    sticky: u32,
}

impl Topic {
    pub(super) fn unassigned(&self) -> &OpenBatch {
        &self.unassigned
    }

    fn new(name: &str) -> Self {
        Self { name: name.into(), target: Target::Unknown, unassigned: OpenBatch::empty(), sticky: 0 }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Accumulator<A> {
    /// Closed or failed: nothing is taken.
    pub(super) refuses: bool,
    pub(super) closed: bool,
    pub(super) fatal: Option<Error>,
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) max_messages: usize,
    pub(super) max_bytes: usize,
    pub(super) message_max_bytes: usize,
    pub(super) batch_size: usize,
    pub(super) batch_messages: u32,
    pub(super) partitioner: Partitioner,
    pub(super) sticky: bool,
    pub(super) random: Random,
    pub(super) last_topic: usize,
    pub(super) topics: Vec<Topic>,
    pub(super) numbers: HashMap<Arc<str>, usize>,
    pub(super) pool: Pool,
    pub(super) sealed: VecDeque<Sealed>,
    pub(super) open: Vec<(u32, i32)>,
    pub(super) attachments: Attachments<A>,
    pub(super) reports: Reports,
    /// Nobody need tell the io side: it was told, and has not come yet.
    pub(super) told: bool,
    /// The io side waits for nothing: the first record must wake it.
    pub(super) idle: bool,
    pub(super) flushing: bool,
}

impl<A> Accumulator<A> {
    /// `seed` is for the draws of the partitioner.
    pub fn new(settings: &ProducerSettings, seed: u64) -> Self {
        Self {
            refuses: false,
            closed: false,
            fatal: None,
            messages: 0,
            bytes: 0,
            max_messages: settings.queue_max_messages,
            max_bytes: settings.queue_max_bytes,
            message_max_bytes: settings.message_max_bytes,
            batch_size: settings.batch_size.min(settings.message_max_bytes),
            batch_messages: u32::try_from(settings.batch_num_messages).unwrap_or(u32::MAX).min(i32::MAX as u32),
            partitioner: settings.partitioner,
            sticky: settings.sticky_linger_us > 0,
            random: Random::new(seed),
            last_topic: 0,
            topics: Vec::with_capacity(64),
            numbers: HashMap::with_capacity(64),
            pool: Pool::default(),
            sealed: VecDeque::with_capacity(1024),
            open: Vec::with_capacity(1024),
            attachments: Attachments::new(),
            reports: Reports::new(),
            told: false,
            idle: true,
            flushing: false,
        }
    }

    /// Appends a record, and takes what is attached to it. `coarse_us` tells the time when a batch is opened.
    #[inline]
    pub fn append(
        &mut self,
        record: &NewRecord<'_>,
        attachment: &mut Option<A>,
        supply: &mut Supply<A>,
        coarse_us: impl FnOnce() -> u64,
    ) -> Result<Appended, Refused> {
        let counted = record.counted();
        if self.refuses || self.messages >= self.max_messages || self.bytes + counted > self.max_bytes {
            return Err(self.refusal());
        }
        let bound = record.bound();
        if let Some(topic) = self.topics.get_mut(self.last_topic)
            && *topic.name == *record.topic
            && let Target::Partitions { open, available } = &mut topic.target
            && bound < LINKED_FROM
            && (attachment.is_none() || self.attachments.has_room())
        {
            let count = open.len() as u32;
            let partition = partitioner::partition(self.partitioner, record.partition, record.key, count, || {
                let stays = self.sticky && open[topic.sticky as usize].count > 0;
                partitioner::stay_or_draw(stays, &mut topic.sticky, &mut self.random, available, count)
            });
            if let Some(batch) = open.get_mut(partition as usize)
                && batch.count > 0
                && batch.count < self.batch_messages
                && BATCH_HEADER_LEN + batch.size + bound <= self.batch_size
                && let Some(place) = batch.append(record, bound)
            {
                self.messages += 1;
                self.bytes += counted;
                if let Some(attachment) = attachment.take() {
                    attach(&mut self.attachments, batch, attachment, place);
                }
                return Ok(Appended { wake: false });
            }
        }
        self.append_slowly(record, attachment, supply, coarse_us)
    }

    /// Why nothing is taken.
    #[cold]
    fn refusal(&self) -> Refused {
        match (self.closed, &self.fatal) {
            (true, _) => Refused::Closed,
            (false, Some(_)) => Refused::Fatal,
            (false, None) => Refused::Full { reports: self.reports.waiting() },
        }
    }

    /// The first record of a batch, the last one before it is full, a new chunk, a large record, another topic.
    #[cold]
    fn append_slowly(
        &mut self,
        record: &NewRecord<'_>,
        attachment: &mut Option<A>,
        supply: &mut Supply<A>,
        coarse_us: impl FnOnce() -> u64,
    ) -> Result<Appended, Refused> {
        let counted = record.counted();
        if attachment.is_some() && !self.attachments.has_room() {
            match supply.segment.take() {
                Some(segment) => self.attachments.supply(segment),
                None => return Err(Refused::Needs(Needs::Tickets)),
            }
        }
        let number = self.topic(record.topic, supply)?;
        let topic = &mut self.topics[number];
        let (open, available) = match &mut topic.target {
            Target::Partitions { open, available } => (open, available),
            Target::Unknown => return self.append_unassigned(number, record, attachment, supply, coarse_us),
            Target::Refused(code) => return Err(Refused::Topic(*code)),
        };
        let count = open.len() as u32;
        let partition = partitioner::partition(self.partitioner, record.partition, record.key, count, || {
            let stays = self.sticky && open[topic.sticky as usize].count > 0;
            partitioner::stay_or_draw(stays, &mut topic.sticky, &mut self.random, available, count)
        });
        let Some(batch) = open.get_mut(partition as usize) else { return Err(Refused::UnknownPartition) };
        let size = batch.measure(record);
        if size.total + RECORD_OVERHEAD > self.message_max_bytes {
            let bytes = record.key.map_or(0, <[u8]>::len) + counted + record.headers.bytes.len() + RECORD_OVERHEAD;
            if bytes > self.message_max_bytes {
                return Err(Refused::TooLarge { size: bytes, limit: self.message_max_bytes });
            }
        }
        let full = batch.count >= self.batch_messages
            || batch.count > 0 && BATCH_HEADER_LEN + batch.size + size.total > self.batch_size;
        if full {
            self.seal(number, partition as i32, supply)?;
            return self.append_slowly(record, attachment, supply, coarse_us);
        }
        let place = if size.total >= LINKED_FROM {
            // One that was made while the partitions were not known yet is in another framing.
            let Some(linked) = supply.linked.take_if(|linked| !linked.prefix.buffer.is_empty()) else {
                return Err(Refused::Needs(Needs::Linked { unassigned: false }));
            };
            if linked.prefix.buffer.is_empty() {
                // Written when the topic's partitions were not known; they became known in between.
                supply.linked = Some(linked);
                return Err(Refused::Needs(Needs::Linked { unassigned: false }));
            }
            match batch.make_links(2, &mut self.pool) {
                Ok(()) => batch.link(record, size, linked),
                Err(short) => {
                    supply.linked = Some(linked);
                    self.relieve(short, number, partition as i32, supply)?;
                    return self.append_slowly(record, attachment, supply, coarse_us);
                }
            }
        } else {
            if let Err(short) = batch.make_room(size.total, &mut self.pool) {
                self.relieve(short, number, partition as i32, supply)?;
                return self.append_slowly(record, attachment, supply, coarse_us);
            }
            batch.write(record, size)
        };
        if batch.count == 1 {
            batch.opened_us = coarse_us();
            self.open.push((number as u32, partition as i32));
        }
        if let Some(attachment) = attachment.take() {
            let (attachments, batch) = (&mut self.attachments, batch);
            attach(attachments, batch, attachment, place);
        }
        Ok(self.counted(counted))
    }

    #[inline]
    fn counted(&mut self, bytes: usize) -> Appended {
        self.messages += 1;
        self.bytes += bytes;
        let wake = (self.idle || !self.sealed.is_empty() || self.flushing) && !self.told;
        if wake {
            self.idle = false;
            self.told = true;
        }
        Appended { wake }
    }

    /// The topic's number: that of the last record's, or by the map.
    #[inline]
    fn topic(&mut self, name: &str, supply: &mut Supply<A>) -> Result<usize, Refused> {
        if let Some(topic) = self.topics.get(self.last_topic)
            && *topic.name == *name
        {
            return Ok(self.last_topic);
        }
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let topic = supply.topic.take().ok_or(Refused::Needs(Needs::Topic))?;
                // A new topic is rare; that the tables may grow under the lock is accepted.
                self.numbers.insert(topic.name.clone(), self.topics.len());
                self.topics.push(topic);
                self.topics.len() - 1
            }
        };
        self.last_topic = number;
        Ok(number)
    }

    /// Gives a batch what it is short of, from the supply, or seals it.
    #[cold]
    fn relieve(&mut self, short: Short, topic: usize, partition: i32, supply: &mut Supply<A>) -> Result<(), Refused> {
        match short {
            Short::Chunk(class) => match supply.chunk.take() {
                Some(chunk) if chunk.buffer.len() == size_of(class) => {
                    supply.chunk = self.pool.put(chunk);
                    Ok(())
                }
                other => {
                    supply.chunk = other;
                    Err(Refused::Needs(Needs::Chunk(class)))
                }
            },
            Short::List => match supply.list.take() {
                Some(list) => {
                    supply.list = self.pool.put_list(list);
                    Ok(())
                }
                None => Err(Refused::Needs(Needs::List)),
            },
            Short::Full => self.seal(topic, partition, supply),
        }
    }

    #[cold]
    fn append_unassigned(
        &mut self,
        number: usize,
        record: &NewRecord<'_>,
        attachment: &mut Option<A>,
        supply: &mut Supply<A>,
        coarse_us: impl FnOnce() -> u64,
    ) -> Result<Appended, Refused> {
        let size = unassigned::size(record);
        let bytes = size + RECORD_OVERHEAD;
        if bytes > self.message_max_bytes + 32 {
            return Err(Refused::TooLarge { size: bytes - 32, limit: self.message_max_bytes });
        }
        let batch = &mut self.topics[number].unassigned;
        let place = if size >= LINKED_FROM {
            let Some(linked) = supply.linked.take_if(|linked| linked.prefix.buffer.is_empty()) else {
                return Err(Refused::Needs(Needs::Linked { unassigned: true }));
            };
            match batch.make_links(1, &mut self.pool) {
                Ok(()) => unassigned::link(batch, record, linked.tail),
                Err(short) => {
                    supply.linked = Some(linked);
                    self.relieve(short, number, UNASSIGNED, supply)?;
                    return self.append_slowly(record, attachment, supply, coarse_us);
                }
            }
        } else {
            if let Err(short) = batch.make_room(size, &mut self.pool) {
                self.relieve(short, number, UNASSIGNED, supply)?;
                return self.append_slowly(record, attachment, supply, coarse_us);
            }
            unassigned::write(batch, record)
        };
        if batch.count == 1 {
            batch.opened_us = coarse_us();
            self.open.push((number as u32, UNASSIGNED));
        }
        if let Some(attachment) = attachment.take() {
            let ticket = attach(&mut self.attachments, batch, attachment, place);
            unassigned::note_ticket(batch, place, ticket);
        }
        Ok(self.counted(record.counted()))
    }

    /// Seals a batch: pointers are swapped, everything else happens outside (E7).
    fn seal(&mut self, topic: usize, partition: i32, supply: &mut Supply<A>) -> Result<(), Refused> {
        if self.sealed.len() == self.sealed.capacity() {
            match supply.queue.take() {
                Some(mut queue) if queue.capacity() > self.sealed.len() => {
                    queue.extend(self.sealed.drain(..));
                    supply.queue = Some(std::mem::replace(&mut self.sealed, queue));
                }
                _ => return Err(Refused::Needs(Needs::Queue(self.sealed.len() * 2))),
            }
        }
        self.seal_now(topic, partition);
        Ok(())
    }

    pub(super) fn seal_now(&mut self, topic: usize, partition: i32) {
        let entry = &mut self.topics[topic];
        let batch = match (&mut entry.target, usize::try_from(partition)) {
            (Target::Partitions { open, .. }, Ok(index)) => &mut open[index],
            _ => &mut entry.unassigned,
        };
        if batch.count > 0 {
            let records = std::mem::replace(batch, OpenBatch::empty());
            self.sealed.push_back(Sealed { topic: topic as u32, partition, records });
            self.open.retain(|entry| *entry != (topic as u32, partition));
        }
    }
}

#[inline]
fn attach<A>(attachments: &mut Attachments<A>, batch: &mut OpenBatch, attachment: A, place: Place) -> u32 {
    let ticket = attachments.add(batch.last_ticket, attachment, place);
    if batch.first_ticket == NONE {
        batch.first_ticket = ticket;
    }
    batch.last_ticket = ticket;
    batch.attached += 1;
    batch.attached_bytes += place.bytes as usize;
    ticket
}
