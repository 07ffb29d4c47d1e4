//! The codecs of record batches, with contexts that a work thread keeps (E3).
//!
//! * [`codec`]: their numbers, names, and [`Compressor`] and [`Decompressor`] over all of them.
//! * [`gzip`], [`snappy`], [`lz4`], [`zstd`]: one codec each, with its framing.
//!
//! Left to others: the ranges of levels that users may set, when a batch is compressed, and whether the result is used.
pub mod codec;
pub mod error;
mod gzip;
mod lz4;
mod room;
mod snappy;
#[cfg(test)]
mod tests;
mod xxhash;
mod zstd;

pub use codec::{Codec, Compressor, Decompressor};
pub use error::CompressionError;
