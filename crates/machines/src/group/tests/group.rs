//! A consumer whose coordinator is the test: requests of the group are taken one by one, and answered as the test says.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use ottla_protocol::messages::heartbeat::HeartbeatResponse;
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use ottla_protocol::messages::leave_group::LeaveGroupResponse;
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use crate::client::{ClientMachine, Command, Event, Reply};
use crate::config::{Assignor, ConsumerSettings, GroupSettings, Isolation, OffsetReset};
use crate::consumer::FetchBuffer;
use crate::group::subscription_metadata::{read_assignment, write_assignment, write_subscription};
use crate::group::{ConsumerError, Rebalance, RebalanceKind};
use crate::machine::{Lane, NodeId};
use crate::scenario::{Asked, MS, SECOND, Scenario, connection_settings, name};

pub(super) const HEARTBEAT: u64 = 3 * SECOND;
pub(super) const SESSION: u64 = 45 * SECOND;
pub(super) const MAX_POLL: u64 = 300 * SECOND;

pub(super) fn settings() -> ConsumerSettings {
    let mut connection = connection_settings();
    connection.allow_auto_create_topics = false;
    ConsumerSettings {
        connection,
        group: GroupSettings {
            group_id: "g".to_owned(),
            instance_id: None,
            protocol_type: "consumer".to_owned(),
            assignors: vec![Assignor::Range, Assignor::RoundRobin],
            session_timeout_ms: 45_000,
            heartbeat_interval_us: HEARTBEAT,
            max_poll_interval_us: MAX_POLL,
            coordinator_query_interval_us: 600 * SECOND,
        },
        auto_commit_interval_us: None,
        store_on_handover: true,
        isolation: Isolation::ReadCommitted,
        auto_offset_reset: OffsetReset::Latest,
        fetch_min_bytes: 1,
        fetch_wait_max_ms: 500,
        fetch_max_bytes: 52_428_800,
        max_partition_fetch_bytes: 1_048_576,
        queued_max_bytes: 65_536 << 10,
        fetch_error_backoff_us: 500 * MS,
        check_crcs: true,
        partition_eof: false,
        rack: String::new(),
    }
}

/// See the module.
pub(super) struct Group {
    pub(super) scenario: Scenario,
    pub(super) buffer: FetchBuffer,
    /// The broker that FindCoordinator names; `Err` answers so.
    pub(super) coordinator: Result<i32, i16>,
    pub(super) lookups: usize,
    /// Whether the application polls.
    pub(super) polls: bool,
    next_request: u64,
}

impl Group {
    pub(super) fn new() -> Self {
        Self::with(&settings())
    }

    pub(super) fn with(settings: &ConsumerSettings) -> Self {
        let mut scenario = Scenario::new(ClientMachine::consumer(settings, 7));
        scenario.topic("t", &[(0, 1), (0, 1)]);
        Self {
            scenario,
            buffer: FetchBuffer::new(settings),
            coordinator: Ok(1),
            lookups: 0,
            polls: true,
            next_request: 1,
        }
    }

    /// One that has an instance id, `i1` (KIP-345).
    pub(super) fn of_static_member() -> Self {
        let mut settings = settings();
        settings.group.instance_id = Some("i1".to_owned());
        Self::with(&settings)
    }

    /// A member that is the only one of generation 1 and has `t` 0 and 1.
    pub(super) fn steady() -> Self {
        Self::new().at_rest()
    }

    /// It has subscribed, and has `t` 0 and 1 in generation 1 as the only member.
    pub(super) fn at_rest(mut self) -> Self {
        self.subscribe(&["t"]);
        self.join_alone(1);
        self.acknowledge();
        self
    }

    /// Everything that happens now; FindCoordinator is answered at once.
    pub(super) fn turn(&mut self) {
        loop {
            self.buffer.polled |= self.polls;
            self.scenario.machine.exchange_consumer(self.scenario.now, &mut self.buffer);
            self.scenario.turn();
            let Some(asked) = self.scenario.oldest(ApiKey::FindCoordinator) else { return };
            self.lookups += 1;
            let (node_id, error_code) = match self.coordinator {
                Ok(node) => (node, 0),
                Err(code) => (-1, code),
            };
            let host = format!("broker{node_id}");
            let (host, port) = if error_code == 0 { (&*host, 9092) } else { ("", -1) };
            let found = Coordinator { key: "g", node_id, host, port, error_code, error_message: None };
            let response = match asked.version {
                ..4 => FindCoordinatorResponse { error_code, node_id, host, port, ..Default::default() },
                _ => FindCoordinatorResponse { coordinators: vec![found], ..Default::default() },
            };
            self.scenario.answer(&asked, &response);
        }
    }

    /// Lets time pass, with everything that is due in it.
    pub(super) fn pass(&mut self, us: u64) {
        let until = self.scenario.now.mono_us + us;
        loop {
            self.turn();
            let due = self.scenario.turn().filter(|at| *at < until);
            let Some(at) = due else { break };
            self.scenario.forward(at.saturating_sub(self.scenario.now.mono_us).max(1));
        }
        self.scenario.forward(until - self.scenario.now.mono_us);
        self.turn();
    }

