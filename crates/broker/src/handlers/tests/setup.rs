//! The cluster that the tests begin with.

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::primitives::Uuid;

use crate::cluster::NewTopic;
use crate::machine::ConnectionId;
use crate::scenario::World;
use crate::settings::Settings;

/// A cluster of one broker with a topic `t` of two partitions, a connection, and the topic's id.
pub(super) fn world() -> (World, ConnectionId, Uuid) {
    world_of(Settings::default())
}

/// The same with other settings; the connection is to the broker that leads partition 0.
pub(super) fn world_of(settings: Settings) -> (World, ConnectionId, Uuid) {
    let mut world = World::new(settings);
    let id = world.cluster.make_topic("t", NewTopic { partitions: Some(2), ..NewTopic::default() }).unwrap();
    let leader = world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader().unwrap();
    let connection = world.connect(leader);
    (world, connection, id)
}

/// The error as a name, for messages of failed tests.
pub(super) fn code(code: i16) -> ErrorCode {
    ErrorCode(code)
}
