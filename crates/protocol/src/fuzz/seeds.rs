//! The fuzz bodies over golden frames with seeded damage: no panic, no value that changes on its way, and no more
//! memory than a multiple of the frame.

use super::allocation::allocated_by;
use super::golden::{Frame, frames};
use super::{Direction, Failure};

/// A small generator (xorshift), so that each run does the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        // Half of the bytes are ones that lengths, counts and varints break at.
        const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 2, 0x40];
        match self.next() {
            random if random & 1 == 0 => EDGES[(random >> 8) as usize % EDGES.len()],
            random => (random >> 8) as u8,
        }
    }

    /// The frame with one to four places changed, put in, or left out.
    fn damaged(&mut self, body: &[u8]) -> Vec<u8> {
        let mut damaged = body.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(damaged.len());
            match self.below(4) {
                0 if at < damaged.len() => drop(damaged.remove(at)),
                1 => damaged.insert(at, self.byte()),
                // Four bytes at once: a length of the older encoding.
                2 => damaged.iter_mut().skip(at).take(4).for_each(|byte| *byte = self.byte()),
                _ => damaged.iter_mut().skip(at).take(1).for_each(|byte| *byte = self.byte()),
            }
        }
        damaged
    }
}

/// What reading and writing a frame of this size may allocate: the reader's budget, and the writer's doublings, which
/// may write a number with more bytes than it was read from only where a version adds defaults.
fn allowed(len: usize) -> usize {
    32 * len + 4096 + 4 * len + 4096
}

#[test]
fn damaged_frames_neither_panic_nor_cost_more_than_their_size_allows() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut refused, mut read) = (0_u32, 0_u32);
    for Frame { entry, version, body } in frames() {
        for _ in 0..24 {
            let damaged = random.damaged(body);
            let (result, allocated) = allocated_by(|| entry.run(&damaged, version));
            assert!(
                allocated <= allowed(damaged.len()),
                "{} {version}: {allocated} bytes for {damaged:02x?}",
                entry.name
            );
            match result {
                Err(Failure::Decode(_)) => refused += 1,
                _ => {
                    read += 1;
                    super::roundtrip_of(entry, version, &damaged);
                }
            }
        }
    }
    // Damage that is never noticed, or always, would test one side only.
    assert!(refused > 5_000 && read > 5_000, "{refused} refused, {read} read");
}

#[test]
fn every_request_and_response_reads_damage_in_every_version() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for Frame { entry, version, body } in frames() {
        let Some(key) = entry.api_key else { continue };
        let damaged = random.damaged(body);
        match entry.direction {
            Direction::Request => super::request_decode(key.as_i16(), version, &damaged),
            _ => super::response_decode(key.as_i16(), version, &damaged),
        }
    }
}

#[test]
fn random_bytes_through_every_body() {
    let mut random = Random(0xda94_2042_e4dd_58b5);
    for _ in 0..20_000 {
        let len = random.below(40);
        let bytes: Vec<u8> = (0..len).map(|_| random.byte()).collect();
        super::varint(&bytes);
        super::roundtrip(&bytes);
        super::header_frame(&bytes);
        // A known key and version at the place where the header has them.
        let header = [&[0, 0, 0, 9, 0, random.byte() % 95, 0, random.byte() % 14], bytes.as_slice()].concat();
        super::header_frame(&header);
        super::response_decode(i16::from(random.byte() % 95), i16::from(random.byte() % 14), &bytes);
    }
}

/// Arrays within arrays that all claim as much as their bytes could hold.
#[test]
fn nested_counts_are_held_by_the_budget() {
    for entry in crate::messages::table::MESSAGES {
        for version in entry.versions.0..=entry.versions.1 {
            for filler in [0x01_u8, 0x02, 0x10, 0x3f, 0x7f] {
                let frame = vec![filler; 4096];
                let (_, allocated) = allocated_by(|| entry.run(&frame, version));
                assert!(allocated <= allowed(frame.len()), "{} {version} {filler}: {allocated}", entry.name);
            }
        }
    }
}
