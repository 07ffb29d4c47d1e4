//! Framings that other writers use, and each codec's own errors. Java's and librdkafka's batches are read by the tests of the
//! crate.

use super::xxhash::xxhash32;
use super::*;

const LIMIT: usize = 1 << 20;

fn compressed(codec: Codec, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressor::new().compress(codec, None, &[data], &mut out).expect("there is memory");
    out
}

fn decompressed(codec: Codec, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    Decompressor::new().decompress(codec, data, LIMIT, &mut out).map(|()| out)
}

fn text(length: usize) -> Vec<u8> {
    (0..length).flat_map(|line| format!("line {line} of some text\n").into_bytes()).take(length).collect()
}

#[test]
fn numbers_and_names() {
    for number in 0..5 {
        let codec = Codec::from_number(number).expect("a codec");
        assert_eq!((codec as u8, Codec::from_name(codec.name())), (number, Some(codec)));
    }
    assert_eq!((Codec::from_number(5), Codec::from_name("lz5")), (None, None));
}

#[test]
fn contexts_can_move_to_a_work_thread() {
    fn movable<T: Send>() {}
    movable::<Compressor>();
    movable::<Decompressor>();
}

#[test]
fn nothing_is_a_stream_too() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        assert_eq!(decompressed(codec, &compressed(codec, b"")), Ok(Vec::new()), "{}", codec.name());
        let mut out = Vec::new();
        Compressor::new().compress(codec, None, &[], &mut out).expect("there is memory");
        assert_eq!(decompressed(codec, &out), Ok(Vec::new()), "{}, no chunk", codec.name());
    }
}

#[test]
fn every_cut_is_seen() {
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let data = compressed(codec, &text(2_000));
        for end in 0..data.len() {
            let error = CompressionError::Truncated { codec };
            assert_eq!(decompressed(codec, &data[..end]), Err(error), "{} cut at {end}", codec.name());
        }
    }
}

#[test]
fn gzip_members_with_every_header_field() {
    let (one, two) = (compressed(Codec::Gzip, b"one "), compressed(Codec::Gzip, b"two"));
    assert_eq!(decompressed(Codec::Gzip, &[&one[..], &two].concat()), Ok(b"one two".to_vec()));
    // As Java: what follows and is no member does not count.
    assert_eq!(decompressed(Codec::Gzip, &[&one[..], &[0; 20]].concat()), Ok(b"one ".to_vec()));
    // Extra field, name, comment, header checksum.
    let mut full = one.clone();
    full[3] = 0x1e;
    full.splice(10..10, [3, 0, 9, 9, 9].into_iter().chain(*b"name\0comment\0").chain([1, 2]));
    assert_eq!(decompressed(Codec::Gzip, &full), Ok(b"one ".to_vec()));
    for end in 0..full.len() {
        assert_eq!(decompressed(Codec::Gzip, &full[..end]), Err(CompressionError::Truncated { codec: Codec::Gzip }));
    }
    for (position, what) in [
        (0, "not a gzip header"),
        (3, "reserved header flags"),
        (10, "not a deflate stream"),
        (one.len() - 8, "checksum or size of the trailer"),
        (one.len() - 1, "checksum or size of the trailer"),
    ] {
        let mut bad = one.clone();
        bad[position] ^= 0xe6;
        assert_eq!(decompressed(Codec::Gzip, &bad), Err(CompressionError::Corrupt { codec: Codec::Gzip, what }));
    }
}

