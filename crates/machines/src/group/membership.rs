//! Membership in the group, as the consumer sees it whatever protocol brings it about: when to join, what the application is
//! told and must acknowledge, when to let go, when to leave. How members agree is the protocol's.
//!
//! * Nothing is told twice and nothing while the application has not acknowledged the last: an assignment that is disturbed
//!   before its acknowledgement is revoked after it.
//! * A member lets go (revoke, the application's commits) before it joins anew: the others get its partitions by that.
//! * Who unsubscribes and does not let go is no member any more after a session: nothing else keeps the time.
//! * What was assigned and is another's already is *lost*: no commit is of use any more.
use std::sync::Arc;

use super::classic_protocol::protocol::Surroundings;
use super::classic_protocol::{Answering, ClassicProtocol, News};
use super::event::{ConsumerError, GroupMetadata, Rebalance, RebalanceKind};
use super::polling::Polling;
use super::standing::{Input, Standing};
use crate::client::{Event, Outbox, Reply, RequestId};
use crate::config::ConsumerSettings;
use crate::connection::{Failure, Response};
use crate::error::{BrokerError, Error, Kind};
use crate::group::Coordinator;
use crate::machine::{Now, Output};
use crate::metadata::Metadata;

/// The log's level for "something is wrong, but we go on" (syslog's warning).
const WARNING: u8 = 4;
/// How long a member that leaves waits for the coordinator to say that it knows.
const LEAVE_US: u64 = 5_000_000;
/// A member whose commits take too long joins anew this long before the others go on without it.
const MARGIN_US: u64 = 1_000_000;

/// Who this client is in its group, in one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub member_id: Arc<str>,
    pub generation: i32,
    pub instance_id: Option<Arc<str>>,
}

/// Why the standing of a member ends, the worse one last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Disturbance {
    Rebalance,
    Lost,
}

/// A [`Command::Leave`](crate::client::Command::Leave) that was not answered.
#[derive(Debug)]
struct Leave {
    request: RequestId,
    deadline_us: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Membership {
    group_id: String,
    instance_id: Option<String>,
    rebalance_timeout_us: u64,
    protocol: ClassicProtocol,
    standing: Standing,
    polling: Polling,
    /// The number of the last event.
    epoch: u64,
    /// What the application was told that it has.
    assigned: Vec<(Arc<str>, i32)>,
    disturbed: Option<Disturbance>,
    /// What was revoked must be committed by then.
    settle_until_us: u64,
    leaves: Vec<Leave>,
    /// The client is being closed: it joins no more.
    closing: bool,
    /// It must not join any more (KIP-345: fenced).
    fatal: Option<Error>,
}

impl Membership {
    pub fn new(settings: &ConsumerSettings, seed: u64) -> Self {
        let group = &settings.group;
        Self {
            group_id: group.group_id.clone(),
            instance_id: group.instance_id.clone(),
            rebalance_timeout_us: group.max_poll_interval_us,
            protocol: ClassicProtocol::new(settings, seed),
            standing: Standing::Out,
            polling: Polling::new(group.max_poll_interval_us),
            epoch: 0,
            assigned: Vec::new(),
            disturbed: None,
            settle_until_us: 0,
            leaves: Vec::new(),
            closing: false,
            fatal: None,
        }
    }

    /// The member that this client is now: who commits does so as this one. `None` before it joined and once it was lost.
    pub fn member(&self) -> Option<&Member> {
        self.protocol.member()
    }

    /// Whether the application was told of a share, and has not let go of it and committed for the last time.
    pub fn holds(&self) -> bool {
        matches!(self.standing, Standing::Assigning | Standing::Steady | Standing::Revoking | Standing::Settling)
    }

    /// The error after which this client joins no more.
    pub fn fatal(&self) -> Option<&Error> {
        self.fatal.as_ref()
    }

    /// As `consumer_group_metadata()` shows it (KIP-447).
    pub fn group_metadata(&self) -> GroupMetadata {
        let member = self.protocol.member();
        GroupMetadata {
            group_id: self.group_id.clone(),
            generation: member.map_or(-1, |member| member.generation),
            member_id: member.map_or_else(String::new, |member| member.member_id.to_string()),
            instance_id: self.instance_id.clone(),
        }
    }

    /// At an exchange: whether the application polled since the last, or waits in a poll now (KIP-62).
    pub fn note_poll(&mut self, now: Now, polled: bool) {
        self.polling.note(now, polled);
    }

