//! The lz4 frame format over the blocks of `lz4_flex`: written as Java does, read as anyone writes it.
//!
//! Written: 7-byte header, independent blocks of 64 KiB, no checksums, no sizes (Java refuses linked blocks). Read: linked
//! blocks (librdkafka's library can write them), block and content checksums and sizes, skippable frames, several frames, and the
//! wrong header checksum of Kafka before KIP-57, which is taken over the magic as well. Levels (HC) do not exist here.

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};

use super::room::{Room, blocks, reserve};
use super::xxhash::xxhash32;
use super::{Codec, CompressionError};

const MAGIC: [u8; 4] = 0x184d_2204u32.to_le_bytes();
/// Sixteen magics of frames that hold no content.
const SKIPPABLE: u32 = 0x184d_2a50;
/// Magic; version 1 and independent blocks; 64 KiB; checksum of these two.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const BLOCK: usize = 64 * 1024;
/// How far back a linked block may reach.
const WINDOW: usize = 64 * 1024;
/// Bit of a block's length that says it is stored.
const STORED: u32 = 0x8000_0000;
/// A byte of a match length makes 255 bytes; sixteen for what stands around.
const MOST_RATIO: usize = 255;

const FLAG_DICTIONARY: u8 = 0x01;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_INDEPENDENT: u8 = 0x20;
const VERSION_MASK: u8 = 0xc0;
const VERSION: u8 = 0x40;

const TRUNCATED: CompressionError = CompressionError::Truncated { codec: Codec::Lz4 };

const fn corrupt(what: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec: Codec::Lz4, what }
}

#[derive(Default)]
pub(super) struct Compressor {
    /// Tables of 16-bit entries, for blocks below 64 KiB, and of 32-bit ones; the large on first use.
    small: CompressTable,
    large: Option<CompressTable>,
    gather: Vec<u8>,
}

impl Compressor {
    pub(super) fn compress(&mut self, chunks: &[&[u8]], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let Compressor { small, large, gather } = self;
        let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        reserve(out, HEADER.len() + 8 + total / 2 + get_maximum_output_size(total.min(BLOCK)))?;
        out.extend_from_slice(&HEADER);
        blocks(chunks, BLOCK, gather, |block| {
            let table = if block.len() < usize::from(u16::MAX) {
                &mut *small
            } else {
                large.get_or_insert_with(CompressTable::large)
            };
            let start = out.len();
            let most = get_maximum_output_size(block.len());
            reserve(out, 4 + most)?;
            out.resize(start + 4 + most, 0);
            let length = compress_into_with_table(block, &mut out[start + 4..], table)
                .map_err(|_| CompressionError::Failed { codec: Codec::Lz4, what: "block" })?;
            if length < block.len() {
                out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
                out.truncate(start + 4 + length);
            } else {
                out.truncate(start);
                out.extend_from_slice(&(block.len() as u32 | STORED).to_le_bytes());
                out.extend_from_slice(block);
            }
            Ok(())
        })?;
        out.extend_from_slice(&[0; 4]);
        Ok(())
    }
}

/// What a frame's header says.
struct Frame {
    flags: u8,
    block: usize,
    content_size: Option<u64>,
}

pub(super) fn decompress(data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let mut room = Room::new(out, limit, data.len(), None)?;
    let mut rest = data;
    let mut first = true;
    loop {
        let Some((&magic, behind)) = rest.split_first_chunk::<4>() else {
            return if first { Err(TRUNCATED) } else { Ok(()) };
        };
        if magic == MAGIC {
            let (frame, body) = header(rest)?;
            rest = content(&frame, body, &mut room)?;
            first = false;
        } else if u32::from_le_bytes(magic) & !0xf == SKIPPABLE {
            let (&length, behind) = behind.split_first_chunk::<4>().ok_or(TRUNCATED)?;
            rest = behind.get(u32::from_le_bytes(length) as usize..).ok_or(TRUNCATED)?;
        } else if first {
            return Err(corrupt("not an lz4 frame"));
        } else {
            // Java stops at the end of the first frame: what follows and is none does not count.
            return Ok(());
        }
    }
}

