//! E1 and E2: what is parked or throttled on one lane holds nothing up on another.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::fetch::FetchResponse;
use ottla_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use crate::client::{ClientMachine, Command, Event, Reply};
use crate::config::ConsumerSettings;
use crate::config::confluent::{Config, Role};
use crate::consumer::{Assigned, FetchBuffer, PreparedAssignment, StartOffset};
use crate::group::StoredOffset;
use crate::machine::Lane;
use crate::scenario::{MS, SECOND, Scenario, connection_settings, name};

struct Reader {
    scenario: Scenario,
    buffer: FetchBuffer,
}

impl Reader {
    /// A consumer that reads `t` by assignment and joins a group for it, with its Fetch and its JoinGroup parked.
    fn parked() -> Self {
        let mut config = Config::new(Role::Consumer);
        for (key, value) in [("bootstrap.servers", "bootstrap:9092"), ("group.id", "g"), ("fetch.wait.max.ms", "20000")]
        {
            config.set(key, value.into()).unwrap();
        }
        let settings = ConsumerSettings { connection: connection_settings(), ..config.consumer().unwrap().settings };
        let mut scenario = Scenario::new(ClientMachine::consumer(&settings, 7));
        scenario.topic("t", &[(0, 0)]);
        let mut reader = Self { scenario, buffer: FetchBuffer::new(&settings) };
        let start = StartOffset::Offset(0);
        let assigned = vec![Assigned { topic: name("t"), partition: 0, start }];
        drop(reader.buffer.assign(PreparedAssignment::new(assigned).unwrap()));
        reader.scenario.command(Command::Subscribe { request: 1, topics: vec![name("t")] });
        reader.settle();
        let asked = reader.scenario.oldest(ApiKey::FindCoordinator).unwrap();
        let found = Coordinator { key: "g", node_id: 0, host: "broker0", port: 9092, ..Default::default() };
        reader.scenario.answer(&asked, &FindCoordinatorResponse { coordinators: vec![found], ..Default::default() });
        reader.settle();
        let lane = |api| reader.scenario.oldest(api).map(|asked| (asked.node.0, asked.lane));
        assert_eq!(lane(ApiKey::Fetch), Some((0, Lane::Fetch)));
        assert_eq!(lane(ApiKey::JoinGroup), Some((0, Lane::Group)));
        reader.scenario.events.clear();
        reader
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            self.scenario.turn();
            self.scenario.machine.exchange_consumer(self.scenario.now, &mut self.buffer);
        }
    }

    fn commit(&mut self, request: u64) {
        let offsets =
            vec![StoredOffset { topic: name("t"), partition: 0, offset: 4, leader_epoch: -1, metadata: None }];
        let deadline_us = Some(self.scenario.now.mono_us + 10 * SECOND);
        self.scenario.command(Command::Commit { request: Some(request), offsets, stored: false, deadline_us });
        self.settle();
    }

    /// The broker answers the commit that waits, and asks to be left alone for so long.
    fn commit_answered(&mut self, throttle_time_ms: i32) {
        let asked = self.scenario.oldest(ApiKey::OffsetCommit).expect("a commit");
        assert_eq!(asked.lane, Lane::General);
        let topic = asked.decode::<OffsetCommitRequest<'_>>().topics[0].clone();
        let partitions = vec![OffsetCommitResponsePartition::default()];
        let topics = vec![OffsetCommitResponseTopic { name: topic.name, topic_id: topic.topic_id, partitions }];
        self.scenario.answer(&asked, &OffsetCommitResponse { throttle_time_ms, topics });
        self.settle();
    }

    fn replied(&self, wanted: u64) -> bool {
        let reply = |event: &Event| matches!(event, Event::Reply { request, result: Ok(Reply::Offsets(_)) } if *request == wanted);
        self.scenario.events.iter().any(reply)
    }

    fn waiting(&self, api: ApiKey) -> usize {
        self.scenario.asked.iter().filter(|asked| asked.api == api).count()
    }
}

#[test]
fn a_commit_is_answered_while_fetch_and_join_are_parked() {
    let mut reader = Reader::parked();
    reader.commit(5);
    reader.commit_answered(0);
    assert!(reader.replied(5));
    assert_eq!((reader.waiting(ApiKey::Fetch), reader.waiting(ApiKey::JoinGroup)), (1, 1), "parked all along");
}

#[test]
fn a_throttled_lane_is_mute_while_the_others_go_on() {
    let mut reader = Reader::parked();
    let fetch = reader.scenario.oldest(ApiKey::Fetch).unwrap();
    reader.scenario.answer(&fetch, &FetchResponse { throttle_time_ms: 3000, ..Default::default() });
    reader.settle();
    assert_eq!(reader.waiting(ApiKey::Fetch), 0, "KIP-219");
    reader.commit(5);
    reader.commit_answered(2000);
    assert!(reader.replied(5), "another lane goes on");
    reader.commit(6);
    assert_eq!(reader.waiting(ApiKey::OffsetCommit), 0, "now this one is mute too");
    reader.scenario.forward(2000 * MS);
    reader.settle();
    assert_eq!((reader.waiting(ApiKey::OffsetCommit), reader.waiting(ApiKey::Fetch)), (1, 0));
    reader.commit_answered(0);
    assert!(reader.replied(6));
    reader.scenario.forward(1000 * MS);
    reader.settle();
    assert_eq!(reader.waiting(ApiKey::Fetch), 1);
}

#[test]
fn who_subscribes_and_is_no_member_commits_nothing_unasked() {
    let mut reader = Reader::parked();
    let mut given = StoredOffset { topic: name("t"), partition: 0, offset: 4, leader_epoch: -1, metadata: None };
    reader.buffer.store(&mut given).unwrap();
    for _ in 0..20 {
        reader.scenario.forward(SECOND);
        reader.settle();
    }
    assert_eq!(reader.waiting(ApiKey::OffsetCommit), 0);
    reader.scenario.command(Command::Unsubscribe { request: 99 });
    reader.settle();
    for _ in 0..6 {
        reader.scenario.forward(SECOND);
        reader.settle();
    }
    assert_eq!(reader.waiting(ApiKey::OffsetCommit), 1, "one that assigns by hand does");
}
