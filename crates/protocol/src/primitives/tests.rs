//! Reading and writing at their borders, through real messages where one shows it.

use super::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Message, Reader, Records, Split, Writer};
use crate::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, NodeEndpoint, ReplicaState};
use crate::messages::metadata::MetadataRequest;
use crate::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};

fn encoded<'a>(message: &impl Message<'a>, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::new();
    message.encode(&mut w, version).map(|()| w.into_parts().0)
}

fn kind<T>(result: Result<T, DecodeError>) -> Option<DecodeErrorKind> {
    result.err().map(|error| error.kind)
}

#[test]
fn a_field_that_a_version_lacks_is_an_error_unless_it_may_be_dropped() {
    let request =
        FetchRequest { replica_state: ReplicaState { replica_id: 1, ..Default::default() }, ..Default::default() };
    let error = encoded(&request, 11).unwrap_err();
    let expected = EncodeError {
        message: "FetchRequest",
        field: "ReplicaState",
        version: 11,
        kind: EncodeErrorKind::AbsentInVersion,
    };
    assert_eq!(error, expected);
    assert_eq!(error.to_string(), "FetchRequest version 11 has no field ReplicaState, but it is set");
    let request = FetchRequest { rack_id: "here", session_id: 7, ..Default::default() };
    assert_eq!(encoded(&request, 0), encoded(&FetchRequest::default(), 0), "these two are dropped silently");
}

#[test]
fn null_is_written_where_the_version_has_it_only() {
    let request = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(encoded(&request, 1), Ok(vec![0xff; 4]));
    let error = encoded(&request, 0).unwrap_err();
    assert_eq!((error.field, error.kind), ("Topics", EncodeErrorKind::NullNotAllowed));
    let mut r = Reader::new(&[0xff; 4]);
    assert_eq!(kind(MetadataRequest::decode(&mut r, 0)), Some(DecodeErrorKind::UnexpectedNull));
}

#[test]
fn versions_outside_of_the_range_are_refused() {
    for version in [-1, 19] {
        let error = encoded(&FetchRequest::default(), version).unwrap_err();
        assert_eq!((error.kind, error.version), (EncodeErrorKind::UnsupportedVersion, version));
        assert_eq!(error.to_string(), format!("FetchRequest has no version {version}"));
        let result = FetchResponse::decode(&mut Reader::new(&[0; 64]), version);
        assert_eq!(kind(result), Some(DecodeErrorKind::UnsupportedVersion));
    }
}

/// Kafka 4 does not write this version, so no golden frame has it: Kafka 0.8's own layout.
#[test]
fn the_oldest_fetch_request() {
    let partitions =
        vec![FetchPartition { partition: 2, fetch_offset: 5, partition_max_bytes: 64, ..Default::default() }];
    let topics = vec![FetchTopic { topic: "t", partitions, ..Default::default() }];
    let request = FetchRequest { max_wait_ms: 500, min_bytes: 1, topics, ..Default::default() };
    let expected = [
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xf4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2][..],
        &[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 64],
    ];
    assert_eq!(encoded(&request, 0), Ok(expected.concat()));
}

#[test]
fn external_records_are_counted_and_split() {
    let external = Records::External { header: b"head", body_len: 200, tag: 42 };
    let partition = |index| PartitionProduceData { index, records: Some(external) };
    let topic_data =
        vec![TopicProduceData { name: "t", partition_data: vec![partition(0), partition(1)], ..Default::default() }];
    let request = ProduceRequest { acks: 1, topic_data, ..Default::default() };
    for version in [3, 9] {
        let mut w = Writer::new();
        request.encode(&mut w, version).unwrap();
        let len = w.len();
        let (bytes, splits) = w.into_parts();
        assert_eq!(len, bytes.len() + 400);
        assert_eq!(splits.len(), 2);
        // With the bodies put in at the splits the whole is an ordinary request.
        let (mut whole, mut at) = (Vec::new(), 0);
        for Split { position, tag } in splits {
            assert_eq!((tag, &bytes[position - 4..position]), (42, &b"head"[..]));
            whole.extend_from_slice(&bytes[at..position]);
            whole.extend_from_slice(&[7; 200]);
            at = position;
        }
        whole.extend_from_slice(&bytes[at..]);
        let mut r = Reader::new(&whole);
        let decoded = ProduceRequest::decode(&mut r, version).unwrap();
        r.finish().unwrap();
        let records = decoded.topic_data[0].partition_data[1].records.unwrap();
        assert_eq!(records, Records::Bytes(&[b"head".as_slice(), &[7; 200]].concat()));
    }
}

