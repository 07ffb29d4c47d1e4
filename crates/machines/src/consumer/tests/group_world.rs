//! What the brokers of a [`World`] say of the group: who coordinates it, and what is committed. OffsetCommit waits for the
//! test, OffsetFetch is answered at once unless lookups are held.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use ottla_protocol::primitives::{Message, Reader, Uuid};

use super::super::assigning::{PreparedAssignment, Unfit};
use super::super::positions::{Assigned, StartOffset};
use super::world::{Asked, Question, World};
use crate::group::StoredOffset;
use crate::machine::{ConnectionId, Lane};

impl World {
    pub(super) fn commit(&mut self, request: Option<u64>, offsets: Vec<StoredOffset>, deadline_us: Option<u64>) {
        self.commits.commit(self.now, request, offsets, false, deadline_us, &mut self.outbox);
        self.settle();
    }

    pub(super) fn ask_committed(&mut self, request: u64, partitions: &[(&str, i32)], timeout_us: u64) {
        let partitions = partitions.iter().map(|(topic, partition)| ((*topic).into(), *partition)).collect();
        let deadline_us = self.now.mono_us + timeout_us;
        self.commits.committed(request, partitions, deadline_us);
        self.settle();
    }

    /// Adds to the assignment.
    pub(super) fn assign_more(&mut self, partitions: &[(&str, i32, StartOffset)]) {
        let assigned = |&(topic, partition, start): &(&str, i32, _)| Assigned { topic: topic.into(), partition, start };
        let named = partitions.iter().map(assigned).collect();
        let prepared = PreparedAssignment::beside(named, self.buffer.assigned()).unwrap();
        drop(self.buffer.incremental_assign(prepared).map_err(Unfit::into_error).unwrap());
        self.settle();
    }

    /// Takes from the assignment; what is to be committed of it.
    pub(super) fn unassign_some(&mut self, partitions: &[(&str, i32)]) -> Vec<StoredOffset> {
        let start = StartOffset::Invalid;
        let named = |&(topic, partition): &(&str, i32)| Assigned { topic: topic.into(), partition, start };
        let named = partitions.iter().map(named).collect();
        let prepared = PreparedAssignment::beside(named, self.buffer.assigned()).unwrap();
        let displaced = self.buffer.incremental_unassign(prepared).map_err(Unfit::into_error).unwrap();
        displaced.stored_offsets()
    }

    /// The client ends.
    pub(super) fn close_commits(&mut self) {
        self.commits.close(&mut self.outbox);
        self.settle();
    }

    pub(super) fn tell_coordinator(&mut self, connection: ConnectionId, version: i16, correlation_id: i32) {
        assert!(version >= FindCoordinatorRequest::MAX_VERSION - 2, "several groups are asked for at once");
        let host = if self.coordinated_by == 1 { "broker1" } else { "broker2" };
        let found = Coordinator { key: "g", node_id: self.coordinated_by, host, port: 9092, ..Default::default() };
        let response = FindCoordinatorResponse { coordinators: vec![found], ..Default::default() };
        self.respond(connection, ApiKey::FindCoordinator, version, correlation_id, &response);
    }

    pub(super) fn commit_question(&self, lane: Lane, reader: &mut Reader<'_>, version: i16) -> Question {
        let request = OffsetCommitRequest::decode(reader, version).unwrap();
        assert_eq!((lane, request.group_id), (Lane::General, "g"));
        let mut offsets = Vec::new();
        for topic in &request.topics {
            let name = self.known(topic.name, topic.topic_id);
            offsets.extend(topic.partitions.iter().map(|one| {
                let metadata = one.committed_metadata.unwrap_or_default().to_owned();
                (name, one.partition_index, one.committed_offset, one.committed_leader_epoch, metadata)
            }));
        }
        Question::Commit { member: (request.member_id.to_owned(), request.generation_id_or_member_epoch), offsets }
    }

