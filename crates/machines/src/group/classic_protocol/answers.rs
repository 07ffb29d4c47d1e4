//! What the coordinator's answers mean, error by error.
//!
//! What passes (a coordinator that moves or loads) is tried again and told to nobody; what only the user can mend (no right to
//! the group, assignors that do not fit together, ...) is told with every attempt, as in the original, and tried again.
use ottla_protocol::messages::heartbeat::HeartbeatResponse;
use ottla_protocol::messages::join_group::JoinGroupResponse;
use ottla_protocol::messages::leave_group::LeaveGroupResponse;
use ottla_protocol::messages::sync_group::SyncGroupResponse;
use ottla_protocol::primitives::{DecodeError, Message, Reader};

use super::super::coordinator::Coordinator;
use super::super::event::ConsumerError;
use super::super::membership::Member;
use super::super::subscription_metadata::read_assignment;
use super::protocol::{ClassicProtocol, News};
use super::requests::assignor_of;
use super::state::{Input, State};
use crate::client::{Event, Outbox};
use crate::connection::{Failure, Network, Response, Tag};
use crate::error::{BrokerError, Error, Kind};
use crate::machine::{NodeId, Now, Output};
use crate::metadata::Metadata;

const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;
const FENCED_INSTANCE_ID: i16 = 82;

/// What the user must mend is tried again after this long, as in the original.
const REFUSED_US: u64 = 1_000_000;

/// What an answer concerns besides the protocol.
pub struct Answering<'a> {
    pub network: &'a mut Network,
    pub metadata: &'a mut Metadata,
    pub coordinator: &'a mut Coordinator,
    pub outbox: &'a mut Outbox,
}

impl ClassicProtocol {
    /// Takes an answer in; one to an older attempt says nothing any more.
    pub fn response(&mut self, now: Now, response: &Response, around: &mut Answering<'_>) {
        let read = match response.tag {
            Tag::JoinGroup(attempt) if attempt == self.attempt => self.joined(now, response, around),
            Tag::SyncGroup(attempt) if attempt == self.attempt => self.synced(now, response, around),
            Tag::Heartbeat(attempt) if attempt == self.attempt => self.heartbeat_answered(now, response, around),
            Tag::LeaveGroup(attempt) => self.left(now, attempt, response, around),
            _ => Ok(()),
        };
        if let Err(error) = read {
            let what = format!("an answer to {:?} that cannot be read ({error})", response.api);
            around.network.distrust(now, response.connection, &what);
            self.lost(now, response.tag);
        }
    }

    /// A request had no answer; the coordinator may have carried it out.
    pub fn failure(&mut self, now: Now, failure: &Failure, coordinator: &mut Coordinator) {
        coordinator.lost(now, failure.node);
        self.lost(now, failure.tag);
    }

    fn lost(&mut self, now: Now, tag: Tag) {
        match tag {
            Tag::JoinGroup(attempt) | Tag::SyncGroup(attempt) if attempt == self.attempt => self.enter(Input::Lost),
            Tag::Heartbeat(attempt) if attempt == self.attempt => self.heartbeat.failed(now.mono_us),
            Tag::LeaveGroup(attempt) => {
                if let Some(leaving) = self.leaving.iter_mut().find(|leaving| leaving.attempt == attempt) {
                    leaving.in_flight = false;
                }
            }
            _ => {}
        }
    }

