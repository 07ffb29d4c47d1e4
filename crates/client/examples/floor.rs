//! The floor of the benchmarks: what it costs to encode records, checksum them and move them over loopback, and nothing
//! else. `floor send|send-lz4|receive COUNT` prints CPU per record of that side alone, as JSON.
//!
//! One thread writes batches as a producer would, another reads, checks and decodes them as a consumer would. There is
//! no broker, no request, no queue: no client can be below this. `make bench` adds what Python's objects cost.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use ottla_protocol::compression::{Codec, Compressor};
use ottla_protocol::records::{
    BATCH_HEADER_LEN, BatchHeader, EncodedHeaders, TimestampType, check_crc, read_record_offsets, record_size,
    write_record,
};

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of records in a batch: stays in the cache, and a system call carries hundreds of records.
const BATCH_BYTES: usize = 64 * 1024;
const KEYS: usize = 1_000;
const VALUE_BYTES: usize = 100;
/// Fewer records would measure the first page faults.
const LEAST_RECORDS: usize = 2_000_000;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [side, count] = arguments.as_slice() else {
        return Err("usage: floor send|send-lz4|receive COUNT".into());
    };
    let count = count.parse::<usize>()?.max(LEAST_RECORDS);
    let codec = if side == "send-lz4" { Codec::Lz4 } else { Codec::None };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let started = Instant::now();
    let receiving = std::thread::spawn(move || receive(listener.accept()?.0, codec));
    let sent = send(TcpStream::connect(address)?, codec, count)?;
    let (records, received) = receiving.join().map_err(|_| "the receiver panicked")??;
    if records != count {
        return Err(format!("{records} of {count} records arrived").into());
    }
    let cpu = if side == "receive" { received } else { sent };
    let seconds = started.elapsed().as_secs_f64();
    let (cpu_ns, rate) = (cpu as f64 / count as f64, count as f64 / seconds);
    writeln!(std::io::stdout(), "{{\"cpu_ns\": {cpu_ns:.2}, \"records_per_second\": {rate:.0}}}")?;
    Ok(())
}

/// Writes `count` records in batches; CPU nanoseconds of this thread.
fn send(mut socket: TcpStream, codec: Codec, count: usize) -> Result<u64, Failure> {
    let pairs = pairs();
    let (mut body, mut compressed) = (vec![0; BATCH_BYTES + 2 * VALUE_BYTES], Vec::new());
    let mut compressor = Compressor::new();
    let attributes = BatchHeader::attributes(codec, TimestampType::CreateTime, false, false);
    let mut pair = pairs.iter().cycle();
    let begun = thread_cpu()?;
    let mut left = count;
    while left > 0 {
        let (mut length, mut records) = (0, 0);
        while length < BATCH_BYTES && left > 0 {
            let Some((key, value)) = pair.next() else { break };
            let size = record_size(records, 1, Some(key), Some(value), EncodedHeaders::default());
            length +=
                write_record(&mut body[length..], size, records, 1, Some(key), Some(value), EncodedHeaders::default());
            records += 1;
            left -= 1;
        }
        let mut sent = &body[..length];
        if codec != Codec::None {
            compressed.clear();
            compressor.compress(codec, None, &[sent], &mut compressed)?;
            sent = &compressed;
        }
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes,
            last_offset_delta: i32::try_from(records)? - 1,
            base_timestamp: 0,
            max_timestamp: 1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: i32::try_from(records)?,
        };
        let bytes = header.seal([sent].into_iter());
        socket.write_all(&bytes)?;
        socket.write_all(sent)?;
    }
    Ok(thread_cpu()? - begun)
}

/// Reads to the end of the stream, checks and decodes; records, and CPU nanoseconds of this thread.
fn receive(mut socket: TcpStream, codec: Codec) -> Result<(usize, u64), Failure> {
    let mut buffer = vec![0; 4 * BATCH_BYTES];
    let (mut filled, mut total, mut bytes) = (0, 0, 0_u64);
    let begun = thread_cpu()?;
    loop {
        let read = socket.read(&mut buffer[filled..])?;
        if read == 0 {
            break;
        }
        filled += read;
        let mut start = 0;
        while filled - start >= BATCH_HEADER_LEN {
            let header = BatchHeader::parse(&buffer[start..filled])?;
            let length = header.whole_length();
            let Some(batch) = buffer[start..filled].get(..length) else { break };
            if !check_crc(&header, batch) {
                return Err("a checksum does not fit".into());
            }
            let mut position = BATCH_HEADER_LEN;
            for _ in 0..if codec == Codec::None { header.record_count } else { 0 } {
                let record = read_record_offsets(batch, &mut position)?;
                bytes += record.value().map_or(0, |(from, to)| u64::from(to - from));
            }
            total += usize::try_from(header.record_count)?;
            start += length;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
    // Used, so that no decoding is left out.
    if codec == Codec::None && bytes != (total * VALUE_BYTES) as u64 {
        return Err("values are missing".into());
    }
    Ok((total, thread_cpu()? - begun))
}

/// Keys of 8 bytes and values of 100 like those of the Python loops: JSON text with some repetition.
fn pairs() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut state = 9_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let letters = b"etaoin shrdlu";
    (0..KEYS)
        .map(|number| {
            let (user, price) = (random() & 0xff_ffff, random() % 10_000_000);
            let city = ["Tokyo", "Porto", "Lagos", "Lima", "Oslo"][random() % 5];
            let note: String = (0..60).map(|_| char::from(letters[random() % letters.len()])).collect();
            let (whole, part) = (price / 10_000, price % 10_000);
            let text = format!(
                "{{\"id\":{number},\"user\":\"u{user:06x}\",\"price\":{whole}.{part:04},\"city\":\"{city}\",\"note\":\"{note}\"}}"
            );
            let mut value = text.into_bytes();
            value.resize(VALUE_BYTES, b'.');
            (format!("key{number:05}").into_bytes(), value)
        })
        .collect()
}

/// CPU nanoseconds of the calling thread so far.
fn thread_cpu() -> Result<u64, Failure> {
    // The kernel brings the figure up to date when the thread goes through the scheduler.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?)
}
