//! The bodies of the fuzz targets of records and codecs, run by `cargo test` with seeds as well: they look for panics, for
//! limits not kept and for values that do not survive the way to bytes and back.

#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

use super::header::BATCH_HEADER_LEN;
use super::reader::check_count;
use super::varint;
use super::writer::write_header_tail;
use super::{
    BatchHeader, BatchIter, EncodedHeaders, RecordView, TimestampType, check_crc, encode_header, read_record,
    read_record_offsets, record_size, timestamp, write_record, write_record_prefix,
};
use crate::compression::{Codec, Compressor, Decompressor};

/// Most bytes that a body lets a codec make.
pub const LIMIT: usize = 1 << 18;

/// Every codec by its number.
pub const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// The records field of a Fetch response, read as a consumer does. The CRC of each batch is patched, so that what lies
/// behind it is reached.
pub fn record_batch(bytes: &[u8]) {
    let mut batches = BatchIter::new(bytes);
    let mut end = 0;
    while let Some(Ok((range, header))) = batches.next() {
        assert!(range.start == end && range.end <= bytes.len() && range.len() == header.whole_length());
        end = range.end;
        let mut batch = bytes[range].to_vec();
        let mut sealed = header;
        let prefix = sealed.seal(std::iter::once(&batch[BATCH_HEADER_LEN..]));
        batch[..BATCH_HEADER_LEN].copy_from_slice(&prefix);
        assert_eq!(BatchHeader::parse(&batch), Ok(sealed));
        assert_eq!(BatchHeader { crc: header.crc, ..sealed }, header);
        assert!(check_crc(&sealed, &batch));
        let _ = (header.next_offset(), header.timestamp_type(), header.is_control(), header.is_transactional());
        let Ok(codec) = header.codec() else { continue };
        let mut records = Vec::new();
        if Decompressor::new().decompress(codec, &batch[BATCH_HEADER_LEN..], LIMIT, &mut records).is_ok() {
            let _ = walk(&header, &records);
        }
    }
    assert_eq!(batches.position(), end);
    assert!(batches.next().is_none(), "an error or a cut-off batch ends the walk");
}

/// Reads all records both ways; each that is valid comes back from our writer.
fn walk(header: &BatchHeader, data: &[u8]) -> Option<()> {
    check_count(header.record_count, data.len()).ok()?;
    let (mut position, mut same) = (0, 0);
    for _ in 0..header.record_count {
        let record = read_record(data, &mut position);
        let offsets = read_record_offsets(data, &mut same);
        assert_eq!(offsets.map(|offsets| offsets.view(data)), record);
        let record = record.ok()?;
        assert_eq!(same, position);
        let _ = timestamp(header, record.timestamp_delta);
        let (count, errors) = record.headers.iter().fold((0, 0), |(count, errors), header| {
            assert_eq!(errors, 0, "an error is the last item");
            (count + 1, errors + usize::from(header.is_err()))
        });
        assert!(count == record.headers.len() || errors == 1);
        rewrite(&record);
    }
    Some(())
}

fn rewrite(record: &RecordView<'_>) {
    let Ok(offset_delta) = u32::try_from(record.offset_delta) else { return };
    let headers = EncodedHeaders { count: record.headers.len() as u32, bytes: record.headers.bytes() };
    let size = record_size(offset_delta, record.timestamp_delta, record.key, record.value, headers);
    let mut bytes = vec![0; size.total];
    let written =
        write_record(&mut bytes, size, offset_delta, record.timestamp_delta, record.key, record.value, headers);
    assert_eq!(written, size.total);
    assert_eq!(read_record(&bytes, &mut 0).as_ref(), Ok(record));
}

/// Compressed bytes of `codec`, as a broker may send them. What comes out keeps the limit, comes out again with the same
/// contexts, and survives our own compressor.
pub fn decompress(codec: Codec, bytes: &[u8]) {
    let mut decompressor = Decompressor::new();
    let mut first = b"before".to_vec();
    let result = decompressor.decompress(codec, bytes, LIMIT, &mut first);
    assert!(first.starts_with(b"before"));
    let mut second = Vec::new();
    assert_eq!(decompressor.decompress(codec, bytes, LIMIT, &mut second), result, "a kept context is as a fresh one");
    if result.is_ok() {
        assert!(first.len() <= LIMIT + 6);
        assert_eq!(first[6..], second);
        let (left, right) = second.split_at(second.len() / 2);
        let mut compressed = Vec::new();
        Compressor::new().compress(codec, None, &[left, right], &mut compressed).expect("there is memory");
        let mut back = Vec::new();
        assert_eq!(decompressor.decompress(codec, &compressed, second.len(), &mut back), Ok(()));
        assert_eq!(back, second);
    }
}

/// The varints of records, one after the other.
pub fn record_varint(bytes: &[u8]) {
    let mut position = 0;
    while position < bytes.len() {
        let start = position;
        let (mut short, mut long) = (start, start);
        let narrow = varint::read32(bytes, &mut short);
        let wide = varint::read64(bytes, &mut long);
        if let Ok(narrow) = narrow {
            assert_eq!((wide, long), (Ok(narrow), short), "32 bits are 64 bits too");
        }
        let Ok(value) = wide else {
            assert_eq!((short, long), (start, start), "an error moves nothing");
            position += 1;
            continue;
        };
        let size = varint::size(value);
        assert!(size <= long - start && long - start <= 10);
        // With no room to spare, and with a mark behind that is not read.
        let mut exact = vec![0; size];
        assert_eq!(varint::write(&mut exact, 0, value), size);
        let mut roomy = [0xff; 16];
        assert_eq!(varint::write(&mut roomy, 0, value), size);
        assert_eq!(roomy[..size], exact);
        assert_eq!(varint::read64(&exact, &mut 0), Ok(value));
        assert_eq!(varint::read64(&roomy, &mut 0), Ok(value));
        position = long;
    }
}