/// Reads the header of a frame that begins with its magic; returns what follows.
fn header(data: &[u8]) -> Result<(Frame, &[u8]), CompressionError> {
    let &[flags, sizes] = data.get(4..).and_then(|rest| rest.first_chunk::<2>()).ok_or(TRUNCATED)?;
    if flags & VERSION_MASK != VERSION {
        return Err(corrupt("frame version"));
    }
    if flags & FLAG_DICTIONARY != 0 {
        return Err(corrupt("frame needs a dictionary"));
    }
    let block = match (sizes >> 4) & 7 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => return Err(corrupt("block size")),
    };
    let mut end = 6;
    let mut content_size = None;
    if flags & FLAG_CONTENT_SIZE != 0 {
        let &size = data.get(end..).and_then(|rest| rest.first_chunk::<8>()).ok_or(TRUNCATED)?;
        content_size = Some(u64::from_le_bytes(size));
        end += 8;
    }
    let &checksum = data.get(end).ok_or(TRUNCATED)?;
    let byte = |from: usize| (xxhash32(data.get(from..end).unwrap_or_default()) >> 8) as u8;
    if checksum != byte(4) && checksum != byte(0) {
        return Err(corrupt("header checksum"));
    }
    Ok((Frame { flags, block, content_size }, data.get(end + 1..).unwrap_or_default()))
}

/// Decompresses the blocks of a frame and checks what it carries to be checked; returns what follows.
fn content<'a>(frame: &Frame, data: &'a [u8], room: &mut Room<'_>) -> Result<&'a [u8], CompressionError> {
    let start = room.out.len();
    let mut rest = data;
    loop {
        let (&word, behind) = rest.split_first_chunk::<4>().ok_or(TRUNCATED)?;
        rest = behind;
        let word = u32::from_le_bytes(word);
        if word == 0 {
            break;
        }
        let (block, behind) = rest.split_at_checked((word & !STORED) as usize).ok_or(TRUNCATED)?;
        rest = behind;
        if frame.flags & FLAG_BLOCK_CHECKSUM != 0 {
            let (&checksum, behind) = rest.split_first_chunk::<4>().ok_or(TRUNCATED)?;
            if u32::from_le_bytes(checksum) != xxhash32(block) {
                return Err(corrupt("block checksum"));
            }
            rest = behind;
        }
        if word & STORED != 0 {
            stored(frame, block, room)?;
        } else {
            compressed(frame, block, start, room)?;
        }
    }
    let content = room.out.get(start..).unwrap_or_default();
    if frame.content_size.is_some_and(|size| size != content.len() as u64) {
        return Err(corrupt("content size"));
    }
    if frame.flags & FLAG_CONTENT_CHECKSUM != 0 {
        let (&checksum, behind) = rest.split_first_chunk::<4>().ok_or(TRUNCATED)?;
        if u32::from_le_bytes(checksum) != xxhash32(content) {
            return Err(corrupt("content checksum"));
        }
        rest = behind;
    }
    Ok(rest)
}

fn stored(frame: &Frame, block: &[u8], room: &mut Room<'_>) -> Result<(), CompressionError> {
    if block.len() > frame.block {
        return Err(corrupt("stored block exceeds the block size"));
    }
    if block.len() > room.left() {
        return Err(room.exceeded());
    }
    reserve(room.out, block.len())?;
    room.out.extend_from_slice(block);
    Ok(())
}

fn compressed(frame: &Frame, block: &[u8], start: usize, room: &mut Room<'_>) -> Result<(), CompressionError> {
    let most = frame.block.min(block.len().saturating_mul(MOST_RATIO).saturating_add(16));
    let allowed = most.min(room.left());
    let position = room.out.len();
    reserve(room.out, allowed)?;
    room.out.resize(position + allowed, 0);
    let (before, target) = room.out.split_at_mut(position);
    let written = if frame.flags & FLAG_INDEPENDENT != 0 || position == start {
        decompress_into(block, target)
    } else {
        let window = before.get(start.max(position.saturating_sub(WINDOW))..).unwrap_or_default();
        decompress_into_with_dict(block, target, window)
    };
    match written {
        Ok(written) => {
            room.out.truncate(position + written);
            Ok(())
        }
        Err(DecompressError::OutputTooSmall { .. }) if allowed < most => Err(room.exceeded()),
        Err(_) => Err(corrupt("block")),
    }
}