    /// Whether an exchange is due, to see whether the application polled.
    pub fn wants_poll(&self) -> bool {
        self.polling.wants_note()
    }

    /// The application subscribed anew.
    pub fn subscribed(&mut self, now: Now) {
        self.polling.subscribed(now);
    }

    /// The application has done what the rebalance of this epoch said.
    pub fn acknowledge(&mut self, now: Now, epoch: u64) {
        if epoch != self.epoch {
            return;
        }
        if self.standing == Standing::Revoking {
            self.assigned.clear();
            self.settle_until_us = self.settle_until_us.max(now.mono_us);
        }
        self.enter(Input::Acknowledged);
    }

    /// Gives up what is assigned and leaves; for good.
    pub fn leave(&mut self, request: RequestId, deadline_us: u64) {
        self.closing = true;
        self.leaves.push(Leave { request, deadline_us });
    }

    fn enter(&mut self, input: Input) {
        self.standing = self.standing.next(input);
    }

    /// Goes on as far as it can. `committed`: no commit is under way or waiting.
    pub fn advance(&mut self, now: Now, committed: bool, around: &mut Surroundings<'_>) {
        self.watch_polls(now, around);
        self.leave_at_deadline(now, around);
        // Each step may make the next one possible; there are fewer steps than this to go without waiting.
        for _ in 0..8 {
            self.protocol.advance(now, around);
            let mut moved = false;
            while let Some(news) = self.protocol.take_news() {
                moved = true;
                self.take_in(news, around);
            }
            if !self.step(now, committed, around) && !moved {
                break;
            }
        }
        self.answer_leaves(now, committed, around);
    }

    /// An application that does not let go in time is left for: the others need not wait until its session is over.
    fn leave_at_deadline(&mut self, now: Now, around: &mut Surroundings<'_>) {
        let overdue = self.leaves.iter().any(|leave| leave.deadline_us <= now.mono_us);
        if overdue && !matches!(self.standing, Standing::Out | Standing::Leaving) {
            let until_us = now.mono_us.saturating_add(LEAVE_US);
            self.protocol.leave(around.metadata, "the consumer is being closed", until_us);
        }
    }

    fn wants_to_be_member(&self, around: &Surroundings<'_>) -> bool {
        !self.closing && self.fatal.is_none() && !self.polling.is_exceeded() && !around.subscription.is_empty()
    }

    fn watch_polls(&mut self, now: Now, around: &mut Surroundings<'_>) {
        if around.subscription.is_empty() || self.closing {
            return self.polling.stop();
        }
        let Some(late_us) = self.polling.check(now) else { return };
        let exceeded = format!(
            "Application maximum poll interval ({}ms) exceeded by {}ms",
            self.rebalance_timeout_us / 1000,
            late_us / 1000
        );
        let advice = "(adjust max.poll.interval.ms for long-running message processing): leaving group";
        around.outbox.log(WARNING, "MAXPOLL", format!("{exceeded} {advice}"));
        let error = Error::with_text(Kind::MaxPollExceeded, exceeded);
        around.outbox.output(Output::Event(Event::ConsumerError(ConsumerError { error, topic: None })));
        // Now, not once the application has let go: it is busy, and others wait for its partitions (KIP-62).
        let until_us = now.mono_us.saturating_add(LEAVE_US);
        self.protocol.leave(around.metadata, "max.poll.interval.ms was exceeded", until_us);
        match self.standing {
            Standing::Steady | Standing::Assigning => self.disturbed = Some(Disturbance::Lost),
            Standing::Joining => self.enter(Input::GivenUp),
            Standing::Out | Standing::Revoking | Standing::Settling | Standing::Leaving => {}
        }
    }

    fn take_in(&mut self, news: News, around: &mut Surroundings<'_>) {
        match news {
            News::Assigned(partitions) if self.standing == Standing::Joining => {
                self.disturbed = None;
                self.assigned.clone_from(&partitions);
                self.enter(Input::Assigned);
                self.tell(RebalanceKind::Assign, partitions, around.outbox);
            }
            News::Assigned(_) => {}
            News::Rebalance => self.disturb(Disturbance::Rebalance),
            News::Lost => self.disturb(Disturbance::Lost),
            News::Fatal(error) => {
                around.outbox.log(0, "FATAL", error.message().into_owned());
                let event = ConsumerError { error: error.clone(), topic: None };
                around.outbox.output(Output::Event(Event::ConsumerError(event)));
                self.fatal = Some(error);
                if self.standing == Standing::Joining {
                    self.enter(Input::GivenUp);
                }
            }
            News::Left => self.enter(Input::Left),
        }
    }

