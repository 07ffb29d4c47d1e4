//! What the face does for a member between the client and its callbacks: in which order partitions are given up and taken.
use ottla_machines::client::{Command, Event};
use ottla_machines::consumer::{Assigned, PreparedAssignment, StartOffset};
use ottla_machines::error::Kind;
use ottla_machines::group::{OffsetAnswer, Rebalance, RebalanceKind, StoredOffset};
use ottla_machines::machine::Input;

use crate::driver::{Driver, Shared};
use crate::member::{Doing, MemberApp, Purpose, committed_of, stored};
use crate::stage::Stage;

impl MemberApp {
    /// Serves what waits; whether a callback runs now.
    pub(crate) fn serve_events(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) -> bool {
        while let Some(event) = driver.events.pop_front() {
            match event {
                Event::Rebalance(rebalance) => {
                    self.begin(client, driver, rebalance, stage);
                    return true;
                }
                other => self.serve_event(client, &other, stage),
            }
        }
        false
    }

    fn serve_event(&mut self, client: usize, event: &Event, stage: &mut Stage) {
        let may_be_fenced = self.plan.again && self.plan.settings.group.instance_id.is_some();
        match event {
            Event::ConsumerError(error) if may_be_fenced && error.error.message().contains("fenced") => {
                self.fenced = true
            }
            Event::ConsumerError(error) => {
                let late = error.error.kind == Kind::MaxPollExceeded;
                if !late || self.plan.is_prompt() {
                    let words = format!("client {client}: {error:?}");
                    stage.ledger.broken("a member has no error that it did not bring about", words);
                }
            }
            Event::Error(error) if error.fatal => {
                stage.ledger.broken("a consumer has no fatal error", format!("client {client}: {error}"));
            }
            _ => {}
        }
    }

    /// The callback polls, as programs do that let what they have under way come to its end: nothing of what they give up is
    /// handed over, and they are told of nothing further.
    fn poll_within(&mut self, client: usize, driver: &mut Driver, rebalance: Rebalance, stage: &mut Stage) {
        self.polls_left -= 1;
        let Shared::Consumer(buffer) = &mut driver.shared else { return };
        let taken = if stage.draw.chance(self.plan.many) {
            let taken = self.taking.many(client, buffer, stage);
            buffer.handed_over(0);
            taken
        } else {
            self.taking.some(client, 3, buffer, stage)
        };
        for (place, given) in taken.records {
            self.check(client, place, given, stage);
        }
        if buffer.take_wake() {
            driver.wake(client, stage);
        }
        for event in std::mem::take(&mut driver.events) {
            match event {
                Event::Rebalance(next) => {
                    let words = format!("client {client}: {next:?} while {rebalance:?} is not acknowledged");
                    stage.ledger.broken("a member is told of nothing while its last callback runs", words);
                }
                other => self.serve_event(client, &other, stage),
            }
        }
        self.doing = Doing::Calling(rebalance);
        let pause_us = self.plan.pause_us;
        self.soon(client, pause_us, stage);
    }

    /// A call that waits (`close`) serves callbacks meanwhile; one that waits for a commit does not.
    pub(crate) fn serve_while_waiting(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        if let Doing::Asking(_, Purpose::Leave) = &self.doing {
            self.serve_events(client, driver, stage);
        }
    }

    /// A rebalance is taken: what is revoked is over from here on, then the callback runs.
    fn begin(&mut self, client: usize, driver: &mut Driver, rebalance: Rebalance, stage: &mut Stage) {
        stage.note("rebalances", client as u64, rebalance.epoch, || format!("client {client}: {rebalance:?}"));
        stage.ledger.groups.rebalances += 1;
        let Shared::Consumer(buffer) = &mut driver.shared else { return };
        // A callback's time is no time between polls.
        buffer.wait_begins();
        if rebalance.kind != RebalanceKind::Assign {
            if rebalance.kind == RebalanceKind::Lost {
                buffer.lose(&rebalance.partitions);
                stage.ledger.groups.lost(client);
            } else {
                buffer.revoke(&rebalance.partitions);
                stage.ledger.groups.revoked(client);
            }
            if buffer.take_wake() {
                driver.wake(client, stage);
            }
            self.polls_left = self.plan.polls_in_revoke;
        }
        let callback_us = if self.calm { 0 } else { self.plan.callback_us };
        let at_us = stage.agenda.now_us() + stage.draw.between(1, callback_us.max(1));
        let leaving = match &self.doing {
            Doing::Asking(request, Purpose::Leave) => Some(*request),
            _ => None,
        };
        self.leave_request = leaving.or(self.leave_request);
        self.doing = Doing::Calling(rebalance);
        self.step_at(client, at_us, stage);
    }

