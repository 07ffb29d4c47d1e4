//! Every state of a connection under every input, as a table. Scenarios of whole clients stand in `client/tests`.
use ottla_protocol::header::encode_response_header;
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::messages::metadata::MetadataRequest;

use super::*;
use crate::scenario::{SECOND, connection_settings};

const NODE: NodeId = NodeId(-1);
const UNSUPPORTED_VERSION: i16 = 35;

/// One connection of one node, and the time.
struct World {
    network: Network,
    now: Now,
    connection: ConnectionId,
}

impl World {
    fn connecting() -> Self {
        let settings = ConnectionSettings { connections_max_idle_us: 90 * SECOND, ..connection_settings() };
        let mut network = Network::new(settings, 1);
        let now = Now { mono_us: SECOND, wall_ms: 0 };
        assert_eq!(network.ready(now, NODE, Lane::General), None);
        Self { network, now, connection: ConnectionId(1) }
    }

    fn handshaking() -> Self {
        let mut world = Self::connecting();
        world.network.connected(world.now, world.connection);
        world
    }

    fn ready() -> Self {
        let mut world = Self::handshaking();
        world.versions(0);
        world
    }

    fn asking() -> Self {
        let mut world = Self::ready();
        let request = MetadataRequest::default();
        let (network, connection) = (&mut world.network, world.connection);
        network.request(world.now, connection, 9, &request, Tag::Metadata, 5 * SECOND, &[]).expect("encodes");
        world
    }

    fn muted() -> Self {
        let mut world = Self::ready();
        world.network.throttle(world.now, world.connection, 1000);
        world
    }

    fn answer(&mut self, write: impl FnOnce(&mut Writer, i16)) {
        let front = self.network.connections.get(&self.connection).and_then(|entry| entry.in_flight.front().cloned());
        let (api, version, id) = front.map_or((ApiKey::Metadata, 9, 1), |it| (it.api, it.version, it.correlation_id));
        let mut writer = Writer::new();
        encode_response_header(&mut writer, api, version, id);
        write(&mut writer, version);
        self.network.response(self.now, self.connection, Frame::new(writer.into_parts().0));
    }

    /// An answer to ApiVersions, at version 0 where it is an error (KIP-511).
    fn versions(&mut self, error_code: i16) {
        let key = |api: ApiKey| ApiVersion {
            api_key: api as i16,
            min_version: 0,
            max_version: if error_code == 0 { api.latest_stable_version() } else { 2 },
            ..Default::default()
        };
        let api_keys = vec![key(ApiKey::ApiVersions), key(ApiKey::Metadata)];
        let response = ApiVersionsResponse { error_code, api_keys, ..Default::default() };
        self.answer(|writer, version| {
            let version = if error_code == 0 { version.min(ApiKey::ApiVersions.latest_stable_version()) } else { 0 };
            response.encode(writer, version).expect("encodes");
        });
    }

    fn pass(&mut self, us: u64) {
        self.now.mono_us += us;
        self.network.tick(self.now);
    }

    /// The state of the connection and its node, in words.
    fn word(&mut self) -> String {
        let lost = std::iter::from_fn(|| self.network.poll_failure()).count();
        let lost = if lost == 0 { "" } else { ", its request failed" };
        let Some(entry) = self.network.connections.get(&self.connection) else {
            let node = &self.network.nodes[&NODE];
            let down = if node.down { ", down" } else { "" };
            let wait = if node.wait_until_us > self.now.mono_us { ", waits" } else { "" };
            assert_eq!(node.lanes, [None; LANES], "a lane without its connection");
            return format!("Gone{down}{wait}{lost}");
        };
        let waiting = entry.in_flight.front().map(|front| match front.tag {
            Tag::Handshake => format!(" with version {}", front.version),
            _ => ", asking".to_owned(),
        });
        let muted = if entry.muted_until_us > self.now.mono_us { ", muted" } else { "" };
        let state = match entry.state {
            State::Connecting => "Connecting",
            State::Handshaking => "Handshaking",
            State::Ready { .. } => "Ready",
        };
        format!("{state}{}{muted}{lost}", waiting.unwrap_or_default())
    }
}

