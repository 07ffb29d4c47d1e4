//! Membership in the group, as the consumer sees it whatever protocol brings it about: not built yet; nobody joins.
use std::sync::Arc;

use super::coordinator::Coordinator;
use super::event::GroupMetadata;
use crate::client::{Outbox, Reply, RequestId};
use crate::config::ConsumerSettings;
use crate::connection::{Failure, Network, Response};
use crate::consumer::Subscription;
use crate::error::{Error, Kind};
use crate::machine::Now;
use crate::metadata::Metadata;

/// Who this client is in its group, in one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub member_id: Arc<str>,
    pub generation: i32,
    pub instance_id: Option<Arc<str>>,
}

/// See the module.
#[derive(Debug)]
pub struct Membership {
    group_id: String,
    instance_id: Option<String>,
    member: Option<Member>,
}

impl Membership {
    pub fn new(settings: &ConsumerSettings, _seed: u64) -> Self {
        let (group_id, instance_id) = (settings.group.group_id.clone(), settings.group.instance_id.clone());
        Self { group_id, instance_id, member: None }
    }

    /// The member that this client is now: who commits does so as this one. `None` before it joined and once it was lost.
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// As `consumer_group_metadata()` shows it (KIP-447).
    pub fn group_metadata(&self) -> GroupMetadata {
        GroupMetadata {
            group_id: self.group_id.clone(),
            generation: self.member.as_ref().map_or(-1, |member| member.generation),
            member_id: self.member.as_ref().map_or_else(String::new, |member| member.member_id.to_string()),
            instance_id: self.instance_id.clone(),
        }
    }

    /// The application polled, or waits in a poll (KIP-62).
    pub fn polled(&mut self, _now: Now) {}

    /// Whether the exchange is to tell whether the application polled.
    pub fn wants_poll(&self) -> bool {
        false
    }

    /// The subscription changed; an empty one leaves the group.
    pub fn subscription_changed(&mut self, _now: Now) {}

    /// The application has done what the rebalance of this epoch said.
    pub fn acknowledge(&mut self, _now: Now, _epoch: u64) {}

    /// Gives up what is assigned and leaves.
    pub fn leave(&mut self, _now: Now, request: RequestId, _deadline_us: u64, outbox: &mut Outbox) {
        outbox.reply(request, Ok(Reply::Done));
    }

    /// Goes on as far as it can. `committed`: no commit is under way or waiting.
    #[allow(clippy::too_many_arguments, reason = "facts are passed down one by one; a struct would only name them")]
    pub fn advance(
        &mut self,
        _now: Now,
        _network: &mut Network,
        _metadata: &mut Metadata,
        _subscription: &Subscription,
        _coordinator: &mut Coordinator,
        _committed: bool,
        _outbox: &mut Outbox,
    ) {
    }

    pub fn response(&mut self, _: Now, _: &Response, _: &mut Network, _: &mut Coordinator, _: &mut Outbox) {}

    pub fn failure(&mut self, _: Now, _: &Failure, _: &mut Coordinator, _: &mut Outbox) {}

    pub fn deadline(&self, _now: Now) -> Option<u64> {
        None
    }

    pub fn close(&mut self, outbox: &mut Outbox) {
        let _ = (outbox, Error::new(Kind::Destroy));
    }
}
