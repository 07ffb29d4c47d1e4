//! Which connections are made, how they become ready, and what is said when they fail.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::primitives::{Message, Reader, Writer};

use super::{machine, scenario};
use crate::client::{Command, Event};
use crate::machine::{ConnectionId, DisconnectCause, Frame, Input, Lane, Machine, NodeId, Now, Output};
use crate::scenario::{MS, SECOND};

/// The outputs of one turn of a machine without a scenario around it.
fn outputs(machine: &mut crate::client::ClientMachine, now: Now) -> Vec<Output<Event>> {
    let mut all = Vec::new();
    loop {
        match machine.poll(now) {
            Output::Wait { .. } => return all,
            output => all.push(output),
        }
    }
}

fn at(us: u64) -> Now {
    Now { mono_us: us, wall_ms: 0 }
}

fn opened(machine: &mut crate::client::ClientMachine, now: Now) -> ConnectionId {
    let found = outputs(machine, now);
    match &found[..] {
        [Output::Connect { connection, node: NodeId(-1), lane: Lane::General, endpoint }] => {
            assert_eq!((&*endpoint.host, endpoint.port), ("bootstrap", 9092));
            *connection
        }
        other => panic!("{other:?}"),
    }
}

/// The version and correlation id of the ApiVersions request among the outputs.
fn handshake(outputs: &[Output<Event>]) -> (i16, i32) {
    let sent = outputs.iter().find_map(|output| match output {
        Output::Send { request, .. } => Some(request.parts().collect::<Vec<_>>().concat()),
        _ => None,
    });
    let bytes = sent.expect("a request");
    let mut reader = Reader::new(&bytes[4..]);
    let header = ottla_protocol::header::decode_request_header(&mut reader).expect("a header");
    assert_eq!(header.api_key, ApiKey::ApiVersions as i16);
    let request = ApiVersionsRequest::decode(&mut reader, header.api_version).expect("a body");
    if header.api_version >= 3 {
        assert_eq!(request.client_software_name, "ottla");
    }
    (header.api_version, header.correlation_id)
}

fn versions_answer(correlation_id: i32, version: i16, error_code: i16, highest: i16) -> Frame {
    let mut writer = Writer::new();
    writer.i32(correlation_id);
    let range = |api_key, max_version| ApiVersion { api_key, min_version: 0, max_version, ..Default::default() };
    let api_keys = vec![range(ApiKey::ApiVersions as i16, highest), range(ApiKey::Metadata as i16, 9)];
    let response = ApiVersionsResponse { error_code, api_keys, ..Default::default() };
    response.encode(&mut writer, version).expect("a response");
    Frame::new(writer.into_parts().0)
}

#[test]
fn a_broker_that_is_too_old_for_our_handshake_is_asked_again() {
    let mut machine = machine();
    let connection = opened(&mut machine, at(0));
    machine.handle(at(0), Input::Connected { connection });
    let (version, correlation_id) = handshake(&outputs(&mut machine, at(0)));
    assert_eq!(version, ApiKey::ApiVersions.latest_stable_version());
    machine.handle(at(0), Input::Response { connection, frame: versions_answer(correlation_id, 0, 35, 2) });
    let (version, correlation_id) = handshake(&outputs(&mut machine, at(0)));
    assert_eq!(version, 2);
    machine.handle(at(0), Input::Response { connection, frame: versions_answer(correlation_id, 2, 0, 2) });
    assert!(!outputs(&mut machine, at(0)).iter().any(|output| matches!(output, Output::Event(Event::Error(_)))));
}

#[test]
fn connecting_and_the_handshake_have_their_time_outs() {
    for connected in [false, true] {
        let mut machine = machine();
        let connection = opened(&mut machine, at(0));
        if connected {
            machine.handle(at(0), Input::Connected { connection });
        }
        let limit = if connected { 10 * SECOND } else { 30 * SECOND };
        let before = outputs(&mut machine, at(limit - 1));
        assert!(!before.iter().any(|output| matches!(output, Output::Close { .. })), "{before:?}");
        let after = outputs(&mut machine, at(limit));
        assert!(
            after.iter().any(|output| matches!(output, Output::Close { connection: other } if *other == connection))
        );
        assert!(after.iter().any(|output| matches!(output, Output::Event(Event::Error(_)))));
    }
}

#[test]
fn what_was_not_asked_for_closes_the_connection_and_is_reported() {
    let mut scenario = scenario();
    scenario.turn();
    let (&connection, _) = scenario.connections.first_key_value().expect("a connection");
    scenario.machine.handle(scenario.now, Input::Response { connection, frame: Frame::new(vec![0; 8]) });
    scenario.turn();
    assert!(!scenario.connections.contains_key(&connection));
    assert_eq!(scenario.errors(), [-199]);
}