#[test]
fn tagged_fields_of_any_length() {
    let host = "h".repeat(300);
    let node_endpoints = vec![NodeEndpoint { node_id: 1, host: &host, port: 9092, rack: None }];
    let response = FetchResponse { node_endpoints, ..Default::default() };
    let bytes = encoded(&response, 16).unwrap();
    let mut r = Reader::new(&bytes);
    assert_eq!(FetchResponse::decode(&mut r, 16), Ok(response));
    assert_eq!(r.remaining(), 0);
}

#[test]
fn tags_unknown_are_skipped_short_ones_too_and_long_ones_are_errors() {
    // One known tag (1) that reads four bytes, among what it does not know.
    let read = |bytes: &[u8]| {
        let mut r = Reader::new(bytes);
        let mut value = None;
        r.tags(|r, tag| {
            if tag == 1 {
                value = Some(r.i32()?);
            }
            Ok(tag == 1)
        })?;
        Ok((value, r.position()))
    };
    assert_eq!(read(&[2, 0, 2, 9, 9, 1, 4, 0, 0, 0, 5]), Ok((Some(5), 11)));
    assert_eq!(read(&[1, 1, 6, 0, 0, 0, 5, 8, 8]), Ok((Some(5), 9)), "a later version may have added to the field");
    let past = DecodeError { offset: 3, kind: DecodeErrorKind::UnexpectedEnd };
    assert_eq!(read(&[1, 1, 3, 0, 0, 0, 5]), Err(past), "not past the field, though the frame goes on");
    assert_eq!(read(&[1, 9, 5, 0, 0]).map_err(|error| error.kind), Err(DecodeErrorKind::UnexpectedEnd));
    assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]).map_err(|error| error.kind), Err(DecodeErrorKind::UnexpectedEnd));
}

#[test]
fn counts_are_held_against_the_remaining_bytes() {
    let array = |count: i32, least| {
        let bytes = [&count.to_be_bytes()[..], &[0; 40]].concat();
        let mut r = Reader::new(&bytes);
        r.array(false, least, Reader::i32).map(|values| values.len())
    };
    assert_eq!(array(10, 4), Ok(10));
    let refused = DecodeError { offset: 4, kind: DecodeErrorKind::CountTooLarge };
    assert_eq!(array(11, 4), Err(refused));
    assert_eq!(array(i32::MAX, 4), Err(refused));
    assert_eq!(array(-2, 4).map_err(|error| error.kind), Err(DecodeErrorKind::InvalidLength));
    assert_eq!(array(-1, 4).map_err(|error| error.kind), Err(DecodeErrorKind::UnexpectedNull));
}

#[test]
fn memory_is_held_by_the_budget_of_the_frame() {
    // Each of the 1,000 elements would take 4 KiB of memory for its one byte.
    let mut bytes = vec![0; 1004];
    bytes[..4].copy_from_slice(&1000_i32.to_be_bytes());
    let result = Reader::new(&bytes).array(false, 1, |r| r.i8().map(|value| [i64::from(value); 512]));
    assert_eq!(kind(result), Some(DecodeErrorKind::BudgetExceeded));
}

#[test]
fn strings_are_checked() {
    let string = |bytes: &[u8], compact| kind(Reader::new(bytes).string(compact).map(str::len));
    assert_eq!(Reader::new(&[0, 2, 0xc3, 0xa9]).string(false), Ok("é"));
    assert_eq!(Reader::new(&[3, 0xc3, 0xa9]).string(true), Ok("é"));
    assert_eq!(string(&[0, 2, 0xc3, 0x28], false), Some(DecodeErrorKind::InvalidUtf8));
    assert_eq!(string(&[0, 3, b'a'], false), Some(DecodeErrorKind::UnexpectedEnd));
    assert_eq!(string(&[0xff, 0xfe], false), Some(DecodeErrorKind::InvalidLength));
    assert_eq!(string(&[0xff, 0xff], false), Some(DecodeErrorKind::UnexpectedNull));
    assert_eq!(string(&[0], true), Some(DecodeErrorKind::UnexpectedNull));
    // 32,768 bytes: one more than Kafka takes.
    let long = [&[0x81, 0x80, 0x02][..], &[b'a'; 0x8000]].concat();
    assert_eq!(string(&long, true), Some(DecodeErrorKind::InvalidLength));
    let text = "a".repeat(0x8000);
    let error = Writer::new().string(true, &text, "Name").unwrap_err();
    assert_eq!((error.field, error.kind), ("Name", EncodeErrorKind::TooLong));
    assert_eq!(Writer::new().string(false, &text[1..], "Name"), Ok(()));
}

#[test]
fn variable_length_integers_end() {
    let int = |bytes: &[u8]| kind(Reader::new(bytes).unsigned_varint());
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint(), Ok(u32::MAX));
    assert_eq!(int(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Some(DecodeErrorKind::InvalidVarint));
    assert_eq!(int(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]), Some(DecodeErrorKind::InvalidVarint));
    assert_eq!(int(&[0x80]), Some(DecodeErrorKind::UnexpectedEnd));
}
