//! Seeded runs of the fuzz bodies: mutated Java batches and noise, with an eye on what is allocated.

use super::*;
use crate::fuzz::allocation::allocated_by;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Some bytes changed, lengths among them made absurd, or the end cut off.
    fn mutate(&mut self, data: &mut Vec<u8>, from: usize) {
        for _ in 0..=self.below(4) {
            if data.len() <= from {
                return;
            }
            // Most of the sense is in the first bytes.
            let reach = if self.below(2) == 0 { data.len().min(from + 90) } else { data.len() };
            let position = from + self.below(reach - from);
            match self.below(6) {
                0 => data[position] ^= 1 << self.below(8),
                1 => data[position] = [0, 1, 0x7f, 0x80, 0xff, 0xfe][self.below(6)],
                2 => data[position] = self.next() as u8,
                3 => data.truncate(position),
                4 => {
                    let length = self.below(12);
                    let noise = self.bytes(length);
                    data.splice(position..position, noise);
                }
                _ => {
                    let end = (position + 4).min(data.len());
                    data[position..end].fill(0xff);
                }
            }
        }
    }
}

const JAVA: [&[u8]; 5] = [
    include_bytes!("../../../tests/golden/java_none_m2.bin"),
    include_bytes!("../../../tests/golden/java_gzip_m2.bin"),
    include_bytes!("../../../tests/golden/java_snappy_m2.bin"),
    include_bytes!("../../../tests/golden/java_lz4_m2.bin"),
    include_bytes!("../../../tests/golden/java_zstd_m2.bin"),
];

/// A batch of the first records of Java's, small enough to be mutated often.
fn small(codec: Codec) -> Vec<u8> {
    let mut position = 0;
    let records = &JAVA[0][BATCH_HEADER_LEN..];
    for _ in 0..20 {
        read_record(records, &mut position).expect("Java's");
    }
    let mut header = BatchHeader::parse(JAVA[0]).expect("Java's");
    header.attributes = codec as i16;
    header.record_count = 20;
    header.last_offset_delta = 19;
    let mut body = Vec::new();
    Compressor::new().compress(codec, None, &[&records[..position]], &mut body).expect("there is memory");
    [&header.seal(std::iter::once(&body[..]))[..], &body].concat()
}

/// What a body may allocate in all: its limit a few times over (output grows by doubling, the bodies copy it), the codecs'
/// contexts, and a multiple of its input.
fn bound(input: usize) -> usize {
    LIMIT * 16 + (2 << 20) + input * 64
}

#[track_caller]
fn within_bound(input: &[u8], work: impl FnOnce(&[u8])) {
    let ((), allocated) = allocated_by(|| work(input));
    assert!(allocated <= bound(input.len()), "{allocated} bytes allocated for {}: {input:02x?}", input.len());
}

#[test]
fn mutated_batches() {
    let mut random = Random(9);
    for codec in CODECS {
        let good = small(codec);
        record_batch(&good);
        for _ in 0..3_000 {
            let mut data = [&good[..], &good].concat();
            random.mutate(&mut data, 0);
            if data.len() > 17 && random.below(2) == 0 {
                // Magic and length right again, so that more of it is reached.
                data[16] = 2;
                let length = (data.len() - 12) as i32;
                data[8..12].copy_from_slice(&length.to_be_bytes());
            }
            within_bound(&data, record_batch);
        }
    }
}

#[test]
fn mutated_compressed_bytes() {
    let mut random = Random(10);
    for codec in CODECS {
        let good = small(codec)[BATCH_HEADER_LEN..].to_vec();
        decompress(codec, &good);
        for _ in 0..2_000 {
            let mut data = good.clone();
            random.mutate(&mut data, 0);
            within_bound(&data, |data| decompress(codec, data));
        }
        for _ in 0..500 {
            let length = random.below(200);
            let mut data = random.bytes(length);
            within_bound(&data, |data| decompress(codec, data));
            // Noise behind a good start.
            let start = random.below(good.len().min(40));
            data.splice(0..0, good[..start].iter().copied());
            within_bound(&data, |data| decompress(codec, data));
        }
    }
}

#[test]
fn mutated_java_batches() {
    let mut random = Random(11);
    for data in JAVA {
        for _ in 0..40 {
            let mut data = data.to_vec();
            random.mutate(&mut data, 0);
            within_bound(&data, record_batch);
        }
    }
}

#[test]
fn varints_of_noise() {
    let mut random = Random(12);
    for _ in 0..5_000 {
        let length = random.below(40);
        let mut data = random.bytes(length);
        for byte in &mut data {
            // Long runs of continuation bits.
            if random.below(3) > 0 {
                *byte |= 0x80;
            }
        }
        record_varint(&data);
    }
}

#[test]
fn batches_built_of_noise() {
    let mut random = Random(13);
    for _ in 0..400 {
        let length = random.below(120);
        builder_roundtrip(&random.bytes(length));
    }
}
