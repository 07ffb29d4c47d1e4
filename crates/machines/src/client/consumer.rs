//! The part of a [`ClientMachine`](super::ClientMachine) that makes it a consumer: it composes what reads, what commits and
//! what is a member of the group, and passes facts between them. It decides nothing itself.
use std::sync::Arc;

use super::command::{Command, Edges, Reply, RequestId};
use super::outbox::Outbox;
use crate::config::ConsumerSettings;
use crate::connection::{Failure, Network, Response, Tag};
use crate::consumer::{Commits, FetchBuffer, Fetcher, Subscription};
use crate::error::{Error, Kind};
use crate::group::{Answering, Coordinator, Membership, Surroundings};
use crate::job::Computed;
use crate::machine::Now;
use crate::metadata::Metadata;

/// See the module.
pub(super) struct ConsumerRole {
    fetcher: Fetcher,
    coordinator: Coordinator,
    membership: Membership,
    commits: Commits,
    subscription: Subscription,
    /// Who unsubscribed and waits until what follows is told.
    unsubscribed: Vec<RequestId>,
}

impl ConsumerRole {
    pub(super) fn new(settings: &ConsumerSettings, seed: u64) -> Self {
        Self {
            fetcher: Fetcher::new(settings, seed ^ 1),
            coordinator: Coordinator::new(&settings.connection, &settings.group, seed ^ 3),
            membership: Membership::new(settings, seed ^ 4),
            commits: Commits::new(settings, seed ^ 5),
            subscription: Subscription::default(),
            unsubscribed: Vec::new(),
        }
    }

    /// Moves what is ready between the callers' side and this one; the caller holds the lock.
    pub(super) fn exchange(&mut self, now: Now, shared: &mut FetchBuffer) -> Edges {
        self.membership.note_poll(now, shared.take_polled());
        self.commits.exchange(shared);
        self.fetcher.exchange(shared)
    }

    pub(super) fn wants_exchange(&self) -> bool {
        self.fetcher.wants_exchange() || self.commits.wants_exchange() || self.membership.wants_poll()
    }

    pub(super) fn command(&mut self, now: Now, command: Command, metadata: &mut Metadata, outbox: &mut Outbox) {
        match command {
            Command::Subscribe { request, topics } => {
                let result = self.subscribe(now, topics, metadata);
                outbox.reply(request, result.map(|()| Reply::Done));
            }
            Command::Unsubscribe { request } => match self.unsubscribe(now, metadata) {
                Ok(()) => self.unsubscribed.push(request),
                Err(error) => outbox.reply(request, Err(error)),
            },
            Command::Acknowledge { epoch } => self.membership.acknowledge(now, epoch),
            Command::Leave { request, deadline_us } => self.membership.leave(request, deadline_us),
            Command::Commit { request, offsets, stored, deadline_us } => {
                self.commits.commit(now, request, offsets, stored, deadline_us, outbox);
            }
            Command::Committed { request, partitions, deadline_us } => {
                self.commits.committed(request, partitions, deadline_us);
            }
            Command::GroupMetadata { request } => {
                outbox.reply(request, Ok(Reply::Group(self.membership.group_metadata())));
            }
            Command::Metadata { request, .. }
            | Command::Watermarks { request, .. }
            | Command::Admin { request, .. } => outbox.reply(request, Err(Error::new(Kind::State))),
            Command::Close => self.close(metadata, outbox),
        }
    }

    fn subscribe(&mut self, now: Now, topics: Vec<Arc<str>>, metadata: &mut Metadata) -> Result<(), Error> {
        if topics.is_empty() {
            // As in the original: ending a subscription is a call of its own.
            return Err(Error::with_text(Kind::InvalidArgument, "A subscription names at least one topic"));
        }
        if let Some(error) = self.membership.fatal() {
            return Err(error.clone());
        }
        self.subscription.replace(now, topics, metadata)?;
        self.membership.subscribed(now);
        Ok(())
    }

    fn unsubscribe(&mut self, now: Now, metadata: &mut Metadata) -> Result<(), Error> {
        match self.membership.fatal() {
            Some(error) => Err(error.clone()),
            None => self.subscription.replace(now, Vec::new(), metadata),
        }
    }

