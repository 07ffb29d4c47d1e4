//! Encodes or decodes 10,000 records of 100 B value and 8 B key, for callgrind to count (`benches/instructions.py`) or for a
//! stopwatch: `count encode|decode|views|headers`, `count time`,
//! `count codecs`.
//!
//! The counted functions hold nothing of ours but the record codec: no CRC (its code depends on the processor).
#![allow(clippy::print_stdout, reason = "a program")]

use std::hint::black_box;
use std::time::Instant;

use ottla_protocol::compression::{Codec, Compressor, Decompressor};
use ottla_protocol::records::{
    EncodedHeaders, RecordOffsets, encode_header, read_record, read_record_offsets, record_size, write_record,
};

const RECORDS: u32 = 10_000;
const CHUNK: usize = 32 * 1024;

/// What a producer would append, and room for its chunks.
struct Work {
    /// Lengths known at run time only, as a caller's are.
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
    headers: Vec<u8>,
    header_count: u32,
    chunks: Vec<Vec<u8>>,
}

impl Work {
    fn new(with_headers: bool, varied: bool) -> Self {
        let keys = (0..1_000u32).map(|key| format!("key{key:05}").into_bytes()).collect();
        // 20 to 119 bytes in no order, or 100.
        let length = |index: u32| if varied { 20 + index.wrapping_mul(2_654_435_761) as usize / 7 % 100 } else { 100 };
        let values = (0..RECORDS).map(|index| vec![b'v'; length(index)]).collect();
        let mut headers = Vec::new();
        if with_headers {
            encode_header(&mut headers, b"trace", Some(b"0123456789abcdef"));
            encode_header(&mut headers, b"source", Some(b"test"));
        }
        let record = 130 + headers.len();
        let chunks = vec![vec![0; CHUNK]; (RECORDS as usize).div_ceil(CHUNK / record)];
        Work { keys, values, headers, header_count: if with_headers { 2 } else { 0 }, chunks }
    }
}

/// As `produce()` would: size first, next chunk where it does not fit, record into the chunk. Returns the bytes of each.
#[inline(never)]
fn encode_records(work: &mut Work, used: &mut Vec<usize>) {
    used.clear();
    let headers = EncodedHeaders { count: work.header_count, bytes: &work.headers };
    let mut chunks = work.chunks.iter_mut();
    let mut chunk: &mut [u8] = &mut [];
    let mut position = 0;
    let mut first = 0;
    for ((index, value), key) in (0..RECORDS).zip(&work.values).zip(work.keys.iter().cycle()) {
        // A record each 10 us: deltas of one and two bytes.
        let delta = i64::from((index - first) / 100);
        let mut size = record_size(index - first, delta, Some(key), Some(value), headers);
        if chunk.len() - position < size.total {
            used.push(position);
            let Some(next) = chunks.next() else { return };
            chunk = next;
            position = 0;
            if used.len().is_multiple_of(16) {
                first = index;
            }
            size = record_size(index - first, i64::from((index - first) / 100), Some(key), Some(value), headers);
        }
        let delta = i64::from((index - first) / 100);
        position += write_record(&mut chunk[position..], size, index - first, delta, Some(key), Some(value), headers);
    }
    used.push(position);
}

/// Into 32 bytes each, as a batch cursor reads them.
#[inline(never)]
fn decode_offsets(chunks: &[&[u8]], into: &mut Vec<RecordOffsets>) -> u32 {
    let mut failed = 0;
    for chunk in chunks {
        into.clear();
        let mut position = 0;
        while position < chunk.len() {
            match read_record_offsets(chunk, &mut position) {
                Ok(record) => into.push(record),
                Err(_) => {
                    failed += 1;
                    break;
                }
            }
        }
    }
    failed
}

