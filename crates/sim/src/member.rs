//! An application that is a member of a group: it polls, serves rebalances, commits in its own way, is late, leaves.
//!
//! What the face does for the application stands in `serving`: the order of revoke, callback, unassign and acknowledgement.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_machines::client::{Command, Event, Reply, RequestId};
use ottla_machines::config::{ConsumerSettings, Isolation};
use ottla_machines::consumer::{FetchBuffer, StartOffset};
use ottla_machines::error::Error;
use ottla_machines::group::{OffsetAnswer, Rebalance, RebalanceKind, StoredOffset};
use ottla_machines::machine::Input;

use crate::agenda::Happening;
use crate::driver::{Driver, Shared, Stir};
use crate::ledger::{Given, Place};
use crate::stage::Stage;
use crate::taking::Taking;

/// How a member commits beside what the client commits by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committing {
    /// It does not.
    Never,
    /// It waits for each commit.
    Sync,
    /// It does not wait.
    Async,
}

/// What a member does.
#[derive(Clone, Debug)]
pub(crate) struct MemberPlan {
    pub(crate) settings: ConsumerSettings,
    pub(crate) topics: Vec<u32>,
    pub(crate) begin_us: u64,
    pub(crate) committing: Committing,
    /// In a thousand: steps after which it commits; that take many; that seek to where they are, or pause; after which it
    /// does not poll for longer than `max.poll.interval.ms`.
    pub(crate) commits: u32,
    pub(crate) many: u32,
    pub(crate) seeks: u32,
    pub(crate) pauses: u32,
    pub(crate) stalls: u32,
    /// Between two steps at most, and in a callback.
    pub(crate) pause_us: u64,
    pub(crate) callback_us: u64,
    /// The callback asks for the committed offsets and assigns with them.
    pub(crate) assigns_with_offsets: bool,
    /// The callback commits before it gives up, as does one for partitions that are lost.
    pub(crate) commits_in_revoke: bool,
    /// It then names what it was given; else it commits what is stored.
    pub(crate) commits_given: bool,
    /// How often that callback polls before.
    pub(crate) polls_in_revoke: u32,
    /// It leaves in good order at this time, or its process ends.
    pub(crate) leaves_us: Option<u64>,
    /// In a thousand: polls before which it subscribes to other topics, or to none.
    pub(crate) changes: u32,
    /// It does not leave then: it unsubscribes, and polls no more.
    pub(crate) deserts: bool,
    pub(crate) killed_us: Option<u64>,
    /// It is the process that came after one that was killed. A static one may be fenced: a coordinator that takes over before
    /// the group is stable again knows the one before alone, as Kafka's does.
    pub(crate) again: bool,
}

impl MemberPlan {
    /// Whether nothing but short pauses takes its time between polls, for which callbacks do not count: it is never too late.
    pub(crate) fn is_prompt(&self) -> bool {
        self.stalls == 0 && self.committing == Committing::Never
    }
}

/// What the application's thread does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Doing {
    /// It has something to do at its next step.
    Acting,
    /// It waits in a poll.
    Polling,
    /// It waits for an answer.
    Asking(RequestId, Purpose),
    /// A callback runs.
    Calling(Rebalance),
    /// It has unsubscribed, and polls no more until all ends.
    Away,
    /// It is gone.
    Gone,
}

/// What an answer is waited for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Purpose {
    Commit,
    /// The commit in a revoke callback.
    LastCommit(Rebalance),
    /// The committed offsets that the callback assigns with.
    Start(Rebalance),
    Leave,
}

/// See the module.
pub(crate) struct MemberApp {
    pub(crate) plan: MemberPlan,
    pub(crate) taking: Taking,
    pub(crate) doing: Doing,
    /// What is read of each assigned partition: the span.
    pub(crate) reading: BTreeMap<Place, usize>,
    /// What was taken last of each partition, to be stored by an application that stores offsets itself.
    pub(crate) seen: BTreeMap<Place, i64>,
    /// Taken by a call that has not returned yet.
    unreturned: Vec<(Place, Given)>,
    step_us: Option<u64>,
    next_request: RequestId,
    /// The topics that it subscribes to.
    subscribed: Vec<u32>,
    leaving: bool,
    /// A close waits for this while it serves a callback.
    pub(crate) leave_request: Option<RequestId>,
    pub(crate) left: bool,
    /// It was told that another has its place: it ends.
    pub(crate) fenced: bool,
    /// Polls that the callback which runs still makes.
    pub(crate) polls_left: u32,
    pub(crate) calm: bool,
}

