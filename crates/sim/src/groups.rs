//! The part of the model that watches groups: who holds what, what was given and stored, what is committed. It reads the
//! requests and answers of the group protocol on their way, as a broker and a member see them.
use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_request_header, decode_response_header};
use ottla_protocol::messages::consumer_protocol_assignment::ConsumerProtocolAssignment;
use ottla_protocol::messages::offset_commit::OffsetCommitRequest;
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use ottla_protocol::primitives::{Message, Reader};

use crate::agenda::LinkId;
use crate::ledger::Place;

/// An invariant that does not hold, and what happened.
pub(crate) type Broken = (&'static str, String);

/// A SyncGroup that waits for its answer.
#[derive(Debug)]
struct Asked {
    version: i16,
    group: String,
    generation: i32,
    member: String,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct GroupLedger {
    /// Topics by name and by id.
    names: BTreeMap<String, u32>,
    ids: BTreeMap<[u8; 16], u32>,
    asked: BTreeMap<(LinkId, i32), Asked>,
    /// Whose each partition is in each generation of each group.
    owners: BTreeMap<(String, i32), BTreeMap<Place, String>>,
    /// What each client's application holds: from its assign to the begin of its revoke.
    holds: BTreeMap<usize, BTreeSet<Place>>,
    /// The most that each client may commit: behind what it was given, or stored.
    allowed: BTreeMap<(usize, Place), i64>,
    /// What each client lost, from the begin of that callback until it is assigned again: others may have gone on.
    lost: BTreeSet<(usize, Place)>,
    /// What is committed.
    committed: BTreeMap<(String, Place), i64>,
    /// A commit reached a broker since the offsets were last looked at.
    pub(crate) touched: bool,
    /// How often each record was handed over to the group.
    pub(crate) given: BTreeMap<Place, BTreeMap<i64, u32>>,
    /// Rebalances that applications were told of.
    pub(crate) rebalances: u64,
}

impl GroupLedger {
    pub(crate) fn topic(&mut self, name: &str, id: [u8; 16], number: u32) {
        self.names.insert(name.to_owned(), number);
        self.ids.insert(id, number);
    }

    /// A client sends a request.
    pub(crate) fn sent(&self, client: usize, frame: &[u8]) -> Result<(), Broken> {
        let mut reader = Reader::new(frame);
        let Ok(header) = decode_request_header(&mut reader) else { return Ok(()) };
        match ApiKey::from_i16(header.api_key) {
            Some(ApiKey::JoinGroup) => self.joins(client),
            Some(ApiKey::OffsetCommit) => match OffsetCommitRequest::decode(&mut reader, header.api_version) {
                Ok(request) => self.commits(client, &request),
                Err(error) => Err(("requests can be read", error.to_string())),
            },
            _ => Ok(()),
        }
    }

    /// A request reaches a broker.
    pub(crate) fn arrived(&mut self, link: LinkId, frame: &[u8]) {
        let mut reader = Reader::new(frame);
        let Ok(header) = decode_request_header(&mut reader) else { return };
        match ApiKey::from_i16(header.api_key) {
            Some(ApiKey::OffsetCommit) => self.touched = true,
            Some(ApiKey::SyncGroup) => {
                if let Ok(request) = SyncGroupRequest::decode(&mut reader, header.api_version) {
                    let asked = Asked {
                        version: header.api_version,
                        group: request.group_id.to_owned(),
                        generation: request.generation_id,
                        // A static member that comes again takes its place in the same generation.
                        member: request.group_instance_id.unwrap_or(request.member_id).to_owned(),
                    };
                    self.asked.insert((link, header.correlation_id), asked);
                }
            }
            _ => {}
        }
    }

    /// A member that joins anew has given up what it held.
    fn joins(&self, client: usize) -> Result<(), Broken> {
        match self.holds.get(&client).filter(|held| !held.is_empty()) {
            Some(held) => Err((
                "a member gives up what it holds before it joins anew",
                format!("client {client} joins and holds {held:?}"),
            )),
            None => Ok(()),
        }
    }

    fn commits(&self, client: usize, request: &OffsetCommitRequest<'_>) -> Result<(), Broken> {
        for topic in &request.topics {
            let Some(number) = self.names.get(topic.name).or_else(|| self.ids.get(&topic.topic_id.0)).copied() else {
                return Err(("only known topics are committed", format!("client {client}: {topic:?}")));
            };
            for partition in &topic.partitions {
                let place = (number, partition.partition_index);
                if self.lost.contains(&(client, place)) {
                    let words = format!("client {client} commits {} of {place:?}", partition.committed_offset);
                    return Err(("what is lost is not committed any more", words));
                }
                let allowed = self.allowed.get(&(client, place)).copied().unwrap_or(-1);
                if partition.committed_offset > allowed {
                    let words = format!(
                        "client {client} commits {} of {place:?}, and was given all before {allowed}",
                        partition.committed_offset
                    );
                    return Err(("commits never run ahead of what was given or stored", words));
                }
            }
        }
        Ok(())
    }

    /// An answer is on its way to a client.
    pub(crate) fn answer(&mut self, link: LinkId, frame: &[u8]) -> Result<(), Broken> {
        let correlation_id = frame.first_chunk::<4>().map_or(0, |four| i32::from_be_bytes(*four));
        let Some(asked) = self.asked.remove(&(link, correlation_id)) else { return Ok(()) };
        let mut reader = Reader::new(frame);
        if decode_response_header(&mut reader, ApiKey::SyncGroup, asked.version).is_err() {
            return Ok(());
        }
        let Ok(response) = SyncGroupResponse::decode(&mut reader, asked.version) else { return Ok(()) };
        if response.error_code != 0 {
            return Ok(());
        }
        let mut reader = Reader::new(response.assignment);
        let version = reader.i16().unwrap_or_default().clamp(0, 3);
        let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut reader, version) else { return Ok(()) };
        let owners = self.owners.entry((asked.group.clone(), asked.generation)).or_default();
        for topic in &assignment.assigned_partitions {
            let Some(number) = self.names.get(topic.topic).copied() else { continue };
            for partition in &topic.partitions {
                let before = owners.insert((number, *partition), asked.member.clone());
                if before.as_ref().is_some_and(|before| *before != asked.member) {
                    let words = format!(
                        "{} [{partition}] is {}'s and {before:?}'s in generation {} of {}",
                        topic.topic, asked.member, asked.generation, asked.group
                    );
                    return Err(("no partition has two owners in one generation", words));
                }
            }
        }
        Ok(())
    }

    /// An application assigned these; it begins behind what is committed, which it may commit again.
    pub(crate) fn assigned(&mut self, client: usize, places: impl Iterator<Item = Place>) {
        let places: BTreeSet<Place> = places.collect();
        for place in &places {
            self.lost.remove(&(client, *place));
        }
        self.holds.insert(client, places);
    }

    /// The revoke callback of an application begins, or its process ends.
    pub(crate) fn revoked(&mut self, client: usize) {
        self.holds.remove(&client);
    }

    /// The callback of an application begins that tells it that its partitions are lost.
    pub(crate) fn lost(&mut self, client: usize) {
        let held = self.holds.remove(&client).unwrap_or_default();
        self.lost.extend(held.into_iter().map(|place| (client, place)));
    }

    /// Whether an application has taken an assignment, be it empty.
    pub(crate) fn has_assigned(&self, client: usize) -> bool {
        self.holds.contains_key(&client)
    }

    pub(crate) fn holds(&self, client: usize, place: Place) -> bool {
        self.holds.get(&client).is_some_and(|held| held.contains(&place))
    }

    /// A client may commit up to this offset.
    pub(crate) fn allow(&mut self, client: usize, place: Place, offset: i64) {
        let allowed = self.allowed.entry((client, place)).or_insert(-1);
        *allowed = (*allowed).max(offset);
    }

    /// A record was handed over to a member of a group.
    pub(crate) fn gave(&mut self, place: Place, offset: i64) {
        *self.given.entry(place).or_default().entry(offset).or_default() += 1;
    }

    /// What the coordinator holds as committed now.
    pub(crate) fn is_committed(&mut self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<(), Broken> {
        let Some(number) = self.names.get(topic).copied() else { return Ok(()) };
        let before = self.committed.insert((group.to_owned(), (number, partition)), offset);
        match before.filter(|before| *before > offset) {
            Some(before) => Err((
                "commits never go back",
                format!("{topic} [{partition}] of {group} was committed to {before}, then to {offset}"),
            )),
            None => Ok(()),
        }
    }

    /// The committed offset of a partition.
    pub(crate) fn committed(&self, group: &str, place: Place) -> Option<i64> {
        self.committed.get(&(group.to_owned(), place)).copied()
    }
}
