//! [`ClassicProtocol`]: sends what is due in the state that it is in, and tells the membership what came of it. What an answer
//! means stands in `answers`.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ottla_protocol::api::ApiKey;

use super::super::coordinator::Coordinator;
use super::super::heartbeat::Heartbeat;
use super::super::membership::Member;
use super::plan::Plan;
use super::requests::{Outgoing, assignor_name};
use super::state::{Input, State};
use crate::client::Outbox;
use crate::config::{Assignor, ConsumerSettings, GroupSettings};
use crate::connection::Network;
use crate::connection::backoff::Backoff;
use crate::consumer::Subscription;
use crate::error::{Error, Kind};
use crate::group::subscription_metadata::write_subscription;
use crate::machine::{ConnectionId, Lane, Now};
use crate::metadata::Metadata;
use crate::random::Random;

/// The log's level for "something is wrong, but we go on" (syslog's warning).
const WARNING: u8 = 4;

/// What the protocol tells the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This member's share in a new generation, sorted.
    Assigned(Vec<(Arc<str>, i32)>),
    /// The group shares out anew: let go of everything, then join.
    Rebalance,
    /// The coordinator has given this member's share to others.
    Lost,
    /// Another took this member's place, or the like: it cannot go on.
    Fatal(Error),
    /// LeaveGroup was answered, or nobody needs to be told.
    Left,
}

/// What is around the protocol.
pub struct Surroundings<'a> {
    pub network: &'a mut Network,
    pub metadata: &'a mut Metadata,
    pub coordinator: &'a mut Coordinator,
    pub subscription: &'a Subscription,
    pub outbox: &'a mut Outbox,
}

/// A LeaveGroup that is to be sent or in flight.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) member_id: Arc<str>,
    reason: &'static str,
    pub(super) attempt: u64,
    pub(super) in_flight: bool,
    pub(super) not_before_us: u64,
    until_us: u64,
}

/// See the module.
#[derive(Debug)]
pub struct ClassicProtocol {
    pub(super) settings: GroupSettings,
    pub(super) state: State,
    /// Names the requests of this state; answers to older ones say nothing any more.
    pub(super) attempt: u64,
    /// As the coordinator named this member; empty before it did.
    pub(super) member_id: Arc<str>,
    /// This member in the last generation that it joined.
    pub(super) member: Option<Member>,
    pub(super) assignor: Option<Assignor>,
    pub(super) leader: bool,
    /// What the last JoinGroup subscribed to.
    topics: BTreeSet<Arc<str>>,
    topics_version: u64,
    pub(super) plan: Plan,
    /// What the leader sends with SyncGroup.
    pub(super) shares: BTreeMap<Arc<str>, Vec<u8>>,
    pub(super) heartbeat: Heartbeat,
    /// When the request in flight was sent.
    pub(super) sent_us: u64,
    pub(super) not_before_us: u64,
    pub(super) backoff: Backoff,
    pub(super) random: Random,
    reason: String,
    /// A rebalance was told and not followed yet.
    pub(super) rebalancing: bool,
    /// Each until it is answered or its time is over; another may begin before.
    pub(super) leaving: Vec<Leaving>,
    pub(super) news: VecDeque<News>,
}

impl ClassicProtocol {
    pub fn new(settings: &ConsumerSettings, seed: u64) -> Self {
        let (connection, group) = (&settings.connection, &settings.group);
        let session_us = u64::try_from(group.session_timeout_ms).unwrap_or(0).saturating_mul(1000);
        Self {
            settings: group.clone(),
            state: State::Out,
            attempt: 0,
            member_id: "".into(),
            member: None,
            assignor: None,
            leader: false,
            topics: BTreeSet::new(),
            topics_version: 0,
            plan: Plan::default(),
            shares: BTreeMap::new(),
            heartbeat: Heartbeat::new(group.heartbeat_interval_us, session_us),
            sent_us: 0,
            not_before_us: 0,
            backoff: Backoff::new(connection.retry_backoff_us, connection.retry_backoff_max_us),
            random: Random::new(seed),
            reason: String::new(),
            rebalancing: false,
            leaving: Vec::new(),
            news: VecDeque::new(),
        }
    }

    /// This client in the last generation that it joined, as long as it may be a member still.
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn take_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Becomes a member, or one of the next generation. `reason` is for the broker's log (KIP-800).
    pub fn join(&mut self, reason: &str) {
        self.reason = reason.to_owned();
        self.enter(Input::Join);
        self.rebalancing = false;
    }

    /// Is a member no more; a dynamic one tells the coordinator, until `until_us` at the latest (KIP-345).
    pub fn leave(&mut self, metadata: &mut Metadata, reason: &'static str, until_us: u64) {
        let member_id = self.forget(metadata);
        self.enter(Input::Leave);
        if !member_id.is_empty() && self.settings.instance_id.is_none() {
            let (attempt, in_flight, not_before_us) = (self.attempt, false, 0);
            self.leaving.push(Leaving { member_id, reason, attempt, in_flight, not_before_us, until_us });
        }
        self.note_left();
    }