impl MemberApp {
    pub(crate) fn new(plan: MemberPlan, topics: Vec<(Arc<str>, i32)>) -> Self {
        Self {
            plan,
            taking: Taking::new(topics),
            doing: Doing::Acting,
            reading: BTreeMap::new(),
            seen: BTreeMap::new(),
            unreturned: Vec::new(),
            step_us: None,
            next_request: 1,
            subscribed: Vec::new(),
            leaving: false,
            leave_request: None,
            left: false,
            fenced: false,
            polls_left: 0,
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

    pub(crate) fn soon(&mut self, client: usize, within_us: u64, stage: &mut Stage) {
        let at_us = stage.agenda.now_us() + stage.draw.between(1, within_us.max(1));
        self.step_at(client, at_us, stage);
    }

    /// Sends a command that is answered.
    pub(crate) fn ask(
        &mut self,
        client: usize,
        driver: &mut Driver,
        stage: &mut Stage,
        command: impl FnOnce(RequestId, u64) -> Command,
    ) -> RequestId {
        let request = self.next_request;
        self.next_request += 1;
        let deadline_us = stage.agenda.now_us() + stage.draw.one_of(&[2_000_000, 20_000_000]);
        driver.input(client, Input::Command(command(request, deadline_us)), stage);
        request
    }

    /// All comes to its end.
    pub(crate) fn close(&mut self, client: usize, stage: &mut Stage) {
        self.plan.deserts = false;
        if self.doing == Doing::Away {
            self.doing = Doing::Acting;
        }
        self.leave(client, stage);
    }

    /// It leaves the group as soon as it can, and ends, or deserts it.
    pub(crate) fn leave(&mut self, client: usize, stage: &mut Stage) {
        self.leaving = true;
        if matches!(self.doing, Doing::Acting | Doing::Polling) {
            self.soon(client, 50, stage);
        }
    }

    /// From now on it only reads, commits, and is in time.
    pub(crate) fn calm_down(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        self.calm = true;
        let Shared::Consumer(buffer) = &mut driver.shared else { return };
        self.taking.resume_all(buffer);
        if buffer.take_wake() {
            driver.wake(client, stage);
        }
        let unsettled = self.doing == Doing::Polling && self.subscribed != self.plan.topics;
        if matches!(self.doing, Doing::Acting) || unsettled {
            self.soon(client, 50, stage);
        }
    }

    /// The client has something to tell.
    pub(crate) fn stirred(&mut self, client: usize, driver: &mut Driver, stir: Stir, stage: &mut Stage) {
        let mut served = Vec::new();
        driver.events.retain_mut(|event| match event {
            Event::Reply { request, result } => {
                served.push((*request, std::mem::replace(result, Ok(Reply::Done))));
                false
            }
            _ => true,
        });
        for (request, result) in served {
            self.answered(client, driver, request, result, stage);
        }
        let serves = matches!(self.doing, Doing::Asking(_, Purpose::Leave)) && stir.events;
        if serves || self.doing == Doing::Polling && (stir.edges.records || stir.events) {
            self.soon(client, 50, stage);
        }
    }

    fn answered(
        &mut self,
        client: usize,
        driver: &mut Driver,
        request: RequestId,
        result: Result<Reply, Error>,
        stage: &mut Stage,
    ) {
        if self.leave_request == Some(request) {
            // Its time was over while a callback ran.
            self.left = true;
        }
        let Doing::Asking(asked, purpose) = &self.doing else { return };
        if *asked != request {
            return;
        }
        let purpose = purpose.clone();
        self.doing = Doing::Acting;
        match (purpose, result) {
            (Purpose::Start(rebalance), Ok(Reply::Offsets(offsets))) => {
                self.assign_at(client, driver, &rebalance, &offsets, stage);
            }
            (Purpose::Start(rebalance), _) => self.assign_at(client, driver, &rebalance, &[], stage),
            (Purpose::LastCommit(rebalance), Ok(_)) if rebalance.kind == RebalanceKind::Lost => {
                stage
                    .ledger
                    .broken("what is lost is not committed any more", format!("client {client}: {rebalance:?}"));
            }
            (Purpose::LastCommit(rebalance), _) => self.give_up(client, driver, &rebalance, stage),
            (Purpose::Commit, _) => {}
            (Purpose::Leave, _) => return self.end(client, driver, stage),
        }
        if self.doing == Doing::Gone {
            return;
        }
        self.soon(client, 50, stage);
    }

    /// Whether it is a member, or wants to be.
    pub(crate) fn takes_part(&self) -> bool {
        !matches!(self.doing, Doing::Gone | Doing::Away)
    }

    /// It has left.
    pub(crate) fn end(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        self.doing = Doing::Gone;
        driver.input(client, Input::Command(Command::Close), stage);
    }

    /// The application acts.
    pub(crate) fn step(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        self.step_us = None;
        match std::mem::replace(&mut self.doing, Doing::Acting) {
            idle @ (Doing::Gone | Doing::Away) => self.doing = idle,
            waiting @ Doing::Asking(..) => {
                self.doing = waiting;
                self.serve_while_waiting(client, driver, stage);
            }
            Doing::Calling(rebalance) => {
                self.called_back(client, driver, rebalance, stage);
                if !matches!(self.doing, Doing::Gone | Doing::Calling(_)) {
                    self.soon(client, 50, stage);
                }
            }
            before => {
                if before == Doing::Polling
                    && let Shared::Consumer(buffer) = &mut driver.shared
                {
                    buffer.wait_ends();
                }
                self.poll(client, driver, stage);
            }
        }
    }

    /// What a poll, or a consume, of the application does.
    fn poll(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        if let Some(topics) = self.next_topics(stage) {
            self.subscribe(client, driver, topics, stage);
        }
        self.returned(client, driver, stage);
        if self.serve_events(client, driver, stage) {
            return;
        }
        if self.fenced {
            return self.end(client, driver, stage);
        }
        if self.leaving && self.plan.deserts {
            self.subscribe(client, driver, Vec::new(), stage);
            self.doing = Doing::Away;
            return;
        }
        if self.leaving {
            let request =
                self.ask(client, driver, stage, |request, deadline_us| Command::Leave { request, deadline_us });
            self.doing = Doing::Asking(request, Purpose::Leave);
            return;
        }
        let empty = self.take(client, driver, stage);
        if !self.calm && stage.draw.chance(self.plan.stalls) {
            let interval_us = self.plan.settings.group.max_poll_interval_us;
            let late_us = interval_us + stage.draw.between(0, interval_us / 2);
            stage.note("stalls", client as u64, late_us, || format!("client {client} for {late_us} us"));
            return self.step_at(client, stage.agenda.now_us() + late_us, stage);
        }
        let commits = self.plan.committing != Committing::Never && stage.draw.chance(self.plan.commits);
        if commits && self.unreturned.is_empty() && self.commit(client, driver, stage) {
            return;
        }
        let subscribes_soon = self.subscribed.is_empty();
        if !empty || !self.unreturned.is_empty() || subscribes_soon || !self.calm && stage.draw.chance(100) {
            let pause_us = self.plan.pause_us;
            return self.soon(client, pause_us, stage);
        }
        if let Shared::Consumer(buffer) = &mut driver.shared {
            buffer.wait_begins();
        }
        self.doing = Doing::Polling;
    }

    /// What it subscribes to from now on, where that changes.
    fn next_topics(&self, stage: &mut Stage) -> Option<Vec<u32>> {
        if self.leaving {
            return None;
        }
        if self.calm || self.plan.changes == 0 {
            return (self.subscribed != self.plan.topics).then(|| self.plan.topics.clone());
        }
        let changes = if self.subscribed.is_empty() { 300 } else { self.plan.changes };
        if !stage.draw.chance(changes) {
            return None;
        }
        Some(self.plan.topics.iter().filter(|_| stage.draw.chance(600)).copied().collect())
    }

    fn subscribe(&mut self, client: usize, driver: &mut Driver, topics: Vec<u32>, stage: &mut Stage) {
        let mut names: Vec<Arc<str>> = topics.iter().map(|topic| self.taking.name(*topic).clone()).collect();
        if self.plan.changes > 0 && topics == self.plan.topics && stage.draw.chance(500) {
            names = vec!["^topic-".into()];
        }
        self.subscribed = topics;
        self.ask(client, driver, stage, |request, _| match names.is_empty() {
            true => Command::Unsubscribe { request },
            false => Command::Subscribe { request, topics: names },
        });
    }

    /// Commits what is stored; whether it waits for the answer.
    fn commit(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) -> bool {
        let offsets = stored(driver);
        if offsets.is_empty() {
            return false;
        }
        if self.plan.committing == Committing::Async && !self.calm {
            let deadline_us = None;
            driver.input(
                client,
                Input::Command(Command::Commit { request: None, offsets, stored: true, deadline_us }),
                stage,
            );
            return false;
        }
        let request = self.ask(client, driver, stage, |request, deadline_us| Command::Commit {
            request: Some(request),
            offsets,
            stored: true,
            deadline_us: Some(deadline_us),
        });
        self.doing = Doing::Asking(request, Purpose::Commit);
        true
    }

    /// Takes records; whether nothing is left.
    fn take(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) -> bool {
        let Shared::Consumer(buffer) = &mut driver.shared else { return true };
        self.seek_or_pause(client, buffer, stage);
        let empty = if stage.draw.chance(self.plan.many) {
            // It returns with this step or a later one.
            let taken = self.taking.many(client, buffer, stage);
            for (place, given) in taken.records {
                self.check(client, place, given, stage);
                self.unreturned.push((place, given));
            }
            if stage.draw.chance(700) {
                self.return_now(client, buffer, stage);
            }
            taken.all
        } else {
            let taken = self.taking.some(client, 20, buffer, stage);
            for (place, given) in taken.records {
                self.check(client, place, given, stage);
                self.given(client, place, given, stage);
            }
            taken.all
        };
        self.store(client, buffer, stage);
        if buffer.take_wake() {
            driver.wake(client, stage);
        }
        empty
    }

    /// A `consume` that took records in an earlier step returns.
    fn returned(&mut self, client: usize, driver: &mut Driver, stage: &mut Stage) {
        if !self.unreturned.is_empty()
            && let Shared::Consumer(buffer) = &mut driver.shared
        {
            self.return_now(client, buffer, stage);
        }
    }

    fn return_now(&mut self, client: usize, buffer: &mut FetchBuffer, stage: &mut Stage) {
        for (place, given) in std::mem::take(&mut self.unreturned) {
            self.given(client, place, given, stage);
        }
        buffer.handed_over(0);
    }

    /// What a take brought is of a partition that the application holds.
    pub(crate) fn check(&self, client: usize, place: Place, given: Given, stage: &mut Stage) {
        if !stage.ledger.groups.holds(client, place) {
            let words = format!("client {client} got {} of {place:?}", given.offset);
            stage.ledger.broken("nothing of a revoked partition is handed over after its callback began", words);
        }
    }

    fn given(&mut self, client: usize, place: Place, given: Given, stage: &mut Stage) {
        self.seen.insert(place, given.offset);
        if let Some(span) = self.reading.get(&place) {
            stage.ledger.given(*span, given);
        }
        if self.plan.settings.store_on_handover {
            stage.ledger.groups.allow(client, place, given.offset + 1);
        }
        stage.ledger.groups.gave(place, given.offset);
    }

    /// An application that stores offsets itself stores some, never ahead of what it was given.
    fn store(&mut self, client: usize, buffer: &mut FetchBuffer, stage: &mut Stage) {
        if self.plan.settings.store_on_handover || !self.calm && !stage.draw.chance(500) {
            return;
        }
        for (place, offset) in std::mem::take(&mut self.seen) {
            let (topic, next) = (self.taking.name(place.0).clone(), offset + 1);
            let mut stored = StoredOffset { topic, partition: place.1, offset: next, leader_epoch: -1, metadata: None };
            if stage.ledger.groups.holds(client, place) && buffer.store(&mut stored).is_ok() {
                stage.ledger.groups.allow(client, place, next);
            }
        }
    }

    fn seek_or_pause(&mut self, client: usize, buffer: &mut FetchBuffer, stage: &mut Stage) {
        if self.calm || self.reading.is_empty() || !self.unreturned.is_empty() {
            return;
        }
        let chosen = stage.draw.below(self.reading.len());
        let Some(place) = self.reading.keys().nth(chosen).copied() else { return };
        let topic = self.taking.name(place.0).clone();
        if stage.draw.chance(self.plan.seeks) {
            let position = buffer.position(&topic, place.1).offset;
            let back = stage.draw.between(0, 5) as i64;
            if position >= 0 && buffer.seek(&topic, place.1, StartOffset::Offset((position - back).max(0))).is_ok() {
                let from = (position - back).max(0);
                let span = stage.ledger.reads(client, place, Some(from), self.read_committed());
                self.reading.insert(place, span);
            }
        }
        if stage.draw.chance(self.plan.pauses) {
            if self.taking.has_paused() {
                self.taking.resume_all(buffer);
            } else {
                self.taking.pause(place, buffer);
            }
        }
    }
}

/// What is stored and not committed.
pub(crate) fn stored(driver: &Driver) -> Vec<StoredOffset> {
    let mut offsets = Vec::new();
    if let Shared::Consumer(buffer) = &driver.shared {
        buffer.stored_offsets(&mut offsets);
    }
    offsets.retain(|offset| offset.offset >= 0);
    offsets
}

/// The offset that was committed for a partition, where one was.
pub(crate) fn committed_of(offsets: &[OffsetAnswer], topic: &str, partition: i32) -> Option<i64> {
    let of = offsets.iter().find(|one| *one.topic == *topic && one.partition == partition && one.error.is_none())?;
    (of.offset >= 0).then_some(of.offset)
}