    fn joined(&mut self, now: Now, response: &Response, around: &mut Answering<'_>) -> Result<(), DecodeError> {
        let answer = JoinGroupResponse::decode(&mut Reader::new(response.body()), response.version)?;
        around.network.throttle(now, response.connection, answer.throttle_time_ms);
        match answer.error_code {
            0 => {}
            MEMBER_ID_REQUIRED => {
                // KIP-394: the same again with the id, so that a client that never comes back leaves no member behind.
                self.member_id = answer.member_id.into();
                self.enter(Input::Lost);
                return Ok(());
            }
            code => {
                self.not_joined(now, code, response.node, around);
                return Ok(());
            }
        }
        self.backoff.succeeded();
        self.not_before_us = 0;
        self.member_id = answer.member_id.into();
        self.member = Some(Member {
            member_id: self.member_id.clone(),
            generation: answer.generation_id,
            instance_id: self.settings.instance_id.as_deref().map(Into::into),
        });
        self.assignor = assignor_of(answer.protocol_name.unwrap_or_default(), &self.settings);
        if self.assignor.is_none() {
            let text = format!(
                "The group chose the assignor \"{}\", which this member did not offer",
                answer.protocol_name.unwrap_or_default()
            );
            let error = Error::with_text(Kind::Broker(BrokerError(INCONSISTENT_GROUP_PROTOCOL)), text);
            self.refused(now, error, around.outbox);
            return Ok(());
        }
        self.shares.clear();
        self.leader = !answer.leader.is_empty() && answer.leader == answer.member_id;
        if !self.leader {
            self.plan.end(around.metadata);
            self.enter(Input::Following);
            return Ok(());
        }
        for member_id in self.plan.begin(now, &answer.members) {
            let text = format!("The subscription of group member {member_id} cannot be read: it gets no partitions");
            around.outbox.log(4, "ASSIGN", text);
        }
        // KIP-814: a static leader that returns finds its group at rest, and leaves all shares as they are.
        self.enter(if answer.skip_assignment { Input::Following } else { Input::Leading });
        Ok(())
    }

    fn not_joined(&mut self, now: Now, code: i16, node: NodeId, around: &mut Answering<'_>) {
        match code {
            NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE => {
                around.coordinator.lost(now, node);
                self.wait(now);
                self.enter(Input::Lost);
            }
            UNKNOWN_MEMBER_ID => {
                // At once where an id was refused; else something is wrong, and it waits.
                if self.member_id.is_empty() {
                    self.wait(now);
                }
                self.expelled(around.metadata);
            }
            ILLEGAL_GENERATION | REBALANCE_IN_PROGRESS => {
                self.wait(now);
                self.enter(Input::Refused);
            }
            FENCED_INSTANCE_ID => self.fenced(code, around.metadata),
            code if code == COORDINATOR_LOAD_IN_PROGRESS || BrokerError(code).is_retriable() => {
                self.wait(now);
                self.enter(Input::Lost);
            }
            code => {
                let kind = Kind::Broker(BrokerError(code));
                let error = Error::with_text(kind, format!("JoinGroup failed: {}", kind.description()));
                self.refused(now, error, around.outbox);
            }
        }
    }

    fn synced(&mut self, now: Now, response: &Response, around: &mut Answering<'_>) -> Result<(), DecodeError> {
        let answer = SyncGroupResponse::decode(&mut Reader::new(response.body()), response.version)?;
        around.network.throttle(now, response.connection, answer.throttle_time_ms);
        if answer.error_code != 0 {
            self.not_synced(now, answer.error_code, response.node, around);
            return Ok(());
        }
        let share = match read_assignment(answer.assignment) {
            Ok(share) => share,
            Err(error) => {
                let text = format!("The leader of the group sent an assignment that cannot be read ({error})");
                self.refused(now, Error::with_text(Kind::BadMessage, text), around.outbox);
                return Ok(());
            }
        };
        if self.leader && self.shares.is_empty() {
            // KIP-814: it had nothing to share out, and looks after the topics all the same.
            self.plan.is_ready(now, around.metadata);
            self.plan.keep();
        }
        self.shares.clear();
        self.backoff.succeeded();
        self.not_before_us = 0;
        self.heartbeat.start(now, self.sent_us);
        self.enter(Input::Synced);
        self.news.push_back(News::Assigned(share));
        Ok(())
    }

    fn not_synced(&mut self, now: Now, code: i16, node: NodeId, around: &mut Answering<'_>) {
        match code {
            NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE => {
                around.coordinator.lost(now, node);
                self.wait(now);
                self.enter(Input::Lost);
            }
            // Others have begun anew: this generation will not be.
            REBALANCE_IN_PROGRESS | ILLEGAL_GENERATION => self.enter(Input::Refused),
            UNKNOWN_MEMBER_ID => self.expelled(around.metadata),
            FENCED_INSTANCE_ID => self.fenced(code, around.metadata),
            code if BrokerError(code).is_retriable() => {
                self.wait(now);
                self.enter(Input::Lost);
            }
            code => {
                let kind = Kind::Broker(BrokerError(code));
                let error = Error::with_text(kind, format!("SyncGroup failed: {}", kind.description()));
                self.refused(now, error, around.outbox);
            }
        }
    }