    /// It has left once nothing is to be told any more.
    pub(super) fn note_left(&mut self) {
        if self.leaving.is_empty() {
            self.news.push_back(News::Left);
        }
    }

    /// Forgets what the coordinator knows this client as. Returns its member id.
    pub fn forget(&mut self, metadata: &mut Metadata) -> Arc<str> {
        self.be_nobody(metadata);
        std::mem::replace(&mut self.member_id, "".into())
    }

    /// Is a member of no generation.
    fn be_nobody(&mut self, metadata: &mut Metadata) {
        self.plan.end(metadata);
        self.member = None;
        self.leader = false;
    }

    /// Takes an input of the table. Answers to what was asked before are of no interest any more.
    pub(super) fn enter(&mut self, input: Input) {
        self.state = self.state.next(input);
        self.attempt += 1;
    }

    /// Sends what is due.
    pub fn advance(&mut self, now: Now, around: &mut Surroundings<'_>) {
        self.send_leaves(now, around);
        if self.state == State::Stable {
            self.watch(around);
            self.beat(now, around);
        }
        if matches!(self.state, State::Planning | State::ToSync) && self.is_outdated(around) {
            // A share in what was subscribed to before is of no use.
            self.enter(Input::Refused);
        }
        if self.state == State::ToJoin {
            self.send_join(now, around);
        }
        if self.state == State::Planning && self.plan.is_ready(now, around.metadata) {
            if let Some(assignor) = self.assignor {
                self.shares = self.plan.shares(assignor, around.metadata);
            }
            self.enter(Input::Planned);
        }
        if self.state == State::ToSync {
            self.send_sync(now, around);
        }
    }

    /// A ready connection to the coordinator; begins to connect when there is none.
    fn connection(&self, now: Now, lane: Lane, around: &mut Surroundings<'_>) -> Option<ConnectionId> {
        around.network.ready(now, around.coordinator.node()?, lane)
    }

    fn version(
        &mut self,
        now: Now,
        connection: ConnectionId,
        api: ApiKey,
        around: &mut Surroundings<'_>,
    ) -> Option<i16> {
        let version = around.network.version(connection, api);
        if version.is_none() {
            let text = format!("The broker speaks no version of {api:?} that this client does: check its version");
            self.refused(now, Error::with_text(Kind::UnsupportedFeature, text), around.outbox);
        }
        version
    }

    fn send_join(&mut self, now: Now, around: &mut Surroundings<'_>) {
        // Asked for first: connecting need not wait for what else is to be known.
        let connection = self.connection(now, Lane::Group, around);
        if self.not_before_us > now.mono_us || !around.subscription.is_known() {
            return;
        }
        let Some(connection) = connection else { return };
        let Some(version) = self.version(now, connection, ApiKey::JoinGroup, around) else { return };
        self.topics.clone_from(around.subscription.topics());
        self.topics_version = around.subscription.version();
        self.enter(Input::Sent);
        self.sent_us = now.mono_us;
        let outgoing = self.outgoing(now, connection, version, around.network);
        let sent = outgoing.join(&self.member_id, &write_subscription(self.topics.iter()), &self.reason);
        self.check(now, sent, connection, around);
    }

    fn send_sync(&mut self, now: Now, around: &mut Surroundings<'_>) {
        if self.not_before_us > now.mono_us {
            return;
        }
        let Some(connection) = self.connection(now, Lane::Group, around) else { return };
        let Some(version) = self.version(now, connection, ApiKey::SyncGroup, around) else { return };
        let Some(member) = self.member.clone() else { return self.enter(Input::Join) };
        self.enter(Input::Sent);
        self.sent_us = now.mono_us;
        let protocol = self.assignor.map_or("", assignor_name);
        let sent = self.outgoing(now, connection, version, around.network).sync(&member, protocol, &self.shares);
        self.check(now, sent, connection, around);
    }

    fn beat(&mut self, now: Now, around: &mut Surroundings<'_>) {
        if let Some(silent_us) = self.heartbeat.is_over(now) {
            let (state, what) = match around.subscription.is_empty() {
                // The words are the original's, for those who watch for them.
                false => ("steady", "revoking assignment and rejoining group"),
                true => ("wait-unassign-call", "nothing was let go of since it unsubscribed, and all is lost"),
            };
            let text = format!(
                "Consumer group session timed out (in join-state {state}) after {} ms without a successful response from \
                 the group coordinator (broker {}): {what}",
                silent_us / 1000,
                around.coordinator.node().map_or(-1, |node| node.0),
            );
            around.outbox.log(WARNING, "SESSTMOUT", text);
            return self.lose(around.metadata);
        }
        // Who has unsubscribed lets go in its next poll. It need not poll any more: others have its share after a session then.
        if self.state != State::Stable || !self.heartbeat.is_due(now) || around.subscription.is_empty() {
            return;
        }
        let Some(connection) = self.connection(now, Lane::Group, around) else { return };
        let Some(version) = self.version(now, connection, ApiKey::Heartbeat, around) else { return };
        let Some(member) = self.member.clone() else { return self.enter(Input::Join) };
        self.heartbeat.sent(now);
        let sent = self.outgoing(now, connection, version, around.network).heartbeat(&member);
        self.check(now, sent, connection, around);
    }