    /// What ends the standing is acted on when the application has acknowledged what it was told last.
    fn disturb(&mut self, disturbance: Disturbance) {
        if matches!(self.standing, Standing::Steady | Standing::Assigning) {
            self.disturbed = self.disturbed.max(Some(disturbance));
        }
    }

    /// One step of the standing. Returns whether there was one.
    fn step(&mut self, now: Now, committed: bool, around: &mut Surroundings<'_>) -> bool {
        let wanted = self.wants_to_be_member(around);
        match self.standing {
            Standing::Out | Standing::Leaving if wanted => {
                self.protocol.join("the consumer subscribed");
                self.enter(Input::Join);
                true
            }
            Standing::Joining if !wanted => {
                self.leave_group(now, around);
                true
            }
            Standing::Steady if !wanted || self.disturbed.is_some() => {
                let lost = self.disturbed.take() == Some(Disturbance::Lost);
                let settle_us = self.rebalance_timeout_us.saturating_sub(MARGIN_US.min(self.rebalance_timeout_us / 2));
                self.settle_until_us = now.mono_us.saturating_add(settle_us);
                self.enter(Input::Revoke);
                let kind = if lost { RebalanceKind::Lost } else { RebalanceKind::Revoke };
                self.tell(kind, self.assigned.clone(), around.outbox);
                true
            }
            Standing::Settling if committed || self.settle_until_us <= now.mono_us => {
                if wanted {
                    self.protocol.join("the group rebalances");
                    self.enter(Input::Join);
                } else {
                    self.leave_group(now, around);
                }
                true
            }
            _ => false,
        }
    }

    fn leave_group(&mut self, now: Now, around: &mut Surroundings<'_>) {
        self.enter(Input::Leave);
        let (reason, until_us) = match self.leaves.iter().map(|leave| leave.deadline_us).max() {
            Some(deadline_us) => ("the consumer is being closed", deadline_us),
            None => ("the consumer unsubscribed from all topics", now.mono_us.saturating_add(LEAVE_US)),
        };
        self.protocol.leave(around.metadata, reason, until_us);
    }

    fn tell(&mut self, kind: RebalanceKind, partitions: Vec<(Arc<str>, i32)>, outbox: &mut Outbox) {
        self.epoch += 1;
        let rebalance = Rebalance { epoch: self.epoch, kind, incremental: false, partitions };
        outbox.output(Output::Event(Event::Rebalance(rebalance)));
    }

    /// Who leaves may end the client then, so that what it committed last must be over too, also where it is no member.
    fn answer_leaves(&mut self, now: Now, committed: bool, around: &mut Surroundings<'_>) {
        let out = committed && self.standing == Standing::Out;
        let (done, waiting) =
            std::mem::take(&mut self.leaves).into_iter().partition(|leave| out || leave.deadline_us <= now.mono_us);
        self.leaves = waiting;
        for Leave { request, .. } in Vec::<Leave>::into_iter(done) {
            around.outbox.reply(request, Ok(Reply::Done));
        }
    }

    pub fn response(&mut self, now: Now, response: &Response, around: &mut Answering<'_>) {
        self.protocol.response(now, response, around);
    }

    /// The coordinator said in an answer to a commit of this member that it is unknown, fenced or of an older generation.
    pub fn disowned(&mut self, error: BrokerError, metadata: &mut Metadata) {
        self.protocol.disowned(error.0, metadata);
    }

    pub fn failure(&mut self, now: Now, failure: &Failure, coordinator: &mut Coordinator) {
        self.protocol.failure(now, failure, coordinator);
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        let settling = (self.standing == Standing::Settling).then_some(self.settle_until_us);
        let leaves = self.leaves.iter().map(|leave| leave.deadline_us);
        let own = settling.into_iter().chain(leaves).filter(|at| *at > now.mono_us);
        own.chain(self.protocol.deadline(now)).chain(self.polling.deadline(now)).min()
    }

    /// The client ends: who waits for the leave need not any more.
    pub fn close(&mut self, metadata: &mut Metadata, outbox: &mut Outbox) {
        self.protocol.forget(metadata);
        for Leave { request, .. } in std::mem::take(&mut self.leaves) {
            outbox.reply(request, Err(Error::new(Kind::Destroy)));
        }
    }
}