#[test]
fn snappy_framings() {
    let data = text(100_000);
    let raw = snap::raw::Encoder::new().compress_vec(&data).expect("snappy takes it");
    assert_eq!(decompressed(Codec::Snappy, &raw), Ok(data.clone()), "no framing");
    let framed = compressed(Codec::Snappy, &data);
    assert_eq!(framed[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    // One block of any size.
    let one = [&framed[..16], &(raw.len() as u32).to_be_bytes(), &raw].concat();
    assert_eq!(decompressed(Codec::Snappy, &one), Ok(data.clone()));
    // Streams after one another, as snappy-java's `cat` makes.
    assert_eq!(decompressed(Codec::Snappy, &[&one[..], &framed].concat()), Ok([&data[..], &data].concat()));
    // Blocks of 32 KiB, as snappy-java's default.
    let first = u32::from_be_bytes(framed[16..20].try_into().expect("four bytes")) as usize;
    assert_eq!(snap::raw::decompress_len(&framed[20..20 + first]).ok(), Some(32 * 1024));

    let truncated = CompressionError::Truncated { codec: Codec::Snappy };
    for end in [17, 19, 20, 20 + first - 1, framed.len() - 1] {
        assert_eq!(decompressed(Codec::Snappy, &framed[..end]), Err(truncated), "cut at {end}");
    }
    let mut negative = framed.clone();
    negative[16] = 0xff;
    let what = "negative block length";
    assert_eq!(decompressed(Codec::Snappy, &negative), Err(CompressionError::Corrupt { codec: Codec::Snappy, what }));
}

#[test]
fn lz4_frames_as_java_writes_them() {
    let frame = compressed(Codec::Lz4, &text(200_000));
    assert_eq!(frame[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    assert_eq!(frame[6], (xxhash32(&frame[4..6]) >> 8) as u8);
    assert_eq!(frame[frame.len() - 4..], [0; 4]);
    // What does not compress is stored.
    let noise: Vec<u8> =
        (0..70_000u32).map(|index| (index.wrapping_mul(index).wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let frame = compressed(Codec::Lz4, &noise);
    assert!(frame.len() <= noise.len() + 7 + 4 * 3);
    assert_eq!(decompressed(Codec::Lz4, &frame), Ok(noise));
}

#[test]
fn lz4_frames_of_others() {
    let data = text(5_000);
    let frame = compressed(Codec::Lz4, &data);
    // Kafka's wrong checksum before KIP-57: over the magic as well.
    let mut wrong = frame.clone();
    wrong[6] = (xxhash32(&frame[..6]) >> 8) as u8;
    assert_eq!(wrong[6], 0x1a);
    assert_eq!(decompressed(Codec::Lz4, &wrong), Ok(data.clone()));
    // A skippable frame, two frames, and something else behind.
    let skip = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7];
    let many = [&skip[..], &frame, &skip, &frame, b"rest"].concat();
    assert_eq!(decompressed(Codec::Lz4, &many), Ok([&data[..], &data].concat()));
    // Content size and content checksum: right, then wrong.
    let mut checked = vec![0x04, 0x22, 0x4d, 0x18, 0x6c, 0x40];
    checked.extend_from_slice(&(data.len() as u64).to_le_bytes());
    checked.push((xxhash32(&checked[4..]) >> 8) as u8);
    checked.extend_from_slice(&frame[7..]);
    checked.extend_from_slice(&xxhash32(&data).to_le_bytes());
    assert_eq!(decompressed(Codec::Lz4, &checked), Ok(data.clone()));
    let corrupt = |what| Err(CompressionError::Corrupt { codec: Codec::Lz4, what });
    let last = checked.len() - 1;
    checked[last] ^= 1;
    assert_eq!(decompressed(Codec::Lz4, &checked), corrupt("content checksum"));
    checked[6] ^= 1;
    checked[14] = (xxhash32(&checked[4..14]) >> 8) as u8;
    assert_eq!(decompressed(Codec::Lz4, &checked), corrupt("content size"));
    for (position, byte, what) in [
        (0, 0, "not an lz4 frame"),
        (4, 0xa0, "frame version"),
        (4, 0x61, "frame needs a dictionary"),
        (5, 0x30, "block size"),
        (6, 0, "header checksum"),
    ] {
        let mut bad = frame.clone();
        bad[position] = byte;
        assert_eq!(decompressed(Codec::Lz4, &bad), corrupt(what));
    }
}

#[test]
fn zstd_frames_in_a_row_and_without_sizes() {
    use zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_end;
    let data = text(50_000);
    // As Java: streamed, no content size.
    let mut streamed = Vec::with_capacity(zstd_safe::compress_bound(data.len()));
    let mut context = zstd_safe::CCtx::create();
    let mut output = zstd_safe::OutBuffer::around(&mut streamed);
    let mut input = zstd_safe::InBuffer::around(&data);
    let directive = zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_continue;
    context.compress_stream2(&mut output, &mut input, directive).expect("it takes it");
    assert_eq!(context.compress_stream2(&mut output, &mut input, ZSTD_e_end), Ok(0));
    assert_eq!(zstd_safe::get_frame_content_size(&streamed).ok().flatten(), None);
    let sized = compressed(Codec::Zstd, &data);
    assert_eq!(zstd_safe::get_frame_content_size(&sized).ok().flatten(), Some(data.len() as u64));
    assert_eq!(decompressed(Codec::Zstd, &[streamed, sized].concat()), Ok([&data[..], &data].concat()));
}

/// Levels matter where the codec has them.
#[test]
fn levels_are_used() {
    // Words in no order, as text has them.
    let mut word = 1u32;
    let data: Vec<u8> = (0..40_000)
        .flat_map(|_| {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("word{:x} ", (word >> 20).wrapping_mul(0x9e37) >> (word >> 30)).into_bytes()
        })
        .collect();
    for (codec, low, high) in [(Codec::Gzip, 1, 9), (Codec::Zstd, 1, 19)] {
        let mut compressor = Compressor::new();
        let mut size = |level| {
            let mut out = Vec::new();
            compressor.compress(codec, level, &[&data], &mut out).expect("there is memory");
            out.len()
        };
        let (low, high, default) = (size(Some(low)), size(Some(high)), size(None));
        assert!(low > default && low > high && high != default, "{}: {low} {default} {high}", codec.name());
    }
}
