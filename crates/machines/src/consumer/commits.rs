//! Commits: what is sent to the coordinator when, in whose name, and what becomes of it.
//!
//! One OffsetCommit is under way at a time, and takes all that waits: of a partition that several commits name the last one
//! counts. So an answer that was lost, or a coordinator that moved, never makes an older offset follow a newer one. A commit
//! goes out as the member that this client was when it was made, or fails. Looking committed offsets up is `committed`'s.
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::primitives::Uuid;

use super::committed::Lookups;
use super::fetch_buffer::FetchBuffer;
use super::fetcher::{StartFound, StartWanted};
use super::footing::Footing;
use super::offset_requests::{self, passes};
use super::positions::OFFSET_INVALID;
use crate::client::{Event, Outbox, Reply, RequestId};
use crate::config::ConsumerSettings;
use crate::connection::backoff::Backoff;
use crate::connection::{Failure, Network, Response, Tag};
use crate::error::{BrokerError, Error, Kind};
use crate::group::{Coordinator, Member, OffsetAnswer, OffsetsCommitted, StoredOffset};
use crate::machine::{DisconnectCause, Lane, Now, Output};
use crate::metadata::Metadata;
use crate::random::Random;

/// Where a commit is in its life.
///
/// ```text
/// Waiting ---sent---> Sent ---answered---> over
///    ^                 |
///    '---lost, moved---'
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// In the request with this tag.
    Sent(u64),
}

#[derive(Debug)]
struct Commit {
    request: Option<RequestId>,
    /// Sorted by topic and partition.
    offsets: Vec<StoredOffset>,
    /// What became of each so far: `None` while it has to be sent, or sent again.
    results: Vec<Option<Result<(), Error>>>,
    state: State,
    made_us: u64,
    deadline_us: u64,
    /// The member that it is made as; `None` before it was first looked at.
    member: Option<Option<Member>>,
    /// Why it was not over with the last attempt.
    trouble: Option<Error>,
}

/// What one request commits.
#[derive(Debug)]
struct Flight {
    tag: u64,
    ids: Vec<(Uuid, Arc<str>)>,
    /// Who committed.
    member: Option<Member>,
}

/// See the module.
#[derive(Debug)]
pub struct Commits {
    group_id: String,
    /// How long a commit waits for a coordinator to be found, as in the original.
    patience_us: u64,
    timeout_us: u64,
    interval_us: Option<u64>,
    queue: VecDeque<Commit>,
    /// Those that are over. Who made them is told once the callers' side knows what is committed, so that nothing older is
    /// committed after them.
    finished: Vec<Commit>,
    flight: Option<Flight>,
    next_tag: u64,
    not_before_us: u64,
    backoff: Backoff,
    random: Random,
    /// Topics are spoken of by their names until the cluster knows the ids that we do.
    by_name: bool,
    /// Stored offsets are to be collected at the next exchange.
    collect: bool,
    next_collect_us: u64,
    /// What was collected, and whether there is anything in it.
    collected: Vec<StoredOffset>,
    has_collected: bool,
    wants_room: usize,
    /// News for the callers' side: what is committed.
    notes: Vec<(Arc<str>, i32, i64, i32)>,
    told_of_member: Option<(Member, BrokerError)>,
    footing: Footing,
    lookups: Lookups,
}

impl Commits {
    pub fn new(settings: &ConsumerSettings, seed: u64) -> Self {
        let connection = &settings.connection;
        Self {
            group_id: settings.group.group_id.clone(),
            patience_us: u64::try_from(settings.group.session_timeout_ms).unwrap_or(0) * 1000,
            timeout_us: connection.socket_timeout_us,
            interval_us: settings.auto_commit_interval_us,
            queue: VecDeque::new(),
            finished: Vec::new(),
            flight: None,
            next_tag: 0,
            not_before_us: 0,
            backoff: Backoff::new(connection.retry_backoff_us, connection.retry_backoff_max_us),
            random: Random::new(seed),
            by_name: false,
            collect: false,
            next_collect_us: 0,
            collected: Vec::new(),
            has_collected: false,
            wants_room: 0,
            notes: Vec::new(),
            told_of_member: None,
            footing: Footing::default(),
            lookups: Lookups::new(settings, seed ^ 1),
        }
    }