    /// The callback has run for as long as it does.
    pub(crate) fn called_back(&mut self, client: usize, driver: &mut Driver, rebalance: Rebalance, stage: &mut Stage) {
        match rebalance.kind {
            RebalanceKind::Revoke | RebalanceKind::Lost if self.polls_left > 0 => {
                self.poll_within(client, driver, rebalance, stage);
            }
            RebalanceKind::Assign if self.plan.assigns_with_offsets => {
                let partitions = rebalance.partitions.clone();
                let request = self.ask(client, driver, stage, |request, deadline_us| Command::Committed {
                    request,
                    partitions,
                    deadline_us,
                });
                self.doing = Doing::Asking(request, Purpose::Start(rebalance));
            }
            RebalanceKind::Assign => self.assign_at(client, driver, &rebalance, &[], stage),
            RebalanceKind::Revoke | RebalanceKind::Lost if self.plan.commits_in_revoke => {
                let (offsets, stored) = if self.plan.commits_given {
                    (self.given_last(client, rebalance.kind, stage), false)
                } else {
                    (stored(driver), true)
                };
                if offsets.is_empty() {
                    return self.give_up(client, driver, &rebalance, stage);
                }
                let request = self.ask(client, driver, stage, |request, deadline_us| Command::Commit {
                    request: Some(request),
                    offsets,
                    stored,
                    deadline_us: Some(deadline_us),
                });
                self.doing = Doing::Asking(request, Purpose::LastCommit(rebalance));
            }
            RebalanceKind::Revoke | RebalanceKind::Lost => self.give_up(client, driver, &rebalance, stage),
        }
    }

    /// What comes after the last record that it was given of each partition. It may not be committed where it was lost.
    fn given_last(&self, client: usize, kind: RebalanceKind, stage: &mut Stage) -> Vec<StoredOffset> {
        let mut offsets = Vec::new();
        for (place, span) in &self.reading {
            let Some(last) = stage.ledger.spans[*span].given.last() else { continue };
            let (topic, offset) = (self.taking.name(place.0).clone(), last.offset + 1);
            offsets.push(StoredOffset { topic, partition: place.1, offset, leader_epoch: -1, metadata: None });
            if kind == RebalanceKind::Revoke {
                stage.ledger.groups.allow(client, *place, offset);
            }
        }
        offsets
    }

    /// Assigns what came, at the committed offsets that the callback asked for, or where the client knows to start.
    pub(crate) fn assign_at(
        &mut self,
        client: usize,
        driver: &mut Driver,
        rebalance: &Rebalance,
        offsets: &[OffsetAnswer],
        stage: &mut Stage,
    ) {
        let mut assigned = Vec::new();
        self.reading.clear();
        for (topic, partition) in &rebalance.partitions {
            let known = committed_of(offsets, topic, *partition);
            let start = known.map_or(StartOffset::Invalid, StartOffset::Offset);
            assigned.push(Assigned { topic: topic.clone(), partition: *partition, start });
            let Some(place) = self.taking.place_of(topic, *partition) else { continue };
            let span = stage.ledger.reads(client, place, known, self.read_committed());
            self.reading.insert(place, span);
        }
        stage.ledger.groups.assigned(client, self.reading.keys().copied());
        if let (Ok(prepared), Shared::Consumer(buffer)) = (PreparedAssignment::new(assigned), &mut driver.shared) {
            drop(buffer.assign(prepared));
            if buffer.take_wake() {
                driver.wake(client, stage);
            }
        }
        self.acknowledge(client, driver, rebalance.epoch, stage);
    }

    /// Unassigns; with auto-commit what was stored is committed, unless it is lost.
    pub(crate) fn give_up(&mut self, client: usize, driver: &mut Driver, rebalance: &Rebalance, stage: &mut Stage) {
        self.reading.clear();
        self.seen.clear();
        let Shared::Consumer(buffer) = &mut driver.shared else { return };
        let displaced = buffer.unassign();
        if buffer.take_wake() {
            driver.wake(client, stage);
        }
        let auto = self.plan.settings.auto_commit_interval_us.is_some();
        if auto && rebalance.kind == RebalanceKind::Revoke {
            let offsets = displaced.stored_offsets();
            if !offsets.is_empty() {
                let deadline_us = None;
                driver.input(
                    client,
                    Input::Command(Command::Commit { request: None, offsets, stored: false, deadline_us }),
                    stage,
                );
            }
        }
        self.acknowledge(client, driver, rebalance.epoch, stage);
    }

    fn acknowledge(&mut self, client: usize, driver: &mut Driver, epoch: u64, stage: &mut Stage) {
        if let Shared::Consumer(buffer) = &mut driver.shared {
            buffer.wait_ends();
        }
        driver.input(client, Input::Command(Command::Acknowledge { epoch }), stage);
        if self.left {
            return self.end(client, driver, stage);
        }
        self.doing = match self.leave_request.take() {
            Some(request) => Doing::Asking(request, Purpose::Leave),
            None => Doing::Acting,
        };
    }
}
