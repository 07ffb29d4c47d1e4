//! Hostile batches by hand, and batches of any shape through every codec.

use proptest::prelude::*;

use super::*;
use crate::compression::CompressionError;
use crate::fuzz::allocation::allocated_by;
use crate::records::{RawHeaders, RecordsError};

fn header(codec: Codec, record_count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: 0,
        batch_length: 0,
        partition_leader_epoch: 0,
        magic: 2,
        crc: 0,
        attributes: codec as i16,
        last_offset_delta: 0,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count,
    }
}

fn batch(mut header: BatchHeader, body: &[u8]) -> Vec<u8> {
    [&header.seal(std::iter::once(body))[..], body].concat()
}

#[test]
fn a_count_that_cannot_fit_is_refused() {
    // 61 bytes that claim two thousand million records.
    let data = batch(header(Codec::None, i32::MAX), &[]);
    let item = BatchIter::new(&data).next();
    assert_eq!(item, Some(Err(RecordsError::BadCount { count: i64::from(i32::MAX), available: 0 })));
    assert_eq!(check_count(1, 6), Err(RecordsError::BadCount { count: 1, available: 6 }));
    assert_eq!(check_count(1, 7), Ok(()));
    assert_eq!(check_count(-1, 7), Err(RecordsError::BadCount { count: -1, available: 7 }));
    // Java's least record: 7 bytes.
    let least = [12, 0, 0, 0, 1, 1, 0];
    assert!(read_record(&least, &mut 0).is_ok());
    let one = batch(header(Codec::None, 1), &least);
    assert!(matches!(BatchIter::new(&one).next(), Some(Ok(_))));
}

#[test]
fn bad_records_are_told_apart() {
    let read = |data: &[u8]| read_record(data, &mut 0).expect_err("bad");
    // Key length -2, value length -2.
    assert_eq!(read(&[12, 0, 0, 0, 3, 1, 0]), RecordsError::BadLength { position: 3, length: -2 });
    assert_eq!(read(&[12, 0, 0, 0, 1, 3, 0]), RecordsError::BadLength { position: 4, length: -2 });
    // A key longer than the record, and a record longer than the data, and one of negative length.
    assert_eq!(
        read(&[12, 0, 0, 0, 20, 1, 0, 9, 9, 9, 9, 9, 9, 9]),
        RecordsError::BadLength { position: 3, length: 10 }
    );
    assert_eq!(read(&[14, 0, 0, 0, 1, 1, 0]), RecordsError::BadLength { position: 0, length: 7 });
    assert_eq!(read(&[1, 0, 0, 0, 1, 1, 0]), RecordsError::BadLength { position: 0, length: -1 });
    // 2^29 headers in no bytes; one header in one byte; none, but a byte left over.
    assert!(matches!(
        read(&[20, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 4]),
        RecordsError::BadCount { available: 0, .. }
    ));
    assert_eq!(read(&[14, 0, 0, 0, 1, 1, 2, 0]), RecordsError::BadCount { count: 1, available: 1 });
    assert_eq!(read(&[14, 0, 0, 0, 1, 1, 0, 0]), RecordsError::BadCount { count: 0, available: 1 });
    assert_eq!(read(&[10, 0, 0, 0, 1, 1]), RecordsError::Truncated { position: 0 });
    assert_eq!(read(&[]), RecordsError::Truncated { position: 0 });
}

#[test]
fn bad_headers_end_the_walk() {
    fn walk(data: &[u8]) -> Vec<<RawHeaders<'_> as IntoIterator>::Item> {
        RawHeaders::parse(data).expect("the count fits").iter().collect()
    }
    // A null key.
    assert_eq!(walk(&[2, 1, 1]), [Err(RecordsError::BadLength { position: 0, length: -1 })]);
    // A value beyond the end, after a good header.
    assert_eq!(walk(&[4, 0, 1, 0, 8]), [Ok((&b""[..], None)), Err(RecordsError::BadLength { position: 3, length: 4 })]);
    // A byte left over behind the last.
    assert_eq!(walk(&[2, 0, 1, 7]), [Err(RecordsError::BadLength { position: 2, length: 1 })]);
}

