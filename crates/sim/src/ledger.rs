//! The model beside the world: what applications did and were told. It says at once what may not happen whatever comes
//! later; what only the logs can tell is left to `audit`.
use crate::agenda::LinkId;
use crate::groups::{Broken, GroupLedger};

/// A topic's number in the plan, and a partition of it.
pub(crate) type Place = (u32, i32);

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Waiting,
    /// Partition and offset, -1 where the broker did not tell it.
    Acknowledged(i32, i64),
    Failed(i32),
}

/// A record that a producer took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) topic: u32,
    /// The partition that was asked for, if one was.
    pub(crate) partition: Option<i32>,
    /// A callback is attached: a report must come.
    pub(crate) attached: bool,
    pub(crate) at_us: u64,
    pub(crate) outcome: Outcome,
}

/// What is promised of a producer's records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promises {
    /// No duplicates.
    pub(crate) idempotent: bool,
    /// The order of a partition is that of the calls.
    pub(crate) ordered: bool,
    /// Acknowledged means written.
    pub(crate) acknowledged: bool,
    /// A record may fail with `_MSG_TIMED_OUT` from this age on.
    pub(crate) timeout_us: u64,
}

/// A producer as the model sees it.
#[derive(Debug)]
pub(crate) struct Producing {
    pub(crate) promises: Promises,
    pub(crate) records: Vec<Record>,
    /// It was dropped with records outstanding: no report need come.
    pub(crate) killed: bool,
}

/// A record as it was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) offset: i64,
    pub(crate) producer: u32,
    pub(crate) sequence: u32,
}

/// What was read of a partition from one assignment or seek to the next.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) client: usize,
    pub(crate) place: Place,
    /// The first offset that was asked for; `None` where it is not known (a committed one).
    pub(crate) start: Option<i64>,
    pub(crate) read_committed: bool,
    pub(crate) given: Vec<Given>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    broken: Option<(&'static str, String)>,
    pub(crate) producers: Vec<Producing>,
    pub(crate) spans: Vec<Span>,
    pub(crate) groups: GroupLedger,
}

impl Ledger {
    /// An invariant does not hold. The first one counts.
    #[cold]
    pub(crate) fn broken(&mut self, invariant: &'static str, words: String) {
        self.broken.get_or_insert((invariant, words));
    }

    /// The first invariant that does not hold, and what happened.
    pub(crate) fn verdict(&self) -> Option<&(&'static str, String)> {
        self.broken.as_ref()
    }

    /// A request reaches a broker.
    pub(crate) fn arrived(&mut self, link: LinkId, frame: &[u8]) {
        self.groups.arrived(link, frame);
    }

    /// A client sends a request.
    pub(crate) fn sent(&mut self, client: usize, frame: &[u8]) {
        let sent = self.groups.sent(client, frame);
        self.check(sent);
    }

    /// A broker answers.
    pub(crate) fn answered(&mut self, link: LinkId, frame: &[u8]) {
        let answered = self.groups.answer(link, frame);
        self.check(answered);
    }

    pub(crate) fn check(&mut self, result: Result<(), Broken>) {
        if let Err((invariant, words)) = result {
            self.broken(invariant, words);
        }
    }

    /// A new producer; returns its number.
    pub(crate) fn producer(&mut self, promises: Promises) -> u32 {
        self.producers.push(Producing { promises, records: Vec::new(), killed: false });
        self.producers.len() as u32 - 1
    }

    /// The number of a producer's next record.
    pub(crate) fn next_sequence(&self, producer: u32) -> u32 {
        self.producers[producer as usize].records.len() as u32
    }

    pub(crate) fn appended(&mut self, producer: u32, record: Record) {
        self.producers[producer as usize].records.push(record);
    }

    /// A producer is told of a record.
    pub(crate) fn reported(&mut self, now_us: u64, producer: u32, sequence: u32, outcome: Outcome) {
        let producing = &mut self.producers[producer as usize];
        let timeout_us = producing.promises.timeout_us;
        let Some(record) = producing.records.get_mut(sequence as usize) else {
            return self.broken("a report is of a record", format!("producer {producer} has no record {sequence}"));
        };
        let before = std::mem::replace(&mut record.outcome, outcome);
        let record = *record;
        if before != Outcome::Waiting || !record.attached {
            let words = format!("record {sequence} of producer {producer}: {before:?}, then {outcome:?}");
            return self.broken("each record is reported once", words);
        }
        match outcome {
            Outcome::Acknowledged(partition, _) if record.partition.is_some_and(|asked| asked != partition) => {
                let words = format!("record {sequence} of producer {producer}: {record:?} went to {partition}");
                self.broken("a record goes to the partition that was asked for", words);
            }
            Outcome::Failed(MESSAGE_TIMED_OUT) if now_us + BATCH_US >= record.at_us.saturating_add(timeout_us) => {}
            Outcome::Failed(code) => {
                let age_ms = (now_us - record.at_us) / 1000;
                let words = format!("record {sequence} of producer {producer} failed with {code} after {age_ms} ms");
                self.broken("a record fails only when its time is over", words);
            }
            _ => {}
        }
    }

    /// Reading of a partition begins; returns the number of the span.
    pub(crate) fn reads(&mut self, client: usize, place: Place, start: Option<i64>, read_committed: bool) -> usize {
        self.spans.push(Span { client, place, start, read_committed, given: Vec::new() });
        self.spans.len() - 1
    }

    /// A record is handed over.
    pub(crate) fn given(&mut self, span: usize, given: Given) {
        let span = &mut self.spans[span];
        let least = span.given.last().map(|last| last.offset + 1).or(span.start).unwrap_or_default();
        span.given.push(given);
        let (client, place) = (span.client, span.place);
        if given.offset < least {
            let words = format!("client {client} got {given:?} of {place:?} after {least} was due");
            self.broken("records of a partition are handed over in order", words);
        }
        if given.producer == ABORTED && span_is_committed(&self.spans, client, place) {
            let words = format!("client {client} got {given:?} of {place:?}");
            self.broken("aborted records are unseen by read_committed", words);
        }
    }
}

fn span_is_committed(spans: &[Span], client: usize, place: Place) -> bool {
    let last = spans.iter().rev().find(|span| span.client == client && span.place == place);
    last.is_some_and(|span| span.read_committed)
}

/// A batch fails as a whole by the age of its first record; the last one may be younger by what a batch stays open.
const BATCH_US: u64 = 200_000;

/// The code of a record that was not acknowledged in time.
pub(crate) const MESSAGE_TIMED_OUT: i32 = -192;
/// The producer that records of aborted transactions name.
pub(crate) const ABORTED: u32 = u32::MAX;
/// The producer that records of committed transactions name.
pub(crate) const COMMITTED: u32 = u32::MAX - 1;

/// A record's value: who made it, its number, and padding.
pub(crate) fn value(producer: u32, sequence: u32, padding: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(8 + padding);
    value.extend_from_slice(&producer.to_be_bytes());
    value.extend_from_slice(&sequence.to_be_bytes());
    value.resize(8 + padding, sequence as u8);
    value
}

/// Reads a value back: producer and number. `None` for a value that is none of ours.
pub(crate) fn read_value(value: &[u8]) -> Option<(u32, u32)> {
    let (producer, rest) = value.split_first_chunk::<4>()?;
    let (sequence, padding) = rest.split_first_chunk::<4>()?;
    let (producer, sequence) = (u32::from_be_bytes(*producer), u32::from_be_bytes(*sequence));
    padding.iter().all(|byte| *byte == sequence as u8).then_some((producer, sequence))
}