    fn send_leaves(&mut self, now: Now, around: &mut Surroundings<'_>) {
        if self.leaving.is_empty() {
            return;
        }
        self.leaving.retain(|leaving| leaving.until_us > now.mono_us);
        let due = |leaving: &Leaving| !leaving.in_flight && leaving.not_before_us <= now.mono_us;
        while let Some(at) = self.leaving.iter().position(due) {
            // Not on the group's lane, where a JoinGroup may be parked (E1); behind the last commit.
            let Some(connection) = self.connection(now, Lane::General, around) else { return };
            let Some(version) = around.network.version(connection, ApiKey::LeaveGroup) else {
                self.leaving.clear();
                break;
            };
            let leaving = &mut self.leaving[at];
            leaving.in_flight = true;
            let (member_id, reason) = (leaving.member_id.clone(), leaving.reason);
            let (attempt, timeout_us) = (leaving.attempt, leaving.until_us - now.mono_us);
            let (group, network) = (&self.settings, &mut *around.network);
            let outgoing = Outgoing { now, connection, version, attempt, group, network };
            let sent = outgoing.leave(&member_id, reason, timeout_us);
            self.check(now, sent, connection, around);
        }
        self.note_left();
    }

    fn outgoing<'a>(
        &'a self,
        now: Now,
        connection: ConnectionId,
        version: i16,
        network: &'a mut Network,
    ) -> Outgoing<'a> {
        Outgoing { now, connection, version, attempt: self.attempt, group: &self.settings, network }
    }

    /// What cannot be written cannot be sent: the failure that follows has it tried again.
    fn check(
        &mut self,
        now: Now,
        sent: Result<(), impl std::fmt::Display>,
        connection: ConnectionId,
        around: &mut Surroundings<'_>,
    ) {
        if let Err(error) = sent {
            let error =
                Error::with_text(Kind::InvalidArgument, format!("A request of the group cannot be sent: {error}"));
            around.network.distrust(now, connection, &error.message());
            self.refused(now, error, around.outbox);
        }
    }

    /// Whether the member joined for other topics than it subscribes to now.
    fn is_outdated(&self, around: &Surroundings<'_>) -> bool {
        let subscription = around.subscription;
        // Asked in every turn of a steady member: sets are compared when something happened alone.
        self.topics_version != subscription.version()
            && subscription.is_known()
            && self.topics != *subscription.topics()
    }

    /// Whether what this member subscribes to, or what it shared out, is not what it was.
    fn watch(&mut self, around: &mut Surroundings<'_>) {
        let changed = self.is_outdated(around);
        let grown = if self.leader { self.plan.outdated(around.metadata) } else { None };
        if !self.rebalancing && (changed || grown.is_some()) {
            self.rebalancing = true;
            self.news.push_back(News::Rebalance);
        }
    }

    /// The coordinator knows this member no more. Where it had a share, that is lost.
    pub(super) fn expelled(&mut self, metadata: &mut Metadata) {
        self.member_id = "".into();
        self.lose(metadata);
    }

    /// What it had may be another's by now. It comes back under its id as long as the coordinator does not say that it is
    /// unknown: a static member then takes nobody's place who took its own (KIP-345), and leaves no member behind that the
    /// others wait for.
    pub(super) fn lose(&mut self, metadata: &mut Metadata) {
        let had_share = self.state == State::Stable;
        self.be_nobody(metadata);
        self.enter(Input::Expelled);
        if had_share {
            self.news.push_back(News::Lost);
        }
    }

    /// When `advance` has something to do by time alone.
    pub fn deadline(&self, now: Now) -> Option<u64> {
        let own = match self.state {
            State::ToJoin | State::ToSync => Some(self.not_before_us),
            State::Planning => Some(self.plan.until_us()),
            State::Stable => self.heartbeat.deadline(now),
            State::Out | State::Joining | State::Syncing => None,
        };
        let leaving = self
            .leaving
            .iter()
            .map(|leaving| if leaving.not_before_us > now.mono_us { leaving.not_before_us } else { leaving.until_us });
        own.into_iter().chain(leaving).filter(|at| *at > now.mono_us).min()
    }
}