    fn heartbeat_answered(
        &mut self,
        now: Now,
        response: &Response,
        around: &mut Answering<'_>,
    ) -> Result<(), DecodeError> {
        let answer = HeartbeatResponse::decode(&mut Reader::new(response.body()), response.version)?;
        around.network.throttle(now, response.connection, answer.throttle_time_ms);
        match answer.error_code {
            0 => self.heartbeat.answered(),
            REBALANCE_IN_PROGRESS => {
                self.heartbeat.answered();
                if !std::mem::replace(&mut self.rebalancing, true) {
                    self.news.push_back(News::Rebalance);
                }
            }
            NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE => {
                around.coordinator.lost(now, response.node);
                self.wait(now);
                self.heartbeat.failed(self.not_before_us);
            }
            code @ (UNKNOWN_MEMBER_ID | ILLEGAL_GENERATION | FENCED_INSTANCE_ID) => {
                self.disowned(code, around.metadata)
            }
            // What passes, and what the next JoinGroup will tell: the session's time runs.
            _ => {
                self.wait(now);
                self.heartbeat.failed(self.not_before_us);
            }
        }
        Ok(())
    }

    /// The coordinator says so in an answer to a heartbeat or a commit. One that joins anew already learns it from that.
    pub(crate) fn disowned(&mut self, code: i16, metadata: &mut Metadata) {
        if self.state != State::Stable {
            return;
        }
        match code {
            UNKNOWN_MEMBER_ID => self.expelled(metadata),
            // The member is known still: it joins again as such, as in the original.
            ILLEGAL_GENERATION => self.lose(metadata),
            FENCED_INSTANCE_ID => self.fenced(FENCED_INSTANCE_ID, metadata),
            _ => {}
        }
    }

    fn left(
        &mut self,
        now: Now,
        attempt: u64,
        response: &Response,
        around: &mut Answering<'_>,
    ) -> Result<(), DecodeError> {
        let Some(at) = self.leaving.iter().position(|leaving| leaving.attempt == attempt) else { return Ok(()) };
        let answer = LeaveGroupResponse::decode(&mut Reader::new(response.body()), response.version)?;
        around.network.throttle(now, response.connection, answer.throttle_time_ms);
        match answer.error_code {
            NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE | COORDINATOR_LOAD_IN_PROGRESS => {
                let leaving = &mut self.leaving[at];
                leaving.in_flight = false;
                leaving.not_before_us = now.mono_us.saturating_add(self.backoff.failed(&mut self.random));
                if answer.error_code != COORDINATOR_LOAD_IN_PROGRESS {
                    around.coordinator.lost(now, response.node);
                }
            }
            // Any other answer: the member is not one any more, or cannot be told.
            _ => {
                self.leaving.remove(at);
                self.note_left();
            }
        }
        Ok(())
    }

    /// Another client with this instance id took the place (KIP-345): going on would take it back in turn, for ever.
    fn fenced(&mut self, code: i16, metadata: &mut Metadata) {
        let description = Kind::Broker(BrokerError(code)).description();
        // The original's words.
        let text = format!("Fatal error: {description}: Fatal consumer error: {description}");
        self.expelled(metadata);
        self.enter(Input::Leave);
        self.news.push_back(News::Fatal(Error::with_text(Kind::Fatal, text)));
    }

    /// What the user must mend: told, and tried again after a while.
    pub(super) fn refused(&mut self, now: Now, error: Error, outbox: &mut Outbox) {
        outbox.output(Output::Event(Event::ConsumerError(ConsumerError { error, topic: None })));
        self.not_before_us = now.mono_us.saturating_add(REFUSED_US);
        if self.state == State::Stable {
            self.heartbeat.failed(self.not_before_us);
        } else {
            self.enter(Input::Refused);
        }
    }

    fn wait(&mut self, now: Now) {
        self.not_before_us = now.mono_us.saturating_add(self.backoff.failed(&mut self.random));
    }
}
