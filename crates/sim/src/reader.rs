//! An application that reads what it assigned itself: one by one or many at a time, with seeks, pauses and new assignments.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_machines::config::{ConsumerSettings, Isolation};
use ottla_machines::consumer::{Assigned, FetchBuffer, PreparedAssignment, StartOffset};

use crate::agenda::Happening;
use crate::driver::{Driver, Shared, Stir};
use crate::ledger::{Given, Place};
use crate::stage::Stage;
use crate::taking::Taking;

/// What a reader does.
#[derive(Clone, Debug)]
pub(crate) struct ReaderPlan {
    pub(crate) settings: ConsumerSettings,
    pub(crate) places: Vec<Place>,
    /// In a thousand: steps that take many; that seek, pause one or resume all; that assign anew.
    pub(crate) many: u32,
    pub(crate) seeks: u32,
    pub(crate) pauses: u32,
    pub(crate) assigns: u32,
    /// It assigns some of its partitions then, or none; in the end all.
    pub(crate) parts: bool,
    /// Between two steps at most.
    pub(crate) pause_us: u64,
}

/// See the module.
pub(crate) struct ReaderApp {
    plan: ReaderPlan,
    taking: Taking,
    /// The span that is being read, and the last offset that was handed over since ever.
    reading: BTreeMap<Place, (usize, i64)>,
    /// What it has assigned.
    assigned: BTreeSet<Place>,
    step_us: Option<u64>,
    /// No seeks and pauses any more: it reads to the end.
    calm: bool,
}

impl ReaderApp {
    pub(crate) fn new(plan: ReaderPlan, topics: Vec<(Arc<str>, i32)>) -> Self {
        Self {
            plan,
            taking: Taking::new(topics),
            reading: BTreeMap::new(),
            assigned: BTreeSet::new(),
            step_us: None,
            calm: false,
        }
    }

    pub(crate) fn read_committed(&self) -> bool {
        self.plan.settings.isolation == Isolation::ReadCommitted
    }

    pub(crate) fn is_due(&self, now_us: u64) -> bool {
        self.step_us == Some(now_us)
    }

    pub(crate) fn step_at(&mut self, client: usize, at_us: u64, stage: &mut Stage) {
        self.step_us = Some(at_us);
        stage.agenda.at(at_us, Happening::Step { client });
    }

    /// From now on it only reads.
    pub(crate) fn calm_down(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        self.calm = true;
        let Shared::Consumer(buffer) = &mut driver.shared else { return };
        self.taking.resume_all(buffer);
        if buffer.take_wake() {
            driver.wake(client, stage);
        }
        self.step_at(client, stage.agenda.now_us(), stage);
    }

    /// What is not assigned, or not read up to these offsets; where that is and what is wanted.
    pub(crate) fn has_read(&self, last: &BTreeMap<Place, i64>) -> Option<(Place, i64, i64)> {
        let behind = |place: &Place| {
            let wanted = last.get(place).copied().unwrap_or(-1);
            let read = self.reading.get(place).map_or(-1, |(_, offset)| *offset);
            (read < wanted || !self.assigned.contains(place)).then_some((*place, read, wanted))
        };
        self.plan.places.iter().find_map(behind)
    }

    pub(crate) fn stirred(&mut self, client: usize, driver: &mut Driver, stir: Stir, stage: &mut Stage) {
        while let Some(event) = driver.events.pop_front() {
            if let ottla_machines::client::Event::Error(error) = event
                && error.fatal
            {
                stage.ledger.broken("a consumer has no fatal error", format!("client {client}: {error}"));
            }
        }
        if self.step_us.is_none() && (stir.edges.records || stir.events) {
            let at_us = stage.agenda.now_us() + stage.draw.between(1, 50);
            self.step_at(client, at_us, stage);
        }
    }