    /// Whether no commit is under way or waiting: a member may let others have its partitions.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.finished.is_empty() && !self.has_collected
    }

    /// Whether there is a subscription, whether this client is a member and holds partitions; to be told before each
    /// [`Commits::advance`], and again when the membership has advanced.
    pub fn note_standing(&mut self, subscribed: bool, member: bool, holds: bool) {
        self.footing = self.footing.next(subscribed, member, holds);
    }

    /// Another client has taken this one's place: nothing is committed any more.
    pub fn note_fenced(&mut self) {
        self.footing = Footing::Fenced;
    }

    /// What the coordinator said of a member in the answer to its commit: it is unknown, fenced, or of an older generation.
    pub fn take_member_error(&mut self) -> Option<(Member, BrokerError)> {
        self.told_of_member.take()
    }

    /// Takes a commit; without a deadline it is tried for as long as a request may take (`socket.timeout.ms`). One without a
    /// single offset fails at once, as in the original, and so does one of what was `stored` before all was lost.
    pub fn commit(
        &mut self,
        now: Now,
        request: Option<RequestId>,
        mut offsets: Vec<StoredOffset>,
        stored: bool,
        deadline_us: Option<u64>,
        outbox: &mut Outbox,
    ) {
        offsets.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        let results: Vec<_> = offsets.iter().map(|offset| (offset.offset < 0).then_some(Ok(()))).collect();
        let empty = results.iter().all(Option::is_some);
        let deadline_us = deadline_us.unwrap_or_else(|| now.mono_us.saturating_add(self.timeout_us));
        let commit = Commit {
            request,
            offsets,
            results,
            state: State::Waiting,
            made_us: now.mono_us,
            deadline_us,
            member: None,
            trouble: None,
        };
        let refused = match self.footing {
            Footing::Fenced => self.footing.refusal(),
            Footing::Disowned if stored => Some(Error::new(Kind::AssignmentLost)),
            _ => empty.then(|| Error::new(Kind::NoOffset)),
        };
        if refused.is_some() {
            return end(commit, refused, outbox);
        }
        self.queue.push_back(commit);
    }

    /// Looks the committed offsets of partitions up for the application.
    pub fn committed(&mut self, request: RequestId, partitions: Vec<(Arc<str>, i32)>, deadline_us: u64) {
        self.lookups.committed(request, partitions, deadline_us);
    }

    /// Looks up where partitions start.
    pub fn find_starts(&mut self, wanted: Vec<StartWanted>) {
        self.lookups.find_starts(wanted);
    }

    /// Where they start.
    pub fn take_starts(&mut self) -> Vec<StartFound> {
        let found = self.lookups.take_starts();
        for start in &found {
            if let Ok(Some(committed)) = &start.result {
                let (offset, leader_epoch) = *committed;
                self.notes.push((Arc::clone(&start.topic), start.partition, offset, leader_epoch));
            }
        }
        found
    }

    /// Whether an exchange would move something.
    pub fn wants_exchange(&self) -> bool {
        !self.notes.is_empty() || (self.collect && self.wants_room == 0 && !self.has_collected)
    }

    /// Takes what is stored when it is time, and tells what is committed; the caller holds the lock.
    pub fn exchange(&mut self, shared: &mut FetchBuffer) {
        for (topic, partition, offset, leader_epoch) in &self.notes {
            shared.note_committed(topic, *partition, *offset, *leader_epoch);
        }
        // Names are held by the buffer too, so clearing frees nothing.
        self.notes.clear();
        if !self.collect || self.has_collected {
            return;
        }
        if self.collected.capacity() < shared.assigned() {
            self.wants_room = shared.assigned();
            return;
        }
        self.collect = false;
        self.collected.clear();
        self.has_collected = shared.stored_offsets(&mut self.collected);
    }

    /// Sends what can be sent to the coordinator, as this member or as none.
    pub fn advance(
        &mut self,
        now: Now,
        network: &mut Network,
        metadata: &mut Metadata,
        coordinator: &mut Coordinator,
        member: Option<&Member>,
        outbox: &mut Outbox,
    ) {
        if self.notes.is_empty() {
            self.finished.drain(..).for_each(|commit| end(commit, None, outbox));
        }
        self.collect_when_due(now, outbox);
        self.end_what_cannot_be(now, coordinator, member, outbox);
        let Self { lookups, queue, .. } = self;
        let uncommitted = |topic: &str, partition: i32| {
            queue.iter().any(|commit| {
                let mut waiting = commit.offsets.iter().zip(&commit.results).filter(|(_, result)| result.is_none());
                waiting.any(|(offset, _)| offset.partition == partition && *offset.topic == *topic)
            })
        };
        lookups.advance(now, network, metadata, coordinator, &uncommitted, outbox);
        if self.flight.is_some() || self.queue.is_empty() || self.not_before_us > now.mono_us {
            return;
        }
        let Some(node) = coordinator.node() else { return };
        let Some(connection) = network.ready(now, node, Lane::General) else { return };
        let Some(version) = network.version(connection, ApiKey::OffsetCommit) else {
            return network.distrust(now, connection, "no version of OffsetCommit that this client speaks");
        };
        // Of a partition that several commits name the last one counts.
        let mut merged: BTreeMap<(&Arc<str>, i32), &StoredOffset> = BTreeMap::new();
        for commit in &self.queue {
            for (offset, result) in commit.offsets.iter().zip(&commit.results) {
                if result.is_none() {
                    merged.insert((&offset.topic, offset.partition), offset);
                }
            }
        }
        let (api, topics) = ((ApiKey::OffsetCommit, version), merged.keys().map(|(topic, _)| *topic));
        let spoken = offset_requests::speakable(network, connection, api, self.by_name, metadata, topics);
        let Some((version, ids)) = spoken else {
            // A broker that wants ids alone: they come with the topics' metadata.
            metadata.request_update(now);
            return;
        };
        let offsets = merged.values().copied();
        let request = offset_requests::commit(&self.group_id, member, offsets, &ids, version);
        self.next_tag += 1;
        let tag = self.next_tag;
        match network.request(now, connection, version, &request, Tag::OffsetCommit(tag), self.timeout_us, &[]) {
            Ok(()) => {
                for commit in &mut self.queue {
                    commit.state = State::Sent(tag);
                }
                self.flight = Some(Flight { tag, ids, member: member.cloned() });
            }
            Err(error) => network.distrust(now, connection, &error.to_string()),
        }
    }

    fn collect_when_due(&mut self, now: Now, outbox: &mut Outbox) {
        if self.has_collected {
            self.has_collected = false;
            let offsets = mem::take(&mut self.collected);
            if !self.footing.withholds() {
                self.commit(now, None, offsets, true, None, outbox);
            }
        }
        if self.wants_room > 0 {
            self.collected = Vec::with_capacity(mem::take(&mut self.wants_room));
        }
        let Some(interval_us) = self.interval_us else { return };
        if self.next_collect_us == 0 {
            self.next_collect_us = now.mono_us.saturating_add(interval_us);
        }
        if self.next_collect_us <= now.mono_us {
            self.next_collect_us = now.mono_us.saturating_add(interval_us);
            // What waits already is not joined by the same once more.
            self.collect = self.queue.is_empty() && !self.footing.withholds();
        }
    }

    /// Ends what is overdue, and what was to be committed as a member that is no more.
    fn end_what_cannot_be(
        &mut self,
        now: Now,
        coordinator: &Coordinator,
        member: Option<&Member>,
        outbox: &mut Outbox,
    ) {
        let refusal = self.footing.refusal();
        let (patience_us, unknown) = (self.patience_us, coordinator.node().is_none());
        let mut ended = Vec::new();
        for (index, commit) in self.queue.iter_mut().enumerate() {
            match (&commit.member, member) {
                (None | Some(None), None) if let (Some(refusal), State::Waiting) = (&refusal, commit.state) => {
                    ended.push((index, refusal.clone()));
                    continue;
                }
                // One that was made before the client was a member goes out as the member that it is.
                (None | Some(None), _) => commit.member = Some(member.cloned()),
                (Some(Some(made_as)), Some(member)) if made_as == member => {}
                (Some(Some(_)), current) if commit.state == State::Waiting => {
                    let code =
                        if current.is_some() { ErrorCode::ILLEGAL_GENERATION } else { ErrorCode::UNKNOWN_MEMBER_ID };
                    ended.push((index, Error::broker(code.0)));
                    continue;
                }
                _ => {}
            }
            if unknown && commit.made_us.saturating_add(patience_us) <= now.mono_us {
                ended.push((index, Error::new(Kind::WaitCoordinator)));
            } else if commit.deadline_us <= now.mono_us {
                ended.push((index, commit.trouble.clone().unwrap_or_else(|| Error::new(Kind::TimedOut))));
            }
        }
        for (index, error) in ended.into_iter().rev() {
            if let Some(commit) = self.queue.remove(index) {
                end(commit, Some(error), outbox);
            }
        }
    }

    pub fn response(
        &mut self,
        now: Now,
        response: Response,
        network: &mut Network,
        metadata: &mut Metadata,
        coordinator: &mut Coordinator,
        outbox: &mut Outbox,
    ) {
        match response.tag {
            Tag::OffsetCommit(tag) => self.answered(now, tag, &response, network, metadata, coordinator),
            Tag::OffsetFetch(tag) => self.lookups.response(now, tag, &response, network, metadata, coordinator, outbox),
            _ => {}
        }
        outbox.recycle(response.frame.into_buffer().unwrap_or_default());
    }

    fn answered(
        &mut self,
        now: Now,
        tag: u64,
        response: &Response,
        network: &mut Network,
        metadata: &mut Metadata,
        coordinator: &mut Coordinator,
    ) {
        let Some(flight) = self.flight.take_if(|flight| flight.tag == tag) else { return };
        let answer = match offset_requests::committed(response, &flight.ids) {
            Ok(answer) => answer,
            Err(what) => {
                self.again(now, tag, &Error::new(Kind::BadMessage));
                return network.distrust(now, response.connection, &what);
            }
        };
        network.throttle(now, response.connection, answer.throttle_time_ms);
        let mut codes: BTreeMap<(Arc<str>, i32), i16> = BTreeMap::new();
        let mut trouble = None;
        for (topic, partition, code) in answer.partitions {
            if code == 0 || !passes(ErrorCode(code)) {
                codes.insert((topic, partition), code);
            } else {
                trouble = Some(Error::broker(code));
            }
            match ErrorCode(code) {
                ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
                    coordinator.lost(now, response.node)
                }
                ErrorCode::UNKNOWN_TOPIC_ID => {
                    self.by_name = true;
                    metadata.request_update(now);
                }
                ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION | ErrorCode::FENCED_INSTANCE_ID => {
                    self.told_of_member = flight.member.clone().map(|member| (member, BrokerError(code)));
                }
                _ => {}
            }
        }
        let mut counted: BTreeMap<(Arc<str>, i32), (i64, i32)> = BTreeMap::new();
        for commit in self.queue.iter_mut().filter(|commit| commit.state == State::Sent(tag)) {
            for (offset, result) in
                commit.offsets.iter().zip(&mut commit.results).filter(|(_, result)| result.is_none())
            {
                let key = (Arc::clone(&offset.topic), offset.partition);
                let Some(code) = codes.get(&key) else { continue };
                *result = Some(if *code == 0 { Ok(()) } else { Err(Error::broker(*code)) });
                if *code == 0 {
                    counted.insert(key, (offset.offset, offset.leader_epoch));
                }
            }
        }
        self.notes
            .extend(counted.into_iter().map(|((topic, partition), (offset, epoch))| (topic, partition, offset, epoch)));
        self.finish();
        if self.queue.iter().any(|commit| commit.state == State::Sent(tag)) {
            // A partition that the answer leaves out is committed again too.
            self.again(now, tag, &trouble.unwrap_or_else(|| Error::new(Kind::BadMessage)));
        } else {
            self.backoff.succeeded();
            self.not_before_us = 0;
        }
    }

    /// What was sent and has no result is sent again after a while.
    fn again(&mut self, now: Now, tag: u64, trouble: &Error) {
        self.not_before_us = now.mono_us.saturating_add(self.backoff.failed(&mut self.random));
        for commit in self.queue.iter_mut().filter(|commit| commit.state == State::Sent(tag)) {
            commit.state = State::Waiting;
            commit.trouble = Some(trouble.clone());
        }
    }

    fn finish(&mut self) {
        let finished = |commit: &Commit| commit.results.iter().all(Option::is_some);
        while let Some(index) = self.queue.iter().position(finished) {
            self.finished.extend(self.queue.remove(index));
        }
    }

    /// A request was lost: whether it was carried out is not known, and doing it again does no harm.
    pub fn failure(&mut self, now: Now, failure: &Failure, coordinator: &mut Coordinator) {
        let kind = if failure.cause == DisconnectCause::RequestTimeout { Kind::TimedOut } else { Kind::Transport };
        match failure.tag {
            Tag::OffsetCommit(tag) => {
                if self.flight.take_if(|flight| flight.tag == tag).is_some() {
                    self.again(now, tag, &Error::new(kind));
                }
            }
            Tag::OffsetFetch(tag) => self.lookups.failure(now, tag, &Error::new(kind)),
            _ => return,
        }
        coordinator.lost(now, failure.node);
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        let collects = self.interval_us.is_some().then_some(self.next_collect_us);
        let again = (!self.queue.is_empty()).then_some(self.not_before_us);
        let ends =
            self.queue.iter().flat_map(|commit| [commit.deadline_us, commit.made_us.saturating_add(self.patience_us)]);
        let times = collects.into_iter().chain(again).chain(ends).filter(|at| *at > now.mono_us);
        times.chain(self.lookups.deadline(now)).min()
    }

    /// The client ends: so does every commit.
    pub fn close(&mut self, outbox: &mut Outbox) {
        self.finished.drain(..).for_each(|commit| end(commit, None, outbox));
        for commit in mem::take(&mut self.queue) {
            end(commit, Some(Error::new(Kind::Destroy)), outbox);
        }
        self.lookups.close(outbox);
    }
}

/// Answers who asked, or tells `on_commit`: as in the original never both.
fn end(commit: Commit, error: Option<Error>, outbox: &mut Outbox) {
    let Commit { request, offsets, results, .. } = commit;
    let answer = |(offset, result): (StoredOffset, Option<Result<(), Error>>)| OffsetAnswer {
        error: match result {
            Some(Err(own)) => Some(own),
            None => error.clone(),
            Some(Ok(())) => None,
        },
        topic: offset.topic,
        partition: offset.partition,
        offset: if offset.offset >= 0 { offset.offset } else { OFFSET_INVALID.max(offset.offset) },
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata,
    };
    let offsets: Vec<OffsetAnswer> = offsets.into_iter().zip(results).map(answer).collect();
    match (request, &error) {
        (Some(request), Some(error)) => outbox.reply(request, Err(error.clone())),
        (Some(request), None) => outbox.reply(request, Ok(Reply::Offsets(offsets))),
        (None, _) => {
            let error = error.clone().or_else(|| offsets.iter().rev().find_map(|answer| answer.error.clone()));
            outbox.output(Output::Event(Event::OffsetsCommitted(OffsetsCommitted { error, offsets })));
        }
    }
}
