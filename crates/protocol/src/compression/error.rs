//! What can go wrong in a codec.

use super::Codec;

/// Why bytes could not be compressed or decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionError {
    /// The compressed bytes end early.
    Truncated {
        /// Which codec read them.
        codec: Codec,
    },
    /// The compressed bytes are not what the codec writes.
    Corrupt {
        /// Which codec read them.
        codec: Codec,
        /// What is wrong.
        what: &'static str,
    },
    /// The decompressed bytes exceed the limit: a bomb, or a limit set too low.
    LimitExceeded {
        /// Most bytes that were allowed.
        limit: usize,
    },
    /// The output does not fit in memory.
    OutOfMemory,
    /// The codec refused to work.
    Failed {
        /// Which codec.
        codec: Codec,
        /// Its own words.
        what: &'static str,
    },
}

impl core::fmt::Display for CompressionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            CompressionError::Truncated { codec } => write!(f, "{} data ends early", codec.name()),
            CompressionError::Corrupt { codec, what } => write!(f, "{} data is corrupt: {what}", codec.name()),
            CompressionError::LimitExceeded { limit } => {
                write!(f, "decompressed records exceed the limit of {limit} bytes")
            }
            CompressionError::OutOfMemory => write!(f, "no memory for the output of compression"),
            CompressionError::Failed { codec, what } => write!(f, "{} failed: {what}", codec.name()),
        }
    }
}

impl std::error::Error for CompressionError {}
