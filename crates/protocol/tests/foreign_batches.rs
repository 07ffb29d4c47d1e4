//! Bytes of other writers than Java's client: what librdkafka 2.14 produced and what a Kafka 4.4.0 broker kept or wrote itself (log
//! segments, read as they lie), and frames of the lz4 command.

use ottla_protocol::compression::{Codec, CompressionError, Decompressor};
use ottla_protocol::crc::crc32;
use ottla_protocol::records::{
    BatchHeader, BatchIter, ControlRecord, ControlType, TimestampType, check_crc, read_record, timestamp,
};

/// Key, value and headers of a record, owned.
#[derive(Debug, PartialEq)]
struct Record {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn read(data: &[u8]) -> Vec<(BatchHeader, Vec<Record>)> {
    let mut decompressor = Decompressor::new();
    BatchIter::new(data)
        .map(|batch| {
            let (range, header) = batch.expect("a valid batch");
            let batch = &data[range];
            assert!(check_crc(&header, batch));
            let mut records = Vec::new();
            let codec = header.codec().expect("known");
            decompressor.decompress(codec, &batch[61..], 1 << 20, &mut records).expect("valid");
            let mut position = 0;
            let read = (0..header.record_count)
                .map(|_| {
                    let record = read_record(&records, &mut position).expect("valid");
                    Record {
                        offset: header.base_offset + record.offset_delta,
                        timestamp: timestamp(&header, record.timestamp_delta),
                        key: record.key.map(<[u8]>::to_vec),
                        value: record.value.map(<[u8]>::to_vec),
                        headers: record
                            .headers
                            .iter()
                            .map(|header| header.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))))
                            .collect::<Result<_, _>>()
                            .expect("valid"),
                    }
                })
                .collect();
            assert_eq!(position, records.len());
            (header, read)
        })
        .collect()
}

#[test]
fn librdkafka_batches_of_every_codec() {
    let files: [(Codec, &[u8]); 4] = [
        (Codec::Gzip, include_bytes!("golden/librdkafka_gzip.bin")),
        (Codec::Snappy, include_bytes!("golden/librdkafka_snappy.bin")),
        (Codec::Lz4, include_bytes!("golden/librdkafka_lz4.bin")),
        (Codec::Zstd, include_bytes!("golden/librdkafka_zstd.bin")),
    ];
    for (codec, data) in files {
        let mut next = 0;
        for (header, records) in read(data) {
            assert_eq!(header.codec(), Ok(codec));
            assert_eq!((header.base_offset, i64::from(header.base_sequence)), (next, next));
            for record in records {
                assert_eq!(record.offset, next);
                assert_eq!(record.timestamp, 1_790_000_000_000 + next * 1_000);
                assert_eq!(record.key, Some(format!("key{next}").into_bytes()));
                let value = String::from_utf8(record.value.expect("a value")).expect("JSON");
                assert!(value.starts_with(&format!("{{\"id\": {next}, \"name\": \"user{}\"", next % 37)), "{value}");
                let header = |key: &[u8], value: Option<&[u8]>| (key.to_vec(), value.map(<[u8]>::to_vec));
                assert_eq!(record.headers, [header(b"k", Some(&[1])), header(b"k", Some(&[2])), header(b"n", None)]);
                next += 1;
            }
        }
        assert_eq!(next, 300, "{}", codec.name());
    }
}

/// The producer said 1000 and on; the broker set its own clock, which holds for all records.
#[test]
fn log_append_time_of_a_broker() {
    let batches = read(include_bytes!("golden/broker_log_append_time.bin"));
    let mut next = 0;
    for (header, records) in batches {
        assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
        for record in records {
            assert_eq!(record.timestamp, header.max_timestamp);
            assert!(record.timestamp > 1_790_000_000_000);
            assert_eq!((record.key, record.value), (None, Some(format!("value{next}").into_bytes())));
            next += 1;
        }
    }
    assert_eq!(next, 10);
}

/// Two transactions of three records, the first aborted; after each the broker's control batch.
#[test]
fn control_batches_of_a_broker() {
    let batches = read(include_bytes!("golden/broker_transactions.bin"));
    let shape: Vec<_> = batches
        .iter()
        .map(|(header, records)| (header.is_transactional(), header.is_control(), header.next_offset(), records.len()))
        .collect();
    assert_eq!(shape, [(true, false, 3, 3), (true, true, 4, 1), (true, false, 7, 3), (true, true, 8, 1)]);
    for (index, expected) in [(1, ControlType::Abort), (3, ControlType::Commit)] {
        let key = batches[index].1[0].key.as_deref().expect("a control record has a key");
        assert_eq!(ControlRecord::parse(key), Ok(ControlRecord { version: 0, control_type: expected }));
    }
}

/// Linked blocks, which reach back into earlier ones, with a content size or a checksum a block, and a content checksum.
#[test]
fn frames_of_the_lz4_command() {
    let files: [&[u8]; 2] =
        [include_bytes!("golden/lz4_linked_sized.bin"), include_bytes!("golden/lz4_linked_block_checksums.bin")];
    let mut decompressor = Decompressor::new();
    for data in files {
        let mut out = b"before".to_vec();
        decompressor.decompress(Codec::Lz4, data, 1 << 20, &mut out).expect("valid");
        assert_eq!(crc32(&out[6..]), 0xb98b_0391);
        // Any flipped bit is seen by one of the checksums or sizes.
        for position in (0..data.len()).step_by(7) {
            let mut bad = data.to_vec();
            bad[position] ^= 1;
            let mut out = Vec::new();
            assert!(decompressor.decompress(Codec::Lz4, &bad, 1 << 20, &mut out).is_err(), "byte {position}");
        }
        for end in (0..data.len()).step_by(101) {
            let cut = decompressor.decompress(Codec::Lz4, &data[..end], 1 << 20, &mut Vec::new());
            assert_eq!(cut, Err(CompressionError::Truncated { codec: Codec::Lz4 }), "cut at {end}");
        }
    }
}