#[test]
fn the_table_of_transitions_is_as_kept() {
    type Act = (&'static str, fn(&mut World));
    let inputs: [Act; 14] = [
        ("connected", |world| world.network.connected(world.now, world.connection)),
        ("refused", |world| {
            world.network.disconnected(world.now, world.connection, &DisconnectCause::Refused("no".into()));
        }),
        ("closed by the broker", |world| {
            world.network.disconnected(world.now, world.connection, &DisconnectCause::Closed);
        }),
        ("versions", |world| world.versions(0)),
        ("versions, ours is too new", |world| world.versions(UNSUPPORTED_VERSION)),
        ("versions, another error", |world| world.versions(3)),
        ("an answer for another request", |world| {
            let frame = Frame::new(vec![0x7f, 0, 0, 0, 0]);
            world.network.response(world.now, world.connection, frame);
        }),
        ("not to be trusted", |world| world.network.distrust(world.now, world.connection, "nonsense")),
        ("throttled", |world| world.network.throttle(world.now, world.connection, 50)),
        ("6 s", |world| world.pass(6 * SECOND)),
        ("11 s", |world| world.pass(11 * SECOND)),
        ("31 s", |world| world.pass(31 * SECOND)),
        ("91 s", |world| world.pass(91 * SECOND)),
        ("moved", |world| {
            // A known broker, not an address of bootstrap.servers, which stays whatever the cluster says.
            let at = |host: &str| Endpoint { host: host.into(), port: 9092 };
            world.network.update_brokers(&[(NodeId(0), at("old"))]);
            world.network.update_brokers(&[(NodeId(0), at("new"))]);
        }),
    ];
    let states: [fn() -> World; 5] = [World::connecting, World::handshaking, World::ready, World::asking, World::muted];
    let mut table = String::new();
    for make in states {
        for (name, act) in inputs {
            let mut world = make();
            let from = world.word();
            act(&mut world);
            table.push_str(&format!("{from} --{name}--> {}\n", world.word()));
        }
    }
    assert_eq!(table, include_str!("transitions.txt"));
}

#[test]
fn a_broker_that_moved_or_went_is_left_and_one_that_an_answer_names_is_added() {
    let at = |host: &str| Endpoint { host: host.into(), port: 9092 };
    let now = Now { mono_us: SECOND, wall_ms: 0 };
    let mut network = Network::new(connection_settings(), 1);
    network.update_brokers(&[(NodeId(0), at("a")), (NodeId(1), at("b"))]);
    assert_eq!(network.ready(now, NodeId(0), Lane::Produce), None);
    assert_eq!(network.ready(now, NodeId(1), Lane::Produce), None);
    assert_eq!(network.connections.len(), 2);
    // What an answer to Produce or Fetch names is added, and moves nothing (KIP-951).
    network.add_brokers(&[(NodeId(0), at("elsewhere")), (NodeId(2), at("c"))]);
    assert_eq!(network.endpoint(NodeId(0)), Some(&at("a")));
    assert_eq!(network.endpoint(NodeId(2)), Some(&at("c")));
    // Nothing at all is no news; then one moved, one is gone, one is new.
    network.update_brokers(&[]);
    assert_eq!(network.connections.len(), 2);
    network.update_brokers(&[(NodeId(0), at("z")), (NodeId(3), at("d"))]);
    assert_eq!(network.connections.len(), 0);
    assert_eq!(network.endpoint(NodeId(0)), Some(&at("z")));
    assert_eq!((network.endpoint(NodeId(1)), network.endpoint(NodeId(2))), (None, None));
    assert_eq!(network.endpoint(NodeId(3)), Some(&at("d")));
    assert!(network.endpoint(NODE).is_some(), "addresses of bootstrap.servers stay");
}
