//! Which partition a record goes to: librdkafka's seven partitioners, and staying with one for records without a key
//! (KIP-480).
use ottla_protocol::crc::crc32;

use crate::config::Partitioner;
use crate::random::Random;

/// What a partitioner says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Partition(u32),
    /// Any: the caller stays with one partition for a batch, or draws one.
    Any,
}

/// The partition of a key among `count` partitions (at least 1).
#[inline]
pub fn choose(partitioner: Partitioner, key: Option<&[u8]>, count: u32) -> Choice {
    let keyed = |key: &[u8]| match partitioner {
        Partitioner::Random => Choice::Any,
        Partitioner::Consistent | Partitioner::ConsistentRandom => Choice::Partition(crc32(key) % count),
        Partitioner::Murmur2 | Partitioner::Murmur2Random => Choice::Partition((murmur2(key) & 0x7fff_ffff) % count),
        Partitioner::Fnv1a | Partitioner::Fnv1aRandom => Choice::Partition((fnv1a(key) & 0x7fff_ffff) % count),
    };
    match (key, partitioner) {
        (Some(key @ [_, ..]), _) => keyed(key),
        // An empty key is any key for CRC32 (librdkafka), and a key like others for the rest.
        (Some(key), Partitioner::Murmur2Random | Partitioner::Fnv1aRandom) => keyed(key),
        (
            None | Some(_),
            Partitioner::ConsistentRandom | Partitioner::Murmur2Random | Partitioner::Fnv1aRandom | Partitioner::Random,
        ) => Choice::Any,
        (key, _) => keyed(key.unwrap_or_default()),
    }
}

/// The partition that a record asks for which leaves the choice to the partitioner.
const ANY: i32 = -1;

/// The partition of a record among `count` (at least 1): the one that it asks for, which may not exist; its key's; or what
/// `any` says.
#[inline(always)]
pub fn partition(
    partitioner: Partitioner,
    asked: i32,
    key: Option<&[u8]>,
    count: u32,
    any: impl FnOnce() -> u32,
) -> u32 {
    if asked != ANY {
        // What is less than that is a partition that no topic has.
        return asked.cast_unsigned();
    }
    match choose(partitioner, key, count) {
        Choice::Partition(partition) => partition,
        Choice::Any => any(),
    }
}

/// The partition of a record that may go to any: the last one's, or one that is drawn and noted.
#[inline]
pub fn stay_or_draw(stays: bool, sticky: &mut u32, random: &mut Random, available: &[u32], count: u32) -> u32 {
    if !stays {
        *sticky = draw(random, available, count);
    }
    *sticky
}

/// Draws a partition: one with a leader, if there is any.
pub fn draw(random: &mut Random, available: &[u32], count: u32) -> u32 {
    match available.len() {
        0 => random.below(count),
        many => available[random.below(many as u32) as usize],
    }
}

/// MurmurHash2 with Java's seed, as all Java clients hash keys.
pub fn murmur2(data: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut value = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(MIX);
        value = (value ^ (value >> 24)).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ value;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

/// FNV-1a, 32 bits.
pub fn fnv1a(data: &[u8]) -> u32 {
    data.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_javas() {
        // Known answers of Java's Utils.murmur2 (as signed numbers).
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key}");
        }
    }

    #[test]
    fn keys_choose_and_their_absence_does_as_the_partitioner_says() {
        use Partitioner::{Consistent, ConsistentRandom, Fnv1aRandom, Murmur2, Murmur2Random, Random};
        assert_eq!(choose(ConsistentRandom, Some(b"123456789"), 1000), Choice::Partition(0xCBF4_3926 % 1000));
        assert_eq!(choose(ConsistentRandom, Some(b""), 7), Choice::Any);
        assert_eq!(choose(ConsistentRandom, None, 7), Choice::Any);
        assert_eq!(choose(Consistent, None, 7), Choice::Partition(0));
        assert_eq!(choose(Murmur2Random, None, 7), Choice::Any);
        assert_eq!(choose(Murmur2Random, Some(b""), 7), choose(Murmur2, Some(b""), 7));
        assert_eq!(choose(Fnv1aRandom, None, 7), Choice::Any);
        assert_eq!(choose(Random, Some(b"key"), 7), Choice::Any);
    }

    #[test]
    fn a_draw_prefers_partitions_with_a_leader() {
        let mut random = crate::random::Random::new(5);
        assert!((0..100).all(|_| [2, 5].contains(&draw(&mut random, &[2, 5], 9))));
        assert!((0..100).all(|_| draw(&mut random, &[], 9) < 9));
    }
}