#[test]
fn a_cut_off_batch_ends_silently_everywhere() {
    let body = [12, 0, 0, 0, 1, 1, 0];
    let one = batch(header(Codec::None, 1), &body);
    for cut in 0..one.len() {
        let data = [&one[..], &one[..cut]].concat();
        let mut batches = BatchIter::new(&data);
        assert!(matches!(batches.next(), Some(Ok((range, _))) if range == (0..one.len())));
        assert_eq!(batches.next(), None, "cut at {cut}");
        assert_eq!(batches.position(), one.len());
    }
}

#[test]
fn an_old_batch_ends_with_an_error_and_its_position() {
    let good = batch(header(Codec::None, 0), &[]);
    let mut old = good.clone();
    old[16] = 1;
    let data = [&good[..], &old, &good].concat();
    let mut batches = BatchIter::new(&data);
    assert!(matches!(batches.next(), Some(Ok(_))));
    assert_eq!(batches.next(), Some(Err(RecordsError::OldFormat { magic: 1 })));
    assert_eq!(batches.position(), good.len());
    assert_eq!(batches.next(), None);
}

/// A megabyte of zeros in a few hundred bytes: it stops at the limit, and what was allocated has to do with the limit.
#[test]
fn bombs_stop_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    for codec in CODECS {
        let mut bomb = Vec::new();
        Compressor::new().compress(codec, None, &[&zeros], &mut bomb).expect("there is memory");
        let mut decompressor = Decompressor::new();
        let (result, allocated) = allocated_by(|| decompressor.decompress(codec, &bomb, 100_000, &mut Vec::new()));
        assert_eq!(result, Err(CompressionError::LimitExceeded { limit: 100_000 }), "{}", codec.name());
        assert!(allocated < 1 << 20, "{}: {allocated} bytes", codec.name());
        // To the byte.
        let mut out = Vec::new();
        let short = decompressor.decompress(codec, &bomb, zeros.len() - 1, &mut out);
        assert_eq!(short, Err(CompressionError::LimitExceeded { limit: zeros.len() - 1 }), "{}", codec.name());
        out.clear();
        assert_eq!(decompressor.decompress(codec, &bomb, zeros.len(), &mut out), Ok(()));
        assert_eq!(out, zeros);
    }
}

/// Declared sizes of 2 GiB and more in a few bytes are hints.
#[test]
fn declared_sizes_are_not_believed() {
    let cases: [(Codec, &[u8]); 4] = [
        (Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x07, 0, 0]),
        (Codec::Snappy, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x06\xff\xff\xff\xff\x07\0"),
        // A single-segment frame of 2^62 bytes, then a raw block of one.
        (Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 9, 0, 0, 1]),
        (Codec::Gzip, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    ];
    for (codec, data) in cases {
        let (result, allocated) =
            allocated_by(|| Decompressor::new().decompress(codec, data, usize::MAX, &mut Vec::new()));
        assert!(result.is_err(), "{}", codec.name());
        assert!(allocated < 200_000, "{}: {allocated} bytes", codec.name());
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    // Half of it repeats, so that codecs find something.
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..most),
        (any::<u8>(), 0..most).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    (
        prop_oneof![4 => 1_790_000_000_000i64..1_790_000_100_000, 1 => any::<i64>()],
        prop::option::of(bytes(40)),
        prop::option::of(prop_oneof![8 => bytes(300), 1 => bytes(70_000)]),
        prop::collection::vec((bytes(20), prop::option::of(bytes(20))), 0..4),
    )
        .prop_map(|(timestamp, key, value, headers)| Sample { timestamp, key, value, headers })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn builder_roundtrip_of_any_batch(samples in prop::collection::vec(sample(), 0..40),
                                      codec in prop::sample::select(&CODECS[..]),
                                      chunk in prop::sample::select(&[64usize, 1_024, 4_096, 32_768][..])) {
        builder_roundtrip_of(&samples, codec, chunk);
    }

    #[test]
    fn any_level_round_trips(data in bytes(20_000), codec in prop::sample::select(&CODECS[..]), level in -200_000i32..40) {
        let mut compressor = Compressor::new();
        let mut decompressor = Decompressor::new();
        // Twice with one level, then with another: kept contexts change over.
        for level in [Some(level), Some(level), None] {
            let mut compressed = Vec::new();
            compressor.compress(codec, level, &[&data], &mut compressed).expect("there is memory");
            let mut back = Vec::new();
            prop_assert_eq!(decompressor.decompress(codec, &compressed, data.len(), &mut back), Ok(()));
            prop_assert_eq!(&back, &data);
        }
    }
}
