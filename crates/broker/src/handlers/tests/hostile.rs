//! Bytes that nobody should send: every API and version, cut, flipped and stretched. Nothing panics, and the other
//! connections are served on.

use ottla_protocol::messages::metadata::MetadataRequest;
use ottla_protocol::primitives::Uuid;

use super::world;
use crate::frame::Frame;
use crate::handlers::SERVED;
use crate::machine::ConnectionId;
use crate::random::Random;
use crate::scenario::{World, frame};
use crate::scenario_records::{Batch, fetch, produce};

/// Sends the bytes on a connection of their own.
fn throw(world: &mut World, bytes: Vec<u8>) -> ConnectionId {
    let connection = world.connect(1);
    world.send(connection, Frame::new(bytes));
    world.cluster.disconnected(world.now, connection);
    world.given.clear();
    connection
}

#[test]
fn random_bodies_of_every_api_harm_nobody() {
    let (mut world, good, _) = world();
    let mut random = Random::new(11);
    for (api, min, max) in SERVED {
        for version in *min..=*max {
            for round in 0..40 {
                let mut bytes = vec![0, api.as_i16() as u8, 0, version as u8, 0, 0, 0, 7, 0, 1, b'c'];
                if api.request_header_version(version) >= 2 {
                    bytes.push(0);
                }
                for _ in 0..random.next_u64() % 80 {
                    // Small numbers reach deeper than large ones.
                    let byte = random.next_u64();
                    bytes.push(if round % 2 == 0 { byte as u8 % 4 } else { byte as u8 });
                }
                throw(&mut world, bytes);
            }
        }
    }
    assert!(!world.closed(good));
    world.ask(good, 12, &MetadataRequest { topics: None, ..MetadataRequest::default() });
    assert!(world.cluster.fetches.is_empty());
}

#[test]
fn changed_requests_harm_nobody_and_what_is_kept_stays_readable() {
    let (mut world, good, id) = world();
    let mut random = Random::new(12);
    let batch = Batch { producer: (5, 0, 0), ..Batch::of(3) }.bytes();
    for version in 3..=13 {
        let whole = frame(version, &produce("t", id, 0, &batch)).as_slice().to_vec();
        for cut in 0..whole.len() {
            throw(&mut world, whole[..cut].to_vec());
        }
        for _ in 0..300 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.next_u64() % 3 {
                let at = random.next_u64() as usize % bytes.len();
                bytes[at] = random.next_u64() as u8;
            }
            throw(&mut world, bytes);
        }
    }
    let fetched = frame(12, &fetch("t", Uuid::ZERO, &[(0, 0)])).as_slice().to_vec();
    for _ in 0..2000 {
        let mut bytes = fetched.clone();
        let at = random.next_u64() as usize % bytes.len();
        bytes[at] = random.next_u64() as u8;
        throw(&mut world, bytes);
    }
    let kept = world.cluster.log_bytes("t", 0).unwrap();
    let mut next = 0;
    for found in ottla_protocol::records::BatchIter::new(&kept) {
        let (range, header) = found.unwrap();
        assert_eq!(header.base_offset, next);
        assert!(ottla_protocol::records::check_crc(&header, &kept[range]));
        next = header.next_offset();
    }
    assert_eq!(world.cluster.log_end("t", 0), Some(next));
    assert!(!world.closed(good));
}

#[test]
fn huge_numbers_in_small_requests_take_no_memory() {
    let (mut world, good, _) = world();
    // A Fetch of two billion topics, and a Produce with as many partitions.
    let fetch = [0, 1, 0, 11, 0, 0, 0, 7, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let count = [0x7f, 255, 255, 255];
    let produce = [0, 0, 0, 8, 0, 0, 0, 7, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't'];
    for start in [&fetch[..], &produce[..]] {
        let connection = throw(&mut world, [start, &count[..]].concat());
        world.send(connection, Frame::new(Vec::new()));
        assert_eq!(world.take(connection), None);
    }
    assert!(!world.closed(good));
}
