//! Snappy: blocks of `snap` in the framing of snappy-java ("xerial"), which Kafka took over.
//!
//! A stream is a 16-byte header, then blocks with their length (four bytes, big endian) before them. Java writes blocks of
//! 32 KiB; other clients write one block of any size or no framing at all. All are read.

use super::room::{Room, blocks, reserve};
use super::{Codec, CompressionError};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_LEN: usize = 16;
/// Magic, version 1, compatible with version 1.
const HEADER: [u8; HEADER_LEN] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const BLOCK: usize = 32 * 1024;
/// No snappy element makes more of a byte: a copy of 64 bytes takes two.
const MOST_RATIO: usize = 64;

const TRUNCATED: CompressionError = CompressionError::Truncated { codec: Codec::Snappy };

const fn corrupt(what: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec: Codec::Snappy, what }
}

pub(super) struct Compressor {
    encoder: snap::raw::Encoder,
    gather: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Compressor { encoder: snap::raw::Encoder::new(), gather: Vec::new() }
    }
}

impl Compressor {
    pub(super) fn compress(&mut self, chunks: &[&[u8]], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let Compressor { encoder, gather } = self;
        let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        reserve(out, HEADER_LEN + total / 2 + snap::raw::max_compress_len(total.min(BLOCK)) + 4)?;
        out.extend_from_slice(&HEADER);
        blocks(chunks, BLOCK, gather, |block| {
            let start = out.len();
            let most = snap::raw::max_compress_len(block.len());
            reserve(out, 4 + most)?;
            out.resize(start + 4 + most, 0);
            let length = encoder
                .compress(block, &mut out[start + 4..])
                .map_err(|_| CompressionError::Failed { codec: Codec::Snappy, what: "block" })?;
            out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
            out.truncate(start + 4 + length);
            Ok(())
        })
    }
}

#[derive(Default)]
pub(super) struct Decompressor {
    decoder: snap::raw::Decoder,
}

impl Decompressor {
    pub(super) fn decompress(&mut self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
        if !data.starts_with(&MAGIC) {
            let mut room = Room::new(out, limit, data.len(), snap::raw::decompress_len(data).ok())?;
            return self.block(data, &mut room);
        }
        let mut room = Room::new(out, limit, data.len(), None)?;
        let mut rest = data;
        while !rest.is_empty() {
            // Streams may follow one another, each with its header.
            if rest.starts_with(&MAGIC) {
                rest = rest.get(HEADER_LEN..).ok_or(TRUNCATED)?;
                continue;
            }
            let (&length, behind) = rest.split_first_chunk::<4>().ok_or(TRUNCATED)?;
            let length = usize::try_from(i32::from_be_bytes(length)).map_err(|_| corrupt("negative block length"))?;
            let (block, behind) = behind.split_at_checked(length).ok_or(TRUNCATED)?;
            self.block(block, &mut room)?;
            rest = behind;
        }
        Ok(())
    }

    fn block(&mut self, block: &[u8], room: &mut Room<'_>) -> Result<(), CompressionError> {
        let length = snap::raw::decompress_len(block).map_err(|_| corrupt("block length"))?;
        if length > block.len().saturating_mul(MOST_RATIO) {
            return Err(corrupt("block claims more than snappy can hold"));
        }
        if length > room.left() {
            return Err(room.exceeded());
        }
        let start = room.out.len();
        reserve(room.out, length)?;
        room.out.resize(start + length, 0);
        match self.decoder.decompress(block, &mut room.out[start..]) {
            Ok(written) if written == length => Ok(()),
            _ => Err(corrupt("block")),
        }
    }
}
