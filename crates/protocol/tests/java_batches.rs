//! Record batches that Kafka 4.4.0's own Java classes wrote, one file a codec: each must decode to the 2,000 records it holds.

use ottla_protocol::compression::{Codec, Compressor, Decompressor};
use ottla_protocol::records::{
    BatchHeader, BatchIter, TimestampType, check_crc, read_record, read_record_offsets, reader::check_count, timestamp,
};

const FILES: [(&str, Codec, &[u8]); 5] = [
    ("none", Codec::None, include_bytes!("golden/java_none_m2.bin")),
    ("gzip", Codec::Gzip, include_bytes!("golden/java_gzip_m2.bin")),
    ("snappy", Codec::Snappy, include_bytes!("golden/java_snappy_m2.bin")),
    ("lz4", Codec::Lz4, include_bytes!("golden/java_lz4_m2.bin")),
    ("zstd", Codec::Zstd, include_bytes!("golden/java_zstd_m2.bin")),
];
const RECORDS: i64 = 2_000;
const LIMIT: usize = 1 << 20;

fn check_records(header: &BatchHeader, records: &[u8], first: i64) -> i64 {
    check_count(header.record_count, records.len()).expect("the count fits");
    let (mut position, mut offsets_position) = (0, 0);
    for index in 0..i64::from(header.record_count) {
        let id = first + index;
        let record = read_record(records, &mut position).expect("a Java record is valid");
        let offsets = read_record_offsets(records, &mut offsets_position).expect("and so are its positions");
        assert_eq!(offsets.view(records), record);
        assert_eq!(offsets_position, position);
        assert_eq!(header.base_offset + record.offset_delta, id);
        assert_eq!(record.key, Some(format!("key{id}").as_bytes()));
        let value = std::str::from_utf8(record.value.expect("a value")).expect("JSON is UTF-8");
        assert!(value.starts_with(&format!("{{\"id\":{id},\"name\":\"user")), "{value}");
        assert!(value.ends_with('}'), "{value}");
        let expected = 1_790_000_000_000 + (id * 3_000_000_000) % 100_000_000_000;
        assert_eq!(timestamp(header, record.timestamp_delta), expected, "timestamp of record {id}");
        let headers: Vec<_> = record.headers.iter().map(|header| header.expect("a valid header")).collect();
        assert_eq!(
            headers,
            [(&b"k"[..], Some(&[1u8][..])), (b"k", Some(&[2])), (b"n", None)],
            "duplicate keys and the null value are kept"
        );
    }
    assert_eq!(position, records.len(), "nothing is left over");
    first + i64::from(header.record_count)
}

#[test]
fn java_batches_of_every_codec_decode() {
    let mut decompressor = Decompressor::new();
    for (name, codec, data) in FILES {
        let mut next = 0;
        let mut end = 0;
        let mut batches = BatchIter::new(data);
        for batch in batches.by_ref() {
            let (range, header) = batch.expect("a Java batch is valid");
            assert_eq!(header.codec(), Ok(codec), "{name}");
            assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
            assert!(!header.is_control() && !header.is_transactional());
            assert_eq!(range.start, end);
            end = range.end;
            let batch = &data[range];
            assert!(check_crc(&header, batch), "{name}: CRC");
            let mut records = Vec::new();
            decompressor.decompress(codec, &batch[61..], LIMIT, &mut records).expect(name);
            next = check_records(&header, &records, next);
            assert_eq!(header.next_offset(), next);
        }
        assert_eq!(next, RECORDS, "{name}");
        assert_eq!(batches.position(), data.len());
    }
}

/// A flipped bit anywhere behind the CRC is seen; the header written back is the same bytes.
#[test]
fn java_batches_seal_to_the_same_bytes() {
    for (name, _, data) in FILES {
        let parsed = BatchHeader::parse(data).expect(name);
        let mut header = BatchHeader { batch_length: 0, crc: 0, ..parsed };
        let body = &data[61..];
        let (left, right) = body.split_at(body.len() / 3);
        assert_eq!(header.seal([left, &[], right].into_iter()), data[..61], "{name}");
        assert_eq!(header, parsed);
        for position in [21, 40, 60, 61, data.len() - 1] {
            let mut bad = data.to_vec();
            bad[position] ^= 4;
            assert!(!check_crc(&header, &bad), "{name}: byte {position}");
        }
    }
}

/// What one codec's Java bytes hold, every codec of ours carries and brings back.
#[test]
fn java_records_survive_our_codecs() {
    let header = BatchHeader::parse(FILES[0].2).expect("valid");
    let records = &FILES[0].2[61..];
    let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new());
    for (name, codec, java) in FILES {
        // As the accumulator's chain: 1, 4, then 32 KiB.
        let mut chunks = Vec::new();
        let mut rest = records;
        for size in [1 << 10, 4 << 10].into_iter().chain(std::iter::repeat(32 << 10)) {
            let (chunk, behind) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        for _ in 0..2 {
            let mut compressed = Vec::new();
            compressor.compress(codec, None, &chunks, &mut compressed).expect(name);
            assert!(compressed.len() < java.len() * 11 / 10, "{name}: {} bytes, Java {}", compressed.len(), java.len());
            let mut back = b"before".to_vec();
            decompressor.decompress(codec, &compressed, records.len(), &mut back).expect(name);
            assert_eq!(&back[..6], b"before");
            assert_eq!(check_records(&header, &back[6..], 0), RECORDS);
        }
    }
}
