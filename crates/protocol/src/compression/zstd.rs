//! Zstandard through zstd-safe, with contexts kept from batch to batch.
//!
//! Written with the content size, which tunes the parameters to the batch. Read as a stream, because Java writes no size, and
//! as several frames in a row.

use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective};

use super::room::{Room, reserve};
use super::{Codec, CompressionError};

const DEFAULT_LEVEL: i32 = 3;
/// A context that grew beyond this (a frame of the highest levels declares a window of 128 MiB) is not kept.
const LARGEST_KEPT: usize = 16 << 20;

fn failed(code: zstd_safe::ErrorCode) -> CompressionError {
    CompressionError::Failed { codec: Codec::Zstd, what: zstd_safe::get_error_name(code) }
}

const NO_CONTEXT: CompressionError = CompressionError::OutOfMemory;

#[derive(Default)]
pub(super) struct Compressor {
    kept: Option<CCtx<'static>>,
}

impl Compressor {
    /// Levels -131072 to 22; 0 is the default, as in zstd.
    pub(super) fn compress(
        &mut self,
        level: Option<i32>,
        chunks: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let mut context = match self.kept.take() {
            Some(kept) => kept,
            None => CCtx::try_create().ok_or(NO_CONTEXT)?,
        };
        let level = level.unwrap_or(DEFAULT_LEVEL).clamp(zstd_safe::min_c_level(), zstd_safe::max_c_level());
        let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        context.reset(ResetDirective::SessionOnly).map_err(failed)?;
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        context.set_pledged_src_size(Some(total as u64)).map_err(failed)?;
        // With room for the worst case each chunk is taken by one call.
        reserve(out, zstd_safe::compress_bound(total))?;
        for (index, chunk) in chunks.iter().enumerate() {
            let end = index + 1 == chunks.len();
            stream(&mut context, chunk, end, out)?;
        }
        if chunks.is_empty() {
            stream(&mut context, &[], true, out)?;
        }
        if context.sizeof() <= LARGEST_KEPT {
            self.kept = Some(context);
        }
        Ok(())
    }
}

fn stream(context: &mut CCtx<'_>, chunk: &[u8], end: bool, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let directive = if end { ZSTD_EndDirective::ZSTD_e_end } else { ZSTD_EndDirective::ZSTD_e_continue };
    let mut input = InBuffer::around(chunk);
    loop {
        if out.capacity() == out.len() {
            let more = out.len().max(4096);
            reserve(out, more)?;
        }
        let position = out.len();
        let mut output = OutBuffer::around_pos(out, position);
        let left = context.compress_stream2(&mut output, &mut input, directive).map_err(failed)?;
        if if end { left == 0 } else { input.pos() == chunk.len() } {
            return Ok(());
        }
    }
}

#[derive(Default)]
pub(super) struct Decompressor {
    kept: Option<DCtx<'static>>,
}

impl Decompressor {
    pub(super) fn decompress(&mut self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
        if data.is_empty() {
            return Err(CompressionError::Truncated { codec: Codec::Zstd });
        }
        let mut context = match self.kept.take() {
            Some(kept) => kept,
            None => DCtx::try_create().ok_or(NO_CONTEXT)?,
        };
        context.reset(ResetDirective::SessionOnly).map_err(failed)?;
        let hint = match zstd_safe::get_frame_content_size(data) {
            Ok(Some(size)) => usize::try_from(size).ok(),
            _ => None,
        };
        let mut room = Room::new(out, limit, data.len(), hint)?;
        let read = frames(&mut context, data, &mut room);
        if context.sizeof() <= LARGEST_KEPT {
            self.kept = Some(context);
        }
        read
    }
}

fn frames(context: &mut DCtx<'_>, data: &[u8], room: &mut Room<'_>) -> Result<(), CompressionError> {
    let mut input = InBuffer::around(data);
    loop {
        room.grow()?;
        let (read, written) = (input.pos(), room.out.len());
        let mut output = OutBuffer::around_pos(room.out, written);
        let ended = context
            .decompress_stream(&mut output, &mut input)
            .map_err(|code| CompressionError::Corrupt { codec: Codec::Zstd, what: zstd_safe::get_error_name(code) })?
            == 0;
        room.check()?;
        if ended && input.pos() == data.len() {
            return Ok(());
        }
        if !ended && input.pos() == read && room.out.len() == written {
            return Err(CompressionError::Truncated { codec: Codec::Zstd });
        }
    }
}
