//! An application that produces: bursts of records, callbacks, flushes, and at the end a flush that waits for all.
use std::sync::Arc;

use ottla_machines::config::ProducerSettings;
use ottla_machines::producer::{Accumulator, NewRecord, Refused, ReportRun, Supply};
use ottla_protocol::records::EncodedHeaders;

use crate::agenda::Happening;
use crate::driver::{Driver, Shared, Stir};
use crate::ledger::{Outcome, Promises, Record, read_value, value};
use crate::stage::Stage;

/// What a producer does.
#[derive(Clone, Debug)]
pub(crate) struct ProducerPlan {
    pub(crate) settings: ProducerSettings,
    pub(crate) begin_us: u64,
    pub(crate) records: u32,
    pub(crate) burst: u64,
    pub(crate) pause_us: u64,
    /// In a thousand: records with a callback, with a key, with a partition; bursts followed by a flush; large records.
    pub(crate) attached: u32,
    pub(crate) keyed: u32,
    pub(crate) placed: u32,
    pub(crate) flushes: u32,
    pub(crate) large: u32,
    /// The process dies at this time.
    pub(crate) killed_us: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Producing,
    /// A flush that others wait for in the middle of the work.
    Flushing,
    /// All is produced; the last flush.
    Finishing,
    Done,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ProducerApp {
    plan: ProducerPlan,
    pub(crate) number: u32,
    /// Names and partitions.
    topics: Vec<(Arc<str>, i32)>,
    left: u32,
    state: State,
    step_us: Option<u64>,
    run: ReportRun<u32>,
    /// A record that found no room.
    refused: bool,
}

impl ProducerApp {
    pub(crate) fn new(plan: ProducerPlan, topics: Vec<(Arc<str>, i32)>, stage: &mut Stage) -> Self {
        let settings = &plan.settings;
        let number = stage.ledger.producer(Promises {
            idempotent: settings.idempotence,
            ordered: settings.idempotence || settings.connection.max_in_flight == 1,
            acknowledged: settings.acks != 0,
            timeout_us: settings.delivery_timeout_us,
        });
        let capacity = stage.draw.between(1, 20) as usize;
        Self {
            number,
            topics,
            left: plan.records,
            state: State::Producing,
            step_us: None,
            run: ReportRun::with_capacity(capacity),
            refused: false,
            plan,
        }
    }

    /// Everything was produced, and reported.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// More is to be produced.
    pub(crate) fn more(&mut self, client: usize, records: u32, stage: &mut Stage) {
        self.left += records;
        self.plan.pause_us = 20_000;
        self.state = State::Producing;
        self.step_at(client, stage.agenda.now_us(), stage);
    }

    pub(crate) fn is_due(&self, now_us: u64) -> bool {
        self.step_us == Some(now_us)
    }

    pub(crate) fn step_at(&mut self, client: usize, at_us: u64, stage: &mut Stage) {
        self.step_us = Some(at_us);
        stage.agenda.at(at_us, Happening::Step { client });
    }

    /// The client has something to tell: who waits for it looks.
    pub(crate) fn stirred(&mut self, client: usize, driver: &mut Driver, stir: Stir, stage: &mut Stage) {
        while let Some(event) = driver.events.pop_front() {
            if let ottla_machines::client::Event::Error(error) = event
                && error.fatal
            {
                stage.ledger.broken("a producer has no fatal error", format!("client {client}: {error}"));
            }
        }
        let waits = self.step_us.is_none() && self.state != State::Done;
        if waits && (stir.edges.reports || stir.edges.drained) {
            let at_us = stage.agenda.now_us() + stage.draw.between(1, 50);
            self.step_at(client, at_us, stage);
        }
    }

