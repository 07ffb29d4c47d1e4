//! gzip (RFC 1952) over zlib-rs: header and trailer by hand around a raw deflate stream whose state is kept.
//!
//! Several members in a row are read as one, as Java does; what follows the last member and is none is ignored, as there.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::room::{Room, reserve};
use super::{Codec, CompressionError};
use crate::crc::Crc32;

/// Magic, deflate, no flags, no time, no extra flags, unknown system: what Java writes.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const HEADER_LEN: usize = HEADER.len();
const TRAILER_LEN: usize = 8;
const DEFAULT_LEVEL: u32 = 6;

const FLAG_HEADER_CRC: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;
const FLAGS_RESERVED: u8 = 0xe0;

const TRUNCATED: CompressionError = CompressionError::Truncated { codec: Codec::Gzip };

const fn corrupt(what: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec: Codec::Gzip, what }
}

#[derive(Default)]
pub(super) struct Compressor {
    /// The kept state (some 250 KiB) and its level.
    kept: Option<(Compress, u32)>,
}

impl Compressor {
    /// Levels 0 to 9; below 0 is the default, as zlib has it.
    pub(super) fn compress(
        &mut self,
        level: Option<i32>,
        chunks: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let level = level.and_then(|level| u32::try_from(level).ok()).unwrap_or(DEFAULT_LEVEL).min(9);
        let mut deflate = match self.kept.take() {
            Some((mut kept, of)) => {
                kept.reset();
                if of != level && kept.set_level(Compression::new(level)).is_err() {
                    kept = Compress::new(Compression::new(level), false);
                }
                kept
            }
            None => Compress::new(Compression::new(level), false),
        };
        let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        reserve(out, HEADER_LEN + TRAILER_LEN + total / 2 + 64)?;
        out.extend_from_slice(&HEADER);
        let mut crc = Crc32::new();
        for chunk in chunks {
            crc.update(chunk);
            let mut rest = *chunk;
            while !rest.is_empty() {
                let before = deflate.total_in();
                step(&mut deflate, rest, out, FlushCompress::None)?;
                rest = rest.get((deflate.total_in() - before) as usize..).unwrap_or_default();
            }
        }
        while step(&mut deflate, &[], out, FlushCompress::Finish)? != Status::StreamEnd {}
        out.extend_from_slice(&crc.finish().to_le_bytes());
        // The size modulo 2^32, by the format.
        out.extend_from_slice(&(total as u32).to_le_bytes());
        self.kept = Some((deflate, level));
        Ok(())
    }
}

/// One call, with room for output. It always gets on: there is input or the stream is being finished.
fn step(
    deflate: &mut Compress,
    input: &[u8],
    out: &mut Vec<u8>,
    flush: FlushCompress,
) -> Result<Status, CompressionError> {
    if out.capacity() - out.len() < 64 {
        let more = out.len().max(4096);
        reserve(out, more)?;
    }
    deflate
        .compress_vec(input, out, flush)
        .map_err(|_| CompressionError::Failed { codec: Codec::Gzip, what: "deflate state" })
}

#[derive(Default)]
pub(super) struct Decompressor {
    kept: Option<Decompress>,
}

impl Decompressor {
    pub(super) fn decompress(&mut self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let inflate = self.kept.get_or_insert_with(|| Decompress::new(false));
        // The size of a single member stands in the last four bytes: a hint.
        let hint = data.last_chunk::<4>().map(|&size| u32::from_le_bytes(size) as usize);
        let mut room = Room::new(out, limit, data.len(), hint)?;
        let mut rest = data;
        loop {
            rest = header(rest)?;
            rest = member(inflate, rest, &mut room)?;
            if !rest.starts_with(&HEADER[..3]) {
                return Ok(());
            }
        }
    }
}

/// Skips a member's header.
fn header(data: &[u8]) -> Result<&[u8], CompressionError> {
    let Some((fixed, mut rest)) = data.split_first_chunk::<HEADER_LEN>() else { return Err(TRUNCATED) };
    if !fixed.starts_with(&HEADER[..3]) {
        return Err(corrupt("not a gzip header"));
    }
    let flags = fixed[3];
    if flags & FLAGS_RESERVED != 0 {
        return Err(corrupt("reserved header flags"));
    }
    if flags & FLAG_EXTRA != 0 {
        let (&length, behind) = rest.split_first_chunk::<2>().ok_or(TRUNCATED)?;
        rest = behind.get(usize::from(u16::from_le_bytes(length))..).ok_or(TRUNCATED)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|&byte| byte == 0).ok_or(TRUNCATED)?;
            rest = rest.get(end + 1..).ok_or(TRUNCATED)?;
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        rest = rest.get(2..).ok_or(TRUNCATED)?;
    }
    Ok(rest)
}

/// Inflates one member and checks its trailer; returns what follows.
fn member<'a>(inflate: &mut Decompress, data: &'a [u8], room: &mut Room<'_>) -> Result<&'a [u8], CompressionError> {
    inflate.reset(false);
    let start = room.out.len();
    loop {
        room.grow()?;
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let rest = data.get(read as usize..).unwrap_or_default();
        let status = inflate
            .decompress_vec(rest, room.out, FlushDecompress::None)
            .map_err(|_| corrupt("not a deflate stream"))?;
        if status == Status::StreamEnd {
            break;
        }
        if inflate.total_in() == read && inflate.total_out() == written {
            return Err(TRUNCATED);
        }
    }
    room.check()?;
    let rest = data.get(inflate.total_in() as usize..).unwrap_or_default();
    let (&trailer, rest) = rest.split_first_chunk::<TRAILER_LEN>().ok_or(TRUNCATED)?;
    let content = room.out.get(start..).unwrap_or_default();
    let mut crc = Crc32::new();
    crc.update(content);
    let expected = u64::from(crc.finish()) | u64::from(content.len() as u32) << 32;
    if u64::from_le_bytes(trailer) != expected {
        return Err(corrupt("checksum or size of the trailer"));
    }
    Ok(rest)
}
