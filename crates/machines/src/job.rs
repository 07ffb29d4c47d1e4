//! Work that takes too long for thread *io*: compression of a sealed batch, decompression of a fetched one.
//!
//! A machine asks for a job as data, thread *work* runs it by [`run`], and its result comes back as an input in the order
//! of asking. Which batch it belongs to travels along as a tag.
use std::ops::Range;
use std::sync::Arc;

use ottla_protocol::compression::{Codec, CompressionError, Compressor, Decompressor};

use crate::machine::{Body, Frame};

/// At most one batch of work.
#[derive(Debug)]
pub enum Job {
    /// Compress the records of a batch.
    Compress { tag: u64, codec: Codec, level: Option<i32>, body: Arc<Body>, out: Vec<u8> },
    /// Decompress the records of a fetched batch: `range` of `frame`, at most `limit` bytes of them.
    Decompress { tag: u64, codec: Codec, frame: Frame, range: Range<usize>, limit: usize, out: Vec<u8> },
}

/// What came of a job.
#[derive(Debug)]
pub enum Computed {
    Compressed { tag: u64, body: Arc<Body>, result: Result<Vec<u8>, CompressionError> },
    Decompressed { tag: u64, frame: Frame, result: Result<Vec<u8>, CompressionError> },
}

/// The codecs' contexts, kept from job to job; one per thread.
#[derive(Default)]
pub struct Contexts {
    compressor: Compressor,
    decompressor: Decompressor,
}

/// Does the work. Takes long: up to tens of milliseconds for a batch of 1 MiB.
pub fn run(job: Job, contexts: &mut Contexts) -> Computed {
    match job {
        Job::Compress { tag, codec, level, body, mut out } => {
            let chunks: Vec<&[u8]> = body.parts().collect();
            out.clear();
            let result = contexts.compressor.compress(codec, level, &chunks, &mut out).map(|()| out);
            Computed::Compressed { tag, body, result }
        }
        Job::Decompress { tag, codec, frame, range, limit, mut out } => {
            out.clear();
            let result = match frame.as_slice().get(range) {
                Some(data) => contexts.decompressor.decompress(codec, data, limit, &mut out).map(|()| out),
                None => Ok(Vec::new()),
            };
            Computed::Decompressed { tag, frame, result }
        }
    }
}
