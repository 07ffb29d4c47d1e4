//! How an application takes records, one by one or many at a time, and pauses partitions; and what must hold of each record
//! whoever takes it. Whose the partitions are, and what else must hold, is left to `reader` and `member`.
use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_machines::consumer::{FetchBuffer, RecordRun, Scratch, Take};
use ottla_machines::error::{Error, Kind};

use crate::ledger::{Given, Place, read_value};
use crate::stage::Stage;

/// What a call took.
pub(crate) struct Taken {
    pub(crate) records: Vec<(Place, Given)>,
    /// The call has seen that there is no more.
    pub(crate) all: bool,
}

/// See the module.
pub(crate) struct Taking {
    topics: Vec<(Arc<str>, i32)>,
    paused: BTreeSet<Place>,
    scratch: Scratch,
    run: RecordRun,
}

impl Taking {
    pub(crate) fn new(topics: Vec<(Arc<str>, i32)>) -> Self {
        Self { topics, paused: BTreeSet::new(), scratch: Scratch::new(), run: RecordRun::new() }
    }

    pub(crate) fn name(&self, topic: u32) -> &Arc<str> {
        &self.topics[topic as usize].0
    }

    pub(crate) fn place_of(&self, topic: &str, partition: i32) -> Option<Place> {
        let number = self.topics.iter().position(|(name, _)| **name == *topic)?;
        Some((number as u32, partition))
    }

    pub(crate) fn has_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    pub(crate) fn pause(&mut self, place: Place, buffer: &mut FetchBuffer) {
        buffer.pause(self.name(place.0), place.1);
        self.paused.insert(place);
    }

    pub(crate) fn resume_all(&mut self, buffer: &mut FetchBuffer) {
        for (topic, partition) in std::mem::take(&mut self.paused) {
            buffer.resume(self.name(topic), partition);
        }
    }

    /// Polls up to `most` times.
    pub(crate) fn some(&mut self, client: usize, most: u64, buffer: &mut FetchBuffer, stage: &mut Stage) -> Taken {
        let mut records = Vec::new();
        for _ in 0..stage.draw.between(1, most) {
            match buffer.take(&mut self.scratch) {
                Take::Empty => return Taken { records, all: true },
                Take::Error(error) => failed(client, &error.error, stage),
                Take::Record(record) => {
                    let value = record.value(&self.scratch).and_then(read_value);
                    let topic = buffer.topic_name(record.topic);
                    records.extend(self.checked(client, (topic, record.partition), record.offset, value, stage));
                }
            }
        }
        Taken { records, all: false }
    }

    /// One hold of a `consume`. The caller says when what it took is handed over.
    pub(crate) fn many(&mut self, client: usize, buffer: &mut FetchBuffer, stage: &mut Stage) -> Taken {
        let max = stage.draw.between(1, 100) as usize;
        let mut run = std::mem::take(&mut self.run);
        let count = buffer.take_many(max, &mut run);
        let mut records = Vec::with_capacity(count);
        for record in run.records() {
            let Some(batch) = run.batch(record) else { continue };
            let from = (buffer.topic_name(batch.topic), batch.partition);
            let value = run.value(record).and_then(read_value);
            records.extend(self.checked(client, from, record.offset, value, stage));
        }
        // Who got all that was asked for has not seen yet that there is no more.
        let all = count < max && run.error.is_none();
        if let Some(error) = run.error.take() {
            failed(client, &error.error, stage);
        }
        run.clear();
        self.run = run;
        Taken { records, all }
    }

    fn checked(
        &self,
        client: usize,
        from: (Option<&Arc<str>>, i32),
        offset: i64,
        value: Option<(u32, u32)>,
        stage: &mut Stage,
    ) -> Option<(Place, Given)> {
        let (topic, partition) = (from.0.map_or("", |name| &**name), from.1);
        let place = self.place_of(topic, partition);
        stage.note("given", client as u64, offset as u64, || format!("client {client}: {place:?} {offset} {value:?}"));
        let (Some(place), Some((producer, sequence))) = (place, value) else {
            let words = format!("client {client} got {offset} of {topic} [{partition}], value {value:?}");
            stage.ledger.broken("only what is assigned is handed over, as it was produced", words);
            return None;
        };
        if self.paused.contains(&place) {
            stage.ledger.broken("nothing of a paused partition is handed over", format!("client {client}: {place:?}"));
        }
        Some((place, Given { offset, producer, sequence }))
    }
}

fn failed(client: usize, error: &Error, stage: &mut Stage) {
    if error.kind != Kind::PartitionEof {
        stage.ledger.broken("no partition fails for what passes", format!("client {client}: {error}"));
    }
}