/// A record to be built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Milliseconds, anything.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Keys and values of headers.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Reads the bytes as instructions for a batch, then as [`builder_roundtrip_of`].
pub fn builder_roundtrip(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let codec = CODECS[usize::from(bytes.next().unwrap_or(0)) % CODECS.len()];
    let chunk = 16 << (bytes.next().unwrap_or(0) % 12);
    let mut samples = Vec::new();
    let mut clock = 0i64;
    while let Some(shape) = bytes.next() {
        // Lengths up to 15, or 300 times that; contents that repeat, so that codecs have work.
        let mut field = |present: bool| {
            let length = bytes.next().unwrap_or(0);
            let length = if length & 0x80 == 0 { usize::from(length & 15) } else { usize::from(length & 15) * 300 };
            present.then(|| (0..length).map(|index| (index as u8).wrapping_mul(length as u8 | 1)).collect::<Vec<u8>>())
        };
        let key = field(shape & 1 != 0);
        let value = field(shape & 2 != 0);
        let headers = (0..shape >> 6).map(|_| (field(true).unwrap_or_default(), field(shape & 4 != 0))).collect();
        clock = match shape >> 3 & 7 {
            0 => i64::MIN,
            1 => i64::MAX,
            step => clock.wrapping_add(i64::from(step) << (step * 4)),
        };
        samples.push(Sample { timestamp: clock, key, value, headers });
    }
    builder_roundtrip_of(&samples, codec, chunk);
}

/// Builds a batch as an accumulator does, in chunks of `chunk` bytes, compresses and seals it, and reads it back.
pub fn builder_roundtrip_of(samples: &[Sample], codec: Codec, chunk: usize) {
    let base = samples.first().map_or(0, |sample| sample.timestamp);
    let chunks = chain(samples, base, chunk);
    let slices: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let mut header = BatchHeader {
        base_offset: 42,
        batch_length: 0,
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: BatchHeader::attributes(codec, TimestampType::CreateTime, false, false),
        last_offset_delta: samples.len() as i32 - 1,
        base_timestamp: base,
        max_timestamp: samples.iter().map(|sample| sample.timestamp).max().unwrap_or(0),
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: samples.len() as i32,
    };
    let mut body = Vec::new();
    Compressor::new().compress(codec, None, &slices, &mut body).expect("there is memory");
    let prefix = header.seal([body.as_slice()].into_iter());
    let mut field = prefix.to_vec();
    field.extend_from_slice(&body);
    let whole = field.len();
    // A second batch, cut off.
    field.extend_from_slice(&prefix[..prefix.len() - 1]);

    let mut batches = BatchIter::new(&field);
    let (range, read) = batches.next().expect("a batch").expect("that is valid");
    assert_eq!((range, read), (0..whole, header));
    assert!(check_crc(&read, &field[..whole]));
    assert_eq!(batches.next(), None);
    assert_eq!(batches.position(), whole);
    let length: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut records = Vec::new();
    Decompressor::new().decompress(codec, &field[BATCH_HEADER_LEN..whole], length, &mut records).expect("our own");
    assert_eq!(records, slices.concat());
    check_count(read.record_count, records.len()).expect("they fit");
    let mut position = 0;
    for (index, sample) in samples.iter().enumerate() {
        let record = read_record(&records, &mut position).expect("a valid record");
        assert_eq!(record.offset_delta, index as i64);
        assert_eq!(timestamp(&read, record.timestamp_delta), sample.timestamp);
        assert_eq!((record.key, record.value), (sample.key.as_deref(), sample.value.as_deref()));
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|header| header.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).expect("a valid header"))
            .collect();
        assert_eq!(headers, sample.headers);
    }
    assert_eq!(position, records.len());
}

/// Records in chunks: one that does not fit the open chunk opens the next, one larger than a chunk is linked in parts.
fn chain(samples: &[Sample], base: i64, chunk: usize) -> Vec<Vec<u8>> {
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    let mut open = vec![0; chunk];
    let mut used = 0;
    for (index, sample) in samples.iter().enumerate() {
        let index = index as u32;
        let mut entries = Vec::new();
        for (key, value) in &sample.headers {
            encode_header(&mut entries, key, value.as_deref());
        }
        let headers = EncodedHeaders { count: sample.headers.len() as u32, bytes: &entries };
        let delta = sample.timestamp.wrapping_sub(base);
        let (key, value) = (sample.key.as_deref(), sample.value.as_deref());
        let size = record_size(index, delta, key, value, headers);
        if size.total > chunk - used {
            chunks.push(open[..used].to_vec());
            open.fill(0xee);
            used = 0;
        }
        if size.total <= chunk {
            used += write_record(&mut open[used..], size, index, delta, key, value, headers);
        } else {
            let mut prefix = vec![0xee; size.total - value.map_or(0, <[u8]>::len) - headers.size()];
            let written = write_record_prefix(&mut prefix, size, index, delta, key, value.map(<[u8]>::len));
            assert_eq!(written, prefix.len());
            let mut tail = vec![0xee; headers.size()];
            assert_eq!(write_header_tail(&mut tail, headers), tail.len());
            chunks.extend([prefix, value.unwrap_or_default().to_vec(), tail]);
        }
    }
    chunks.push(open[..used].to_vec());
    chunks
}
