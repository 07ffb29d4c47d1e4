//! Each API's rules in virtual time, through encoded requests and decoded responses.

mod create_and_delete;
mod fetch;
mod fetch_sessions;
mod hostile;
mod init_producer_id;
mod list_offsets;
mod produce;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::primitives::Uuid;

use crate::cluster::NewTopic;
use crate::machine::ConnectionId;
use crate::scenario::World;
use crate::settings::Settings;

/// A cluster of one broker with a topic `t` of two partitions, a connection, and the topic's id.
fn world() -> (World, ConnectionId, Uuid) {
    world_of(Settings::default())
}

/// The same with other settings; the connection is to the broker that leads partition 0.
fn world_of(settings: Settings) -> (World, ConnectionId, Uuid) {
    let mut world = World::new(settings);
    let id = world.cluster.make_topic("t", NewTopic { partitions: Some(2), ..NewTopic::default() }).unwrap();
    let leader = world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader().unwrap();
    let connection = world.connect(leader);
    (world, connection, id)
}

/// The error as a name, for messages of failed tests.
fn code(code: i16) -> ErrorCode {
    ErrorCode(code)
}