/// As views, each field touched.
#[inline(never)]
fn decode_views(chunks: &[&[u8]]) -> (u32, u64) {
    let (mut failed, mut sum) = (0, 0u64);
    for chunk in chunks {
        let mut position = 0;
        while position < chunk.len() {
            match read_record(chunk, &mut position) {
                Ok(record) => {
                    sum = sum.wrapping_add(record.timestamp_delta as u64 ^ record.offset_delta as u64)
                        + record.key.map_or(0, |key| key.len() as u64)
                        + record.value.map_or(0, |value| value.len() as u64)
                        + record.headers.len() as u64;
                }
                Err(_) => {
                    failed += 1;
                    break;
                }
            }
        }
    }
    (failed, sum)
}

fn encoded(with_headers: bool, varied: bool) -> (Work, Vec<usize>) {
    let mut work = Work::new(with_headers, varied);
    let mut used = Vec::with_capacity(work.chunks.len() + 1);
    encode_records(&mut work, &mut used);
    used.remove(0);
    (work, used)
}

fn slices<'a>(work: &'a Work, used: &[usize]) -> Vec<&'a [u8]> {
    work.chunks.iter().zip(used).map(|(chunk, &used)| &chunk[..used]).collect()
}

/// Median nanoseconds a record of 101 runs.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_nanos() as f64 / f64::from(RECORDS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[50]
}

fn time() {
    for (name, with_headers, varied) in
        [("100 B", false, false), ("100 B, 2 headers", true, false), ("20 to 119 B", false, true)]
    {
        let (mut work, used) = encoded(with_headers, varied);
        let mut again = Vec::with_capacity(used.len() + 1);
        let encode = median(|| encode_records(black_box(&mut work), black_box(&mut again)));
        let chunks = slices(&work, &used);
        let mut into = Vec::with_capacity(1_000);
        let offsets = median(|| {
            black_box(decode_offsets(black_box(&chunks), &mut into));
        });
        let views = median(|| {
            black_box(decode_views(black_box(&chunks)));
        });
        println!("{name}: encode {encode:.1} ns, decode into offsets {offsets:.1} ns, views {views:.1} ns a record",);
    }
}

/// Compresses and decompresses Java's records of the tests: MB/s of uncompressed bytes.
fn codecs() {
    let java = include_bytes!("../tests/golden/java_none_m2.bin");
    let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new());
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        for size in [16 << 10, java.len() - 61] {
            let data = &java[61..61 + size];
            // The accumulator's chain.
            let chunks: Vec<&[u8]> = data.chunks(CHUNK).collect();
            let (mut compressed, mut back) = (Vec::new(), Vec::new());
            let speed = |nanoseconds: f64| size as f64 * 1e3 / (nanoseconds * f64::from(RECORDS));
            let write = median(|| {
                compressed.clear();
                let done = compressor.compress(codec, None, black_box(&chunks), &mut compressed);
                assert_eq!(done, Ok(()));
            });
            let read = median(|| {
                back.clear();
                assert_eq!(decompressor.decompress(codec, black_box(&compressed), size, &mut back), Ok(()));
            });
            println!(
                "{:6} {size:6} B: compress {:.0} MB/s, decompress {:.0} MB/s, ratio {:.2}",
                codec.name(),
                speed(write),
                speed(read),
                size as f64 / compressed.len() as f64
            );
        }
    }
}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    match what.as_str() {
        "time" => return time(),
        "codecs" => return codecs(),
        _ => {}
    }
    // One call of one counted function; what was done before is not counted.
    let (mut work, used) = encoded(what == "headers", false);
    match what.as_str() {
        "encode" | "headers" => {
            let mut again = Vec::with_capacity(used.len() + 1);
            encode_records(black_box(&mut work), black_box(&mut again));
            assert_eq!(again[1..], used, "the same records");
        }
        "decode" => {
            let mut into = Vec::with_capacity(1_000);
            assert_eq!(decode_offsets(black_box(&slices(&work, &used)), &mut into), 0);
        }
        "views" => assert_eq!(decode_views(black_box(&slices(&work, &used))).0, 0),
        other => println!("count encode|decode|views|headers|time|codecs, not {other:?}"),
    }
}