#[test]
fn a_wrong_bootstrap_address_is_told_at_once_with_what_to_check() {
    let mut scenario = scenario();
    scenario.down = vec![NodeId(-1)];
    scenario.turn();
    assert_eq!(scenario.errors(), [-195, -187]);
    let text = scenario.events.iter().find_map(|event| match event {
        Event::Error(error) => Some(error.message().into_owned()),
        _ => None,
    });
    let text = text.expect("an error");
    assert!(
        text.contains("bootstrap:9092/bootstrap") && text.contains("refused") && text.contains("bootstrap.servers"),
        "{text}"
    );
    for _ in 0..20 {
        scenario.forward(SECOND);
        scenario.turn();
    }
    let downs = scenario.errors().iter().filter(|code| **code == -187).count();
    assert_eq!(downs, 1, "all brokers down is said once until one is up");
    assert!(scenario.attempts.len() > 3, "and goes on trying");
}

#[test]
fn known_brokers_that_cannot_be_reached_lead_back_to_bootstrap() {
    let mut scenario = scenario();
    scenario.turn();
    scenario.down = vec![NodeId(0), NodeId(1)];
    scenario.disconnect(NodeId(-1));
    let before = scenario.attempts.len();
    for request in 0..3 {
        scenario.command(Command::Metadata { request, topics: None, deadline_us: scenario.now.mono_us + 10 * SECOND });
        scenario.turn();
        scenario.forward(150 * MS);
        scenario.turn();
    }
    let nodes: Vec<i32> = scenario.attempts[before..].iter().map(|(_, node)| node.0).collect();
    assert!(nodes.contains(&-1), "{nodes:?}");
    let replies = scenario.events.iter().filter(|event| matches!(event, Event::Reply { result: Ok(_), .. })).count();
    assert_eq!(replies, 3);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let mut settings =
        crate::config::AdminSettings { connection: crate::scenario::connection_settings(), request_timeout_us: SECOND };
    settings.connection.connections_max_idle_us = 60 * SECOND;
    settings.connection.topic_metadata_refresh_interval_us = None;
    let mut scenario = crate::scenario::Scenario::new(crate::client::ClientMachine::admin(&settings, 1));
    scenario.turn();
    assert_eq!(scenario.connections.len(), 1);
    scenario.forward(61 * SECOND);
    scenario.turn();
    assert!(scenario.connections.is_empty() && scenario.errors().is_empty());
}

#[test]
fn a_broker_that_closes_an_idle_connection_is_in_its_right() {
    let mut scenario = scenario();
    scenario.turn();
    scenario.disconnect(NodeId(-1));
    scenario.turn();
    assert_eq!(scenario.errors(), [] as [i32; 0]);
}

#[test]
fn a_broker_that_moved_is_connected_to_at_its_new_address() {
    let mut network = crate::connection::Network::new(crate::scenario::connection_settings(), 1);
    let endpoint = |host: &str| crate::machine::Endpoint { host: host.into(), port: 1 };
    network.update_brokers(&[(NodeId(5), endpoint("old"))]);
    assert!(network.ready(at(0), NodeId(5), Lane::Fetch).is_none());
    network.update_brokers(&[(NodeId(5), endpoint("new"))]);
    assert!(network.ready(at(0), NodeId(5), Lane::Fetch).is_none());
    let mut hosts = Vec::new();
    while let Some(output) = network.poll_output() {
        match output {
            crate::connection::NetworkOutput::Connect { endpoint, .. } => hosts.push(endpoint.host.to_string()),
            crate::connection::NetworkOutput::Close { .. } => hosts.push("closed".to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(hosts, ["old", "closed", "new"]);
}

#[test]
fn closing_ends_everything_and_says_so_last() {
    let mut scenario = scenario();
    scenario.turn();
    scenario.command(Command::Watermarks { request: 9, topic: "t".into(), partition: 0, deadline_us: u64::MAX });
    scenario.command(Command::Close);
    scenario.turn();
    assert!(scenario.connections.is_empty());
    let destroyed =
        |event: &Event| matches!(event, Event::Reply { request: 9, result: Err(error) } if error.code() == -197);
    assert!(scenario.events.iter().any(destroyed));
    assert!(matches!(scenario.events.last(), Some(Event::Stopped)));
    let cause = DisconnectCause::Closed;
    scenario.machine.handle(scenario.now, Input::Disconnected { connection: ConnectionId(1), cause });
    assert_eq!(scenario.turn(), None);
}
