//! The numbers and names of the codecs, and the two objects that a work thread keeps.

use super::{CompressionError, gzip, lz4, snappy, zstd};

/// How the records of a batch are compressed; the number stands in bits 0 to 2 of its attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy blocks in the framing of snappy-java ("xerial").
    Snappy = 2,
    /// The lz4 frame format.
    Lz4 = 3,
    /// Zstandard (KIP-110).
    Zstd = 4,
}

impl Codec {
    /// The codec of a number on the wire, if there is one.
    pub const fn from_number(number: u8) -> Option<Codec> {
        match number {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// The codec of a name as `compression.type` spells it.
    pub fn from_name(name: &str) -> Option<Codec> {
        [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]
            .into_iter()
            .find(|codec| codec.name() == name)
    }

    /// The name as `compression.type` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

/// Compresses chains of chunks, keeping each codec's context from batch to batch. One a work thread.
#[derive(Default)]
pub struct Compressor {
    gzip: gzip::Compressor,
    snappy: snappy::Compressor,
    lz4: lz4::Compressor,
    zstd: zstd::Compressor,
}

impl Compressor {
    /// Contexts are made when a codec is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the compressed `chunks` (one stream over their whole chain) to `out`. `level` is the codec's own; the
    /// default is gzip's 6 and zstd's 3, lz4 and snappy have none. A level outside the codec's range is clamped.
    ///
    /// # Errors
    /// `Failed` if the codec cannot work (no memory); `out` then holds a part.
    pub fn compress(
        &mut self,
        codec: Codec,
        level: Option<i32>,
        chunks: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        match codec {
            Codec::None => {
                for chunk in chunks {
                    out.extend_from_slice(chunk);
                }
                Ok(())
            }
            Codec::Gzip => self.gzip.compress(level, chunks, out),
            Codec::Snappy => self.snappy.compress(chunks, out),
            Codec::Lz4 => self.lz4.compress(chunks, out),
            Codec::Zstd => self.zstd.compress(level, chunks, out),
        }
    }
}

/// Decompresses batches, keeping each codec's context. One a work thread.
#[derive(Default)]
pub struct Decompressor {
    gzip: gzip::Decompressor,
    snappy: snappy::Decompressor,
    zstd: zstd::Decompressor,
}

impl Decompressor {
    /// Contexts are made when a codec is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the decompressed `data` to `out`, at most `limit` bytes of it. Sizes that `data` declares are hints: room
    /// grows with what really comes out.
    ///
    /// # Errors
    /// `LimitExceeded`, `Truncated`, `Corrupt`, or `Failed` (no memory); `out` then holds a part.
    pub fn decompress(
        &mut self,
        codec: Codec,
        data: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        match codec {
            Codec::None => {
                if data.len() > limit {
                    return Err(CompressionError::LimitExceeded { limit });
                }
                out.extend_from_slice(data);
                Ok(())
            }
            Codec::Gzip => self.gzip.decompress(data, limit, out),
            Codec::Snappy => self.snappy.decompress(data, limit, out),
            Codec::Lz4 => lz4::decompress(data, limit, out),
            Codec::Zstd => self.zstd.decompress(data, limit, out),
        }
    }
}