    pub(super) fn lookup_question(&self, lane: Lane, reader: &mut Reader<'_>, version: i16) -> Question {
        let request = OffsetFetchRequest::decode(reader, version).unwrap();
        assert_eq!((lane, request.groups[0].group_id), (Lane::General, "g"));
        let mut asked = Vec::new();
        for topic in request.groups.iter().flat_map(|group| group.topics.iter().flatten()) {
            let name = self.known(topic.name, topic.topic_id);
            asked.extend(topic.partition_indexes.iter().map(|partition| (name, *partition)));
        }
        Question::Lookup(asked)
    }

    pub(super) fn known(&self, name: &str, id: Uuid) -> &'static str {
        let known = self.topics.iter().find(|known| known.name == name || Uuid([known.id; 16]) == id);
        known.map_or("?", |topic| topic.name)
    }

    /// Takes out the next OffsetCommit that waits.
    pub(super) fn next_commit(&mut self) -> Asked {
        let at = self.asked.iter().position(|asked| matches!(asked.question, Question::Commit { .. }));
        self.asked.remove(at.expect("no OffsetCommit was sent")).unwrap()
    }

    /// How many OffsetCommits wait for their answers.
    pub(super) fn commits_asked(&self) -> usize {
        self.asked.iter().filter(|asked| matches!(asked.question, Question::Commit { .. })).count()
    }

    /// Answers the next OffsetCommit with one code for all; returns topic, partition and offset of what it commits.
    pub(super) fn answer_commit(&mut self, code: i16) -> Vec<(&'static str, i32, i64)> {
        let asked = self.next_commit();
        self.answer_commit_with(&asked, &|_, _| code)
    }

    pub(super) fn answer_commit_with(
        &mut self,
        asked: &Asked,
        code: &dyn Fn(&str, i32) -> i16,
    ) -> Vec<(&'static str, i32, i64)> {
        let Question::Commit { offsets, .. } = &asked.question else { unreachable!() };
        let topics = offsets.iter().map(|(topic, partition, ..)| {
            let one =
                OffsetCommitResponsePartition { partition_index: *partition, error_code: code(topic, *partition) };
            let (name, topic_id) = self.named(topic, asked.version);
            OffsetCommitResponseTopic { name, topic_id, partitions: vec![one] }
        });
        let response = OffsetCommitResponse { topics: topics.collect(), ..Default::default() };
        self.respond(asked.connection, ApiKey::OffsetCommit, asked.version, asked.correlation_id, &response);
        self.settle();
        offsets.iter().map(|(topic, partition, offset, ..)| (*topic, *partition, *offset)).collect()
    }

    /// The name or the id of a topic, as the version has it.
    fn named(&self, topic: &'static str, version: i16) -> (&'static str, Uuid) {
        let id = self.topics.iter().find(|known| known.name == topic).map_or(0, |known| known.id);
        if version > 9 { ("", Uuid([id; 16])) } else { (topic, Uuid::ZERO) }
    }

    /// Takes out the next OffsetFetch that waits.
    pub(super) fn next_lookup(&mut self) -> Asked {
        let at = self.asked.iter().position(|asked| matches!(asked.question, Question::Lookup(_)));
        self.asked.remove(at.expect("no OffsetFetch was sent")).unwrap()
    }

    /// Answers an OffsetFetch with what is committed, or these codes of the group and of each partition.
    pub(super) fn answer_lookup(&mut self, asked: &Asked, group: i16, partition: i16) {
        let Question::Lookup(partitions) = &asked.question else { unreachable!() };
        let topics = partitions.iter().map(|(topic, number)| {
            let (committed_offset, committed_leader_epoch) =
                self.committed.get(&(*topic, *number)).copied().unwrap_or((-1, -1));
            let one = OffsetFetchResponsePartitions {
                partition_index: *number,
                committed_offset,
                committed_leader_epoch,
                metadata: Some(""),
                error_code: partition,
            };
            let (name, topic_id) = self.named(topic, asked.version);
            OffsetFetchResponseTopics { name, topic_id, partitions: vec![one] }
        });
        let groups = vec![OffsetFetchResponseGroup { group_id: "g", topics: topics.collect(), error_code: group }];
        let response = OffsetFetchResponse { groups, ..Default::default() };
        self.respond(asked.connection, ApiKey::OffsetFetch, asked.version, asked.correlation_id, &response);
    }
}