    pub(super) fn command(&mut self, command: impl FnOnce(u64) -> Command) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        self.scenario.command(command(request));
        self.turn();
        request
    }

    pub(super) fn subscribe(&mut self, topics: &[&str]) -> u64 {
        let topics = topics.iter().map(|topic| name(topic)).collect();
        self.command(|request| Command::Subscribe { request, topics })
    }

    pub(super) fn unsubscribe(&mut self) -> u64 {
        self.command(|request| Command::Unsubscribe { request })
    }

    pub(super) fn leave(&mut self, within_us: u64) -> u64 {
        let deadline_us = self.scenario.now.mono_us + within_us;
        self.command(|request| Command::Leave { request, deadline_us })
    }

    /// The next request of this API, which must be there and on the group's lane to the coordinator.
    pub(super) fn asked(&mut self, api: ApiKey) -> Asked {
        self.turn();
        let asked = self.scenario.oldest(api).unwrap_or_else(|| panic!("no {api:?} was sent"));
        let lane = if api == ApiKey::LeaveGroup { Lane::General } else { Lane::Group };
        assert_eq!((Ok(asked.node.0), asked.lane), (self.coordinator, lane));
        asked
    }

    pub(super) fn sent(&mut self, api: ApiKey) -> bool {
        self.turn();
        self.scenario.oldest(api).is_some()
    }

    pub(super) fn refuse_join(&mut self, error_code: i16, member_id: &str) {
        let asked = self.asked(ApiKey::JoinGroup);
        self.scenario.answer(&asked, &JoinGroupResponse { error_code, member_id, ..Default::default() });
        self.turn();
    }

    /// Answers JoinGroup: this member is `me`, the leader of `generation` with these other members and their topics.
    pub(super) fn lead(&mut self, generation_id: i32, protocol: &str, others: &[(&str, &[&str])]) {
        let asked = self.asked(ApiKey::JoinGroup);
        let request: JoinGroupRequest<'_> = asked.decode();
        let mine = request.protocols[0].metadata.to_vec();
        let theirs: Vec<Vec<u8>> = others
            .iter()
            .map(|(_, topics)| {
                let topics: Vec<Arc<str>> = topics.iter().map(|topic| name(topic)).collect();
                write_subscription(topics.iter())
            })
            .collect();
        let mut members = vec![JoinGroupResponseMember { member_id: "me", metadata: &mine, ..Default::default() }];
        members.extend(others.iter().zip(&theirs).map(|((member_id, _), metadata)| JoinGroupResponseMember {
            member_id,
            metadata,
            ..Default::default()
        }));
        let response = JoinGroupResponse {
            generation_id,
            protocol_name: Some(protocol),
            protocol_type: Some("consumer"),
            leader: "me",
            member_id: "me",
            members,
            ..Default::default()
        };
        self.scenario.answer(&asked, &response);
        self.turn();
    }

    /// Answers JoinGroup: another leads.
    pub(super) fn follow(&mut self, generation_id: i32) {
        let asked = self.asked(ApiKey::JoinGroup);
        let response = JoinGroupResponse {
            generation_id,
            protocol_name: Some("range"),
            protocol_type: Some("consumer"),
            leader: "other",
            member_id: "me",
            ..Default::default()
        };
        self.scenario.answer(&asked, &response);
        self.turn();
    }

    /// What the leader sends: who gets what.
    pub(super) fn shares(&mut self) -> BTreeMap<String, Vec<(String, i32)>> {
        let asked = self.asked(ApiKey::SyncGroup);
        let request: SyncGroupRequest<'_> = asked.decode();
        let read = |bytes: &[u8]| {
            let partitions = read_assignment(bytes).expect("an assignment can be read");
            partitions.into_iter().map(|(topic, partition)| (topic.to_string(), partition)).collect()
        };
        request.assignments.iter().map(|each| (each.member_id.to_owned(), read(each.assignment))).collect()
    }

    pub(super) fn sync(&mut self, partitions: &[(&str, i32)]) {
        let mut share: BTreeMap<Arc<str>, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in partitions {
            share.entry(name(topic)).or_default().push(*partition);
        }
        let assignment = write_assignment(&share);
        let asked = self.asked(ApiKey::SyncGroup);
        self.scenario.answer(&asked, &SyncGroupResponse { assignment: &assignment, ..Default::default() });
        self.turn();
    }

    pub(super) fn refuse_sync(&mut self, error_code: i16) {
        let asked = self.asked(ApiKey::SyncGroup);
        self.scenario.answer(&asked, &SyncGroupResponse { error_code, ..Default::default() });
        self.turn();
    }

    pub(super) fn beat(&mut self, error_code: i16) {
        let asked = self.asked(ApiKey::Heartbeat);
        self.scenario.answer(&asked, &HeartbeatResponse { error_code, ..Default::default() });
        self.turn();
    }

    pub(super) fn left(&mut self, error_code: i16) {
        let asked = self.asked(ApiKey::LeaveGroup);
        self.scenario.answer(&asked, &LeaveGroupResponse { error_code, ..Default::default() });
        self.turn();
    }

    /// Answers any request of the group: with an error, or well; then with `t` 0 and 1 as the share.
    pub(super) fn answer(&mut self, asked: &Asked, error_code: i16, generation_id: i32, leader: bool) {
        match asked.api {
            ApiKey::JoinGroup => {
                let request: JoinGroupRequest<'_> = asked.decode();
                let metadata = request.protocols[0].metadata.to_vec();
                let group_instance_id = request.group_instance_id;
                let me = JoinGroupResponseMember { member_id: "me", group_instance_id, metadata: &metadata };
                let mut response = JoinGroupResponse { error_code, ..Default::default() };
                if error_code == 0 {
                    response = JoinGroupResponse {
                        generation_id,
                        protocol_name: Some("range"),
                        protocol_type: Some("consumer"),
                        leader: if leader { "me" } else { "other" },
                        member_id: "me",
                        members: if leader { vec![me] } else { Vec::new() },
                        ..Default::default()
                    };
                }
                self.scenario.answer(asked, &response);
            }
            ApiKey::SyncGroup => {
                let share = BTreeMap::from([(name("t"), vec![0, 1])]);
                let bytes = write_assignment(&share);
                let assignment = if error_code == 0 { &*bytes } else { b"" };
                self.scenario.answer(asked, &SyncGroupResponse { error_code, assignment, ..Default::default() });
            }
            ApiKey::Heartbeat => {
                self.scenario.answer(asked, &HeartbeatResponse { error_code, ..Default::default() });
            }
            _ => self.scenario.answer(asked, &LeaveGroupResponse { error_code, ..Default::default() }),
        }
        self.turn();
    }

    /// From JoinGroup to the application's `Assign` of `t` 0 and 1, as the only member.
    pub(super) fn join_alone(&mut self, generation: i32) {
        self.lead(generation, "range", &[]);
        self.sync(&[("t", 0), ("t", 1)]);
        self.assigned(&[("t", 0), ("t", 1)]);
    }

    /// A heartbeat that is answered well, once it is due.
    pub(super) fn heartbeat_after_interval(&mut self, error_code: i16) {
        self.pass(HEARTBEAT);
        self.beat(error_code);
    }

    pub(super) fn rebalances(&self) -> Vec<Rebalance> {
        let rebalance = |event: &Event| match event {
            Event::Rebalance(rebalance) => Some(rebalance.clone()),
            _ => None,
        };
        self.scenario.events.iter().filter_map(rebalance).collect()
    }

    /// The last thing that the application was told, which must be this.
    pub(super) fn told(&self, kind: RebalanceKind, partitions: &[(&str, i32)]) {
        let last = self.rebalances().pop().expect("the application was told nothing");
        let named: Vec<(&str, i32)> = last.partitions.iter().map(|(topic, partition)| (&**topic, *partition)).collect();
        assert_eq!((last.kind, last.incremental, &*named), (kind, false, partitions));
    }

    pub(super) fn assigned(&self, partitions: &[(&str, i32)]) {
        self.told(RebalanceKind::Assign, partitions);
    }

    pub(super) fn revoked(&self, partitions: &[(&str, i32)]) {
        self.told(RebalanceKind::Revoke, partitions);
    }

    pub(super) fn lost(&self, partitions: &[(&str, i32)]) {
        self.told(RebalanceKind::Lost, partitions);
    }

    /// The application has done what it was told last.
    pub(super) fn acknowledge(&mut self) {
        let epoch = self.rebalances().last().expect("the application was told nothing").epoch;
        self.command(|_| Command::Acknowledge { epoch });
    }

    /// Numbers of what the application was told; each may be there once.
    pub(super) fn epochs(&self) -> Vec<u64> {
        self.rebalances().iter().map(|rebalance| rebalance.epoch).collect()
    }

    pub(super) fn consumer_errors(&self) -> Vec<ConsumerError> {
        let error = |event: &Event| match event {
            Event::ConsumerError(error) => Some(error.clone()),
            _ => None,
        };
        self.scenario.events.iter().filter_map(error).collect()
    }

    pub(super) fn error_codes(&self) -> Vec<i32> {
        self.consumer_errors().iter().map(|each| each.error.code()).collect()
    }

    pub(super) fn reply(&self, request: u64) -> Option<Result<String, i32>> {
        self.scenario.events.iter().find_map(|event| match event {
            Event::Reply { request: answered, result } if *answered == request => Some(match result {
                Ok(Reply::Done) => Ok("done".to_owned()),
                Ok(Reply::Group(group)) => Ok(format!("{}:{}", group.member_id, group.generation)),
                Ok(other) => Ok(format!("{other:?}")),
                Err(error) => Err(error.code()),
            }),
            _ => None,
        })
    }

    pub(super) fn member(&mut self) -> String {
        let request = self.command(|request| Command::GroupMetadata { request });
        self.reply(request).expect("an answer").expect("no error")
    }

    pub(super) fn disconnect(&mut self) {
        let node = NodeId(self.coordinator.expect("a coordinator"));
        self.scenario.disconnect(node);
        self.turn();
    }
}