    pub(super) fn advance(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        let Self { fetcher, coordinator, membership, commits, subscription, unsubscribed } = self;
        coordinator.advance(now, network);
        subscription.advance(now, metadata, outbox);
        // Commits first: a member that is about to join anew lets them go out as the one that it was.
        for found in commits.take_starts() {
            fetcher.start_found(found, outbox);
        }
        let subscribed = !subscription.is_empty();
        commits.note_standing(subscribed, membership.member().is_some(), membership.holds());
        if membership.fatal().is_some() {
            commits.note_fenced();
        }
        commits.advance(now, network, metadata, coordinator, membership.member(), outbox);
        let committed = commits.is_idle();
        membership.advance(now, committed, &mut Surroundings { network, metadata, coordinator, subscription, outbox });
        // Who left or was lost just now did so with this subscription, whatever comes next.
        commits.note_standing(subscribed, membership.member().is_some(), membership.holds());
        // A coordinator that turned out to be none is asked for at once.
        coordinator.advance(now, network);
        unsubscribed.drain(..).for_each(|request| outbox.reply(request, Ok(Reply::Done)));
        fetcher.advance(now, network, metadata, outbox);
        let starts = fetcher.take_starts();
        if !starts.is_empty() {
            commits.find_starts(starts);
            commits.advance(now, network, metadata, coordinator, membership.member(), outbox);
            // Without a group nothing is committed: that is known at once.
            let found = commits.take_starts();
            if !found.is_empty() {
                found.into_iter().for_each(|found| fetcher.start_found(found, outbox));
                fetcher.advance(now, network, metadata, outbox);
            }
        }
    }

    pub(super) fn response(
        &mut self,
        now: Now,
        response: Response,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        let Self { fetcher, coordinator, membership, commits, .. } = self;
        match response.tag {
            Tag::FindCoordinator => coordinator.response(now, &response, network, outbox),
            Tag::JoinGroup(_) | Tag::SyncGroup(_) | Tag::Heartbeat(_) | Tag::LeaveGroup(_) => {
                membership.response(now, &response, &mut Answering { network, metadata, coordinator, outbox });
                outbox.recycle(response.frame.into_buffer().unwrap_or_default());
            }
            Tag::OffsetCommit(_) | Tag::OffsetFetch(_) => {
                commits.response(now, response, network, metadata, coordinator, outbox);
                // Said of a member of before it says nothing of this one.
                if let Some((member, error)) = commits.take_member_error()
                    && membership.member() == Some(&member)
                {
                    membership.disowned(error, metadata);
                }
            }
            _ => fetcher.response(now, response, network, metadata, outbox),
        }
    }

    pub(super) fn failure(&mut self, now: Now, failure: Failure, metadata: &mut Metadata, outbox: &mut Outbox) {
        match failure.tag {
            Tag::FindCoordinator => self.coordinator.failure(now),
            Tag::JoinGroup(_) | Tag::SyncGroup(_) | Tag::Heartbeat(_) | Tag::LeaveGroup(_) => {
                self.membership.failure(now, &failure, &mut self.coordinator);
            }
            Tag::OffsetCommit(_) | Tag::OffsetFetch(_) => {
                self.commits.failure(now, &failure, &mut self.coordinator);
            }
            _ => self.fetcher.failure(now, failure, metadata, outbox),
        }
    }

    pub(super) fn computed(&mut self, now: Now, computed: Computed, outbox: &mut Outbox) {
        self.fetcher.computed(now, computed, outbox);
    }

    pub(super) fn close(&mut self, metadata: &mut Metadata, outbox: &mut Outbox) {
        self.membership.close(metadata, outbox);
        self.commits.close(outbox);
        self.unsubscribed.drain(..).for_each(|request| outbox.reply(request, Err(Error::new(Kind::Destroy))));
    }

    pub(super) fn deadline(&self, now: Now) -> Option<u64> {
        let all = [
            self.fetcher.next_deadline(now),
            self.coordinator.deadline(now),
            self.membership.deadline(now),
            self.subscription.deadline(now),
            self.commits.deadline(now),
        ];
        all.into_iter().flatten().min()
    }
}
