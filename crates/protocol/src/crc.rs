//! Checksums: CRC32C of record batches (crc-fast, the fastest measured) and CRC32 (IEEE) of keys and gzip members.
//!
//! CRC32 is a table of our own: on a key of eight bytes crc-fast's set-up alone costs 28 ns, the table 4. Batches are
//! chains of chunks (E7), so CRC32C has an incremental form. Checksums are recomputed, never combined: combining two
//! costs more than reading a 16 KiB batch again.

use crc_fast::{CrcAlgorithm, Digest};

/// CRC32C (Castagnoli) of `data`, as record batches of magic 2 carry it.
#[inline]
pub fn crc32c(data: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(data)
}

/// CRC32C of a chain of chunks.
#[derive(Clone, Debug)]
pub struct Crc32c(Digest);

impl Crc32c {
    /// The checksum of nothing yet.
    #[inline]
    pub fn new() -> Self {
        Crc32c(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }

    /// Appends `data` to what is checksummed.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The checksum of all that was appended.
    #[inline]
    pub fn finish(&self) -> u32 {
        // The 32-bit algorithms keep their result in the low half.
        self.0.finalize() as u32
    }
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

/// CRC32 (IEEE) of what arrives in pieces and is long: gzip members. For keys there is [`crc32`].
#[derive(Clone, Debug)]
pub struct Crc32(Digest);

impl Crc32 {
    /// The checksum of nothing yet.
    #[inline]
    pub fn new() -> Self {
        Crc32(Digest::new(CrcAlgorithm::Crc32IsoHdlc))
    }

    /// Appends `data` to what is checksummed.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The checksum of all that was appended.
    #[inline]
    pub fn finish(&self) -> u32 {
        self.0.finalize() as u32
    }
}

impl Default for Crc32 {
    fn default() -> Self {
        Self::new()
    }
}

/// The reflected IEEE polynomial, of gzip and of librdkafka's `consistent` partitioner.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// `TABLES[k][b]` is the checksum of byte `b` followed by `k` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let previous = tables[k - 1][byte];
            tables[k][byte] = (previous >> 8) ^ tables[0][(previous & 0xff) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// CRC32 (IEEE) of `data`; made for keys of a few bytes.
#[inline]
pub fn crc32(data: &[u8]) -> u32 {
    let mut value = !0u32;
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        let [a, b, c, d, e, f, g, h] = (u64::from_le_bytes(*word) ^ u64::from(value)).to_le_bytes();
        value = TABLES[7][usize::from(a)]
            ^ TABLES[6][usize::from(b)]
            ^ TABLES[5][usize::from(c)]
            ^ TABLES[4][usize::from(d)]
            ^ TABLES[3][usize::from(e)]
            ^ TABLES[2][usize::from(f)]
            ^ TABLES[1][usize::from(g)]
            ^ TABLES[0][usize::from(h)];
    }
    for &byte in rest {
        value = (value >> 8) ^ TABLES[0][usize::from(value as u8 ^ byte)];
    }
    !value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One bit at a time, straight from the definition.
    fn bitwise(data: &[u8], polynomial: u32) -> u32 {
        let mut value = !0u32;
        for &byte in data {
            value ^= u32::from(byte);
            for _ in 0..8 {
                value = if value & 1 == 1 { (value >> 1) ^ polynomial } else { value >> 1 };
            }
        }
        !value
    }

    #[test]
    fn known_vectors() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
        // RFC 3720 B.4.
        assert_eq!(crc32c(&[0u8; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xffu8; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&core::array::from_fn::<u8, 32, _>(|i| i as u8)), 0x46dd_794e);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"a"), 0xe8b7_be43);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }

    /// crc-fast takes other code paths at other lengths: every length to 1,100 and some long ones.
    #[test]
    fn every_length_agrees_with_the_definition() {
        let data: Vec<u8> = (0..70_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for length in (0..1_100).chain([4_095, 4_096, 16_383, 16_384, 65_537]) {
            let data = &data[length % 7..length % 7 + length];
            assert_eq!(crc32c(data), bitwise(data, 0x82f6_3b78), "CRC32C of {length} bytes");
            assert_eq!(crc32(data), bitwise(data, POLYNOMIAL), "CRC32 of {length} bytes");
        }
    }

    proptest! {
        #[test]
        fn chunks_make_the_same_sum(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12)) {
            let (mut castagnoli, mut ieee) = (Crc32c::new(), Crc32::new());
            for chunk in &chunks {
                castagnoli.update(chunk);
                ieee.update(chunk);
            }
            prop_assert_eq!(castagnoli.finish(), crc32c(&chunks.concat()));
            prop_assert_eq!(ieee.finish(), crc32(&chunks.concat()));
        }
    }
}