    pub(crate) fn step(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        self.step_us = None;
        let Shared::Consumer(buffer) = &mut driver.shared else { return };
        let unsettled = self.calm && self.assigned.len() < self.plan.places.len();
        if unsettled || self.reading.is_empty() || !self.calm && stage.draw.chance(self.plan.assigns) {
            self.assign(client, buffer, stage);
        }
        if !self.calm && stage.draw.chance(self.plan.seeks) {
            self.seek(client, buffer, stage);
        }
        if !self.calm && stage.draw.chance(self.plan.pauses) {
            self.pause(buffer, stage);
        }
        let empty = self.take(client, buffer, stage);
        if buffer.take_wake() {
            driver.wake(client, stage);
        }
        if !empty || !self.calm && (self.assigned.is_empty() || stage.draw.chance(200)) {
            let pause_us = stage.draw.between(1, self.plan.pause_us);
            self.step_at(client, stage.agenda.now_us() + pause_us, stage);
        }
    }

    fn assign(&mut self, client: usize, buffer: &mut FetchBuffer, stage: &mut Stage) {
        let (mut assigned, read_committed) = (Vec::new(), self.read_committed());
        let mut places = self.plan.places.clone();
        if self.plan.parts && !self.calm {
            places.retain(|_| stage.draw.chance(600));
            self.taking.resume_all(buffer);
        }
        self.assigned = places.iter().copied().collect();
        for (topic, partition) in places {
            let read = self.reading.get(&(topic, partition)).map_or(-1, |(_, offset)| *offset);
            let start = match stage.draw.below(3) {
                0 => StartOffset::Beginning,
                // Never beyond what was read: nothing is left out.
                _ => StartOffset::Offset(stage.draw.between(0, (read + 1) as u64) as i64),
            };
            let first = if let StartOffset::Offset(offset) = start { offset } else { 0 };
            let span = stage.ledger.reads(client, (topic, partition), Some(first), read_committed);
            self.reading.insert((topic, partition), (span, read));
            assigned.push(Assigned { topic: self.taking.name(topic).clone(), partition, start });
        }
        stage.note("assigns", client as u64, 0, || format!("client {client}: {assigned:?}"));
        match PreparedAssignment::new(assigned) {
            Ok(prepared) => drop(buffer.assign(prepared)),
            Err(error) => stage.ledger.broken("an assignment is taken", error.to_string()),
        }
    }

    fn seek(&mut self, client: usize, buffer: &mut FetchBuffer, stage: &mut Stage) {
        let place = self.plan.places[stage.draw.below(self.plan.places.len())];
        let read = self.reading.get(&place).map_or(-1, |(_, offset)| *offset);
        let offset = stage.draw.between(0, (read + 1) as u64) as i64;
        let name = self.taking.name(place.0);
        if buffer.seek(name, place.1, StartOffset::Offset(offset)).is_ok() {
            stage.note("seeks", client as u64, offset as u64, || format!("client {client}: {place:?} to {offset}"));
            let span = stage.ledger.reads(client, place, Some(offset), self.read_committed());
            self.reading.insert(place, (span, read));
        }
    }

    fn pause(&mut self, buffer: &mut FetchBuffer, stage: &mut Stage) {
        if self.taking.has_paused() && stage.draw.chance(600) {
            self.taking.resume_all(buffer);
        } else {
            let place = self.plan.places[stage.draw.below(self.plan.places.len())];
            if self.assigned.contains(&place) {
                self.taking.pause(place, buffer);
            }
        }
    }

    /// Takes records; whether nothing is left.
    fn take(&mut self, client: usize, buffer: &mut FetchBuffer, stage: &mut Stage) -> bool {
        let many = stage.draw.chance(self.plan.many);
        let taken =
            if many { self.taking.many(client, buffer, stage) } else { self.taking.some(client, 30, buffer, stage) };
        for (place, given) in taken.records {
            self.given(client, place, given, stage);
        }
        if many {
            buffer.handed_over(0);
        }
        taken.all
    }

    fn given(&mut self, client: usize, place: Place, given: Given, stage: &mut Stage) {
        let Some(entry) = self.reading.get_mut(&place).filter(|_| self.assigned.contains(&place)) else {
            let words = format!("client {client} got {} of {place:?}", given.offset);
            return stage.ledger.broken("only what is assigned is handed over, as it was produced", words);
        };
        entry.1 = entry.1.max(given.offset);
        stage.ledger.groups.allow(client, place, given.offset + 1);
        stage.ledger.given(entry.0, given);
    }
}