    /// The application acts.
    pub(crate) fn step(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        self.step_us = None;
        let Shared::Producer(shared) = &mut driver.shared else { return };
        let mut wake = false;
        if self.state == State::Producing {
            if self.refused || stage.draw.chance(500) {
                let limit = if self.refused { usize::MAX } else { stage.draw.between(0, 40) as usize };
                self.serve(shared, limit, stage);
            }
            wake |= self.burst(shared, stage);
            if self.left == 0 {
                self.state = State::Finishing;
                wake |= shared.flush();
            } else if stage.draw.chance(self.plan.flushes) {
                self.state = State::Flushing;
                wake |= shared.flush();
            }
        }
        match self.state {
            State::Producing => {
                let pause_us = stage.draw.between(0, self.plan.pause_us);
                self.step_at(client, stage.agenda.now_us() + pause_us.max(1), stage);
            }
            State::Flushing | State::Finishing => {
                self.serve(shared, usize::MAX, stage);
                if shared.outstanding() == 0 {
                    if self.state == State::Finishing {
                        self.state = State::Done;
                    } else {
                        self.state = State::Producing;
                        self.step_at(client, stage.agenda.now_us() + 1, stage);
                    }
                }
            }
            State::Done => {}
        }
        if wake {
            driver.wake(client, stage);
        }
    }

    /// Appends some records; whether the client is to be woken.
    fn burst(&mut self, shared: &mut Accumulator<u32>, stage: &mut Stage) -> bool {
        let (mut wake, mut count) = (false, stage.draw.between(1, self.plan.burst));
        self.refused = false;
        while count > 0 && self.left > 0 {
            count -= 1;
            let topic = stage.draw.below(self.topics.len()) as u32;
            let (name, partitions) = self.topics[topic as usize].clone();
            let placed = stage.draw.chance(self.plan.placed);
            let partition = placed.then(|| stage.draw.below(partitions as usize) as i32);
            let key = stage.draw.chance(self.plan.keyed).then(|| [stage.draw.below(16) as u8]);
            let large = stage.draw.chance(self.plan.large);
            let padding = if large { stage.draw.between(2000, 12_000) } else { stage.draw.between(0, 60) };
            let attached = stage.draw.chance(self.plan.attached);
            let sequence = stage.ledger.next_sequence(self.number);
            let value = value(self.number, sequence, padding as usize);
            let record = NewRecord {
                topic: &name,
                partition: partition.unwrap_or(-1),
                key: key.as_ref().map(|key| &key[..]),
                value: Some(&value),
                headers: EncodedHeaders::default(),
                timestamp_ms: stage.agenda.wall_ms(),
            };
            let (mut supply, mut attachment) = (Supply::nothing(), attached.then_some(sequence));
            let at_us = stage.agenda.now_us();
            let appended = loop {
                match shared.append(&record, &mut attachment, &mut supply, || at_us) {
                    Err(Refused::Needs(needs)) => supply.make(needs, &record),
                    appended => break appended,
                }
            };
            match appended {
                Ok(appended) => {
                    self.left -= 1;
                    wake |= appended.wake;
                    let outcome = Outcome::Waiting;
                    stage.ledger.appended(self.number, Record { topic, partition, attached, at_us, outcome });
                }
                Err(Refused::Full { .. }) => {
                    self.refused = true;
                    return wake;
                }
                Err(refused) => {
                    let words = format!("producer {} record {sequence}: {refused:?}", self.number);
                    stage.ledger.broken("a producer takes records", words);
                    return wake;
                }
            }
        }
        wake
    }

    /// Takes and serves up to `limit` reports.
    fn serve(&mut self, shared: &mut Accumulator<u32>, limit: usize, stage: &mut Stage) {
        let mut served = 0;
        while served < limit {
            drop(shared.take_reports(&mut self.run));
            let Some(batch) = self.run.batch.clone() else { return };
            if self.run.reports.is_empty() {
                return;
            }
            for report in self.run.reports.drain(..) {
                let sequence = report.attachment;
                let said = batch.record(report.place).and_then(|record| read_value(record.value?));
                if said != Some((self.number, sequence)) {
                    let words = format!("record {sequence} of producer {}: reported as {said:?}", self.number);
                    stage.ledger.broken("a report shows its record", words);
                }
                let outcome = match batch.error_of(report.place) {
                    None => Outcome::Acknowledged(batch.partition, batch.offset_of(report.place)),
                    Some(error) => Outcome::Failed(error.code()),
                };
                stage.note("reported", u64::from(self.number), u64::from(sequence), || {
                    format!("producer {} record {sequence}: {outcome:?}", self.number)
                });
                stage.ledger.reported(stage.agenda.now_us(), self.number, sequence, outcome);
                shared.served(1, report.place.bytes as usize);
                served += 1;
            }
        }
    }
}
