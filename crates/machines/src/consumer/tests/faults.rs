//! Leaders that move, brokers that go, topics that are not there, batches that are bad.
use ottla_protocol::compression::Codec;

use super::super::positions::StartOffset;
use super::answers::{Answer, Batch, answer, batch, error};
use super::world::World;

/// The batch with one byte of its records flipped.
fn corrupt(batch: &Batch, at: usize) -> Vec<u8> {
    let mut bytes = batch.bytes();
    bytes[at] ^= 0x40;
    bytes
}

#[test]
fn a_moved_leader_is_found_through_metadata() {
    for code in [3, 5, 6, 9, 13, 56, 74, 75, 100, 103] {
        let mut world = World::reading(&[]);
        world.answer(&[answer(9, &[batch(0, 1)])]);
        world.topics[0].leaders[0] = (2, 4);
        let before = world.metadata_requests;
        world.answer(&[error(code)]);
        world.pass(3_000);
        assert!(world.metadata_requests > before, "error {code}");
        let mut asked = world.next_fetch();
        if asked.node == 1 {
            // Asked again before metadata was.
            world.answer_fetch(&asked, &[error(code)], &[]);
            world.pass(3_000);
            asked = world.next_fetch();
        }
        assert_eq!(asked.node, 2, "error {code}");
        world.answer_fetch(&asked, &[answer(9, &[batch(1, 1)])], &[]);
        assert_eq!(world.take_all(), [0, 1], "error {code}");
    }
}

#[test]
fn a_leader_named_with_the_error_is_asked_at_once() {
    let mut world = World::reading(&[]);
    let asked = world.next_fetch();
    let told = Answer { leader: Some((2, 4)), ..error(6) };
    world.answer_fetch(&asked, &[told], &[(2, "broker2")]);
    let asked = world.next_fetch();
    assert_eq!(asked.node, 2, "KIP-951");
    world.asked.push_front(asked);
    assert_eq!(world.answer(&[answer(1, &[batch(0, 1)])])[0].leader_epoch, 4);
    assert_eq!(world.take_all(), [0]);
}

#[test]
fn errors_are_not_asked_about_without_pause() {
    let mut world = World::reading(&[]);
    world.answer(&[error(6)]);
    assert_eq!(world.fetches(), 0);
    world.pass(5_000);
    assert_eq!(world.fetches(), 1, "and never given up");
}

#[test]
fn a_lost_connection_is_made_again_and_nothing_is_lost_or_doubled() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(9, &[batch(0, 2)])]);
    let connection = world.next_fetch().connection;
    world.down.insert(1);
    world.disconnect(connection);
    world.pass(30_000);
    assert_eq!(world.fetches(), 0);
    world.down.clear();
    world.pass(20_000);
    assert_eq!(world.answer(&[answer(9, &[batch(2, 2)])])[0].offset, 2);
    assert_eq!(world.take_all(), [0, 1, 2, 3]);
}

#[test]
fn a_fetch_that_is_never_answered_times_out_and_is_sent_again() {
    let mut world = World::reading(&[]);
    let lost = world.next_fetch();
    world.pass(90_000);
    let asked = world.next_fetch();
    assert_ne!(asked.connection, lost.connection);
    world.answer_fetch(&asked, &[answer(1, &[batch(0, 1)])], &[]);
    assert_eq!(world.take_all(), [0]);
}

#[test]
fn an_unknown_topic_is_reported_once_it_is_not_new_any_more() {
    let mut world = World::new(&[]);
    world.assign(&[
        ("nowhere", 0, StartOffset::Offset(0)),
        ("t", 0, StartOffset::Offset(0)),
        ("t", 9, StartOffset::Beginning),
    ]);
    world.pass(20_000);
    assert_eq!(world.take(), None, "it may have just been made");
    world.pass(15_000);
    let text = "Subscribed topic not available: nowhere: Broker: Unknown topic or partition".to_owned();
    let mut errors = [world.take().unwrap().unwrap_err(), world.take().unwrap().unwrap_err()];
    errors.sort();
    assert_eq!(errors, [(-190, -1001, "t [9]: the topic has 3 partitions".to_owned()), (3, -1001, text)]);
    world.pass(60_000);
    assert_eq!((world.take(), world.fetches()), (None, 1));
    world.topics[1].name = "nowhere";
    world.pass(10_000);
    world.answer(&[]);
    assert!(world.answer(&[]).iter().any(|one| one.topic == "nowhere"));
}

#[test]
fn a_topic_that_may_not_be_read_is_reported_at_once_and_tried_again() {
    let mut world = World::new(&[]);
    world.topics[0].error = 29;
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    let text = "Subscribed topic not available: t: Broker: Topic authorization failed".to_owned();
    assert_eq!(world.take_error(), (29, -1001, text));
    world.topics[0].error = 0;
    world.pass(10_000);
    assert_eq!(world.fetches(), 1);

    let mut world = World::reading(&[]);
    world.answer(&[error(29)]);
    let text = "Fetch from broker 1 failed: Broker: Topic authorization failed".to_owned();
    assert_eq!(world.take_error(), (29, 0, text));
    for _ in 0..3 {
        world.pass(1_000);
        world.answer(&[error(29)]);
    }
    assert_eq!(world.take(), None, "told once");
    world.pass(1_000);
    world.answer(&[answer(1, &[batch(0, 1)])]);
    assert_eq!(world.take_all(), [0]);
}

#[test]
fn an_answer_that_cannot_be_read_closes_the_connection() {
    let mut world = World::reading(&[]);
    let asked = world.next_fetch();
    world.deliver_raw(&asked, &[0xff; 9]);
    assert!(world.log.iter().any(|line| line.contains("an answer to Fetch that cannot be read")), "{:?}", world.log);
    world.pass(20_000);
    let again = world.next_fetch();
    assert_ne!(again.connection, asked.connection);
    world.answer_fetch(&again, &[answer(1, &[batch(0, 1)])], &[]);
    assert_eq!(world.take_all(), [0]);
}

#[test]
fn a_batch_that_is_bad_once_is_fetched_once_more() {
    let mut world = World::reading(&[]);
    let bad = corrupt(&batch(2, 2), 70);
    let records = [batch(0, 2).bytes(), bad, batch(4, 1).bytes()].concat();
    world.answer(&[Answer { records, ..answer(5, &[]) }]);
    assert_eq!(world.take_all(), [0, 1]);
    assert_eq!(world.answer(&[answer(5, &[batch(2, 2), batch(4, 1)])])[0].offset, 2);
    assert_eq!(world.take_all(), [2, 3, 4]);
}

#[test]
fn a_batch_that_is_bad_twice_is_an_error_and_is_gone_past() {
    let mut world = World::reading(&[]);
    let bad = corrupt(&batch(2, 2), 70);
    let rest = [bad.clone(), batch(4, 1).bytes()].concat();
    world.answer(&[Answer { records: [batch(0, 2).bytes(), rest.clone()].concat(), ..answer(5, &[]) }]);
    assert_eq!(world.take_all(), [0, 1]);
    assert_eq!(world.answer(&[Answer { records: rest, ..answer(5, &[]) }])[0].offset, 2);
    let text =
        "t [0]: bad batch at offsets 2 to 3, fetched twice: its CRC does not match; going on at offset 4".to_owned();
    assert_eq!(world.take(), Some(Err((-199, 2, text))));
    assert_eq!(world.take_all(), [4]);
    assert_eq!(world.answer(&[])[0].offset, 5);
}

#[test]
fn bad_compression_is_bad_as_well() {
    let mut world = World::reading(&[("check.crcs", "false")]);
    let bad = corrupt(&batch(0, 300).compressed(Codec::Gzip), 100);
    let answered = Answer { records: [bad, batch(300, 1).bytes()].concat(), ..answer(301, &[]) };
    world.answer(std::slice::from_ref(&answered));
    assert_eq!(world.take(), None);
    assert_eq!(world.answer(&[])[0].offset, 301, "sent before the work thread had the batch");
    // The second time its CRC is looked at, whatever the setting says.
    assert_eq!(world.answer(&[answered])[0].offset, 0);
    let Some(Err((code, offset, text))) = world.take() else { panic!() };
    assert_eq!((code, offset), (-199, 0));
    assert!(text.contains("offsets 0 to 299"), "{text}");
    assert_eq!(world.take_all(), [300]);
}

#[test]
fn a_codec_that_nobody_knows_is_an_error_that_names_the_offsets() {
    let mut world = World::reading(&[("check.crcs", "false")]);
    let mut unknown = batch(0, 2).bytes();
    unknown[22] |= 7;
    let answered = Answer { records: [unknown, batch(2, 1).bytes()].concat(), ..answer(3, &[]) };
    world.answer(std::slice::from_ref(&answered));
    world.answer(&[answered]);
    let Some(Err((code, ..))) = world.take() else { panic!() };
    assert_eq!(code, -199, "the CRC is wrong first");
    assert_eq!(world.take_all(), [2]);
}

#[test]
fn bad_records_are_seen_when_they_are_taken() {
    let mut world = World::reading(&[("check.crcs", "false")]);
    // The length of the second record.
    let good = batch(0, 3).bytes();
    let second = 61 + 1 + usize::from(good[61] / 2);
    let answered = Answer { records: [corrupt(&batch(0, 3), second), batch(3, 1).bytes()].concat(), ..answer(4, &[]) };
    world.answer(std::slice::from_ref(&answered));
    assert_eq!(world.take(), Some(Ok((0, "value 0".to_owned()))));
    assert_eq!(world.take(), None, "fetched once more");
    world.settle();
    world.answer(&[]);
    assert_eq!(world.answer(&[answer(4, &[batch(0, 3), batch(3, 1)])])[0].offset, 1);
    assert_eq!(world.take_all(), [1, 2, 3]);
}

#[test]
fn bad_records_under_a_good_crc_are_an_error_the_second_time() {
    let mut world = World::reading(&[]);
    let mut bytes = batch(0, 3).bytes();
    let second = 61 + 1 + usize::from(bytes[61] / 2);
    bytes[second] ^= 0x40;
    let crc = ottla_protocol::crc::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    let answered = Answer { records: [bytes, batch(3, 1).bytes()].concat(), ..answer(4, &[]) };
    world.answer(std::slice::from_ref(&answered));
    assert_eq!(world.take(), Some(Ok((0, "value 0".to_owned()))));
    assert_eq!(world.take(), None);
    world.settle();
    world.answer(&[]);
    assert_eq!(world.answer(&[answered])[0].offset, 1);
    let Some(Err((code, offset, text))) = world.take() else { panic!() };
    assert_eq!((code, offset), (-199, 1));
    assert!(
        text.contains("offset 1 in the batch of offsets 0 to 2") && text.ends_with("going on at offset 3"),
        "{text}"
    );
    assert_eq!(world.take_all(), [3]);
}

/// The one case where nothing but the codec can tell.
#[test]
fn bytes_that_do_not_decompress_under_a_good_crc_are_bad_compression() {
    let mut world = World::reading(&[]);
    let mut bad = corrupt(&batch(0, 300).compressed(Codec::Gzip), 100);
    let crc = ottla_protocol::crc::crc32c(&bad[21..]);
    bad[17..21].copy_from_slice(&crc.to_be_bytes());
    let answered = Answer { records: [bad, batch(300, 1).bytes()].concat(), ..answer(301, &[]) };
    world.answer(std::slice::from_ref(&answered));
    assert_eq!(world.take(), None);
    world.settle();
    world.answer(&[]);
    assert_eq!(world.answer(&[answered])[0].offset, 0);
    let Some(Err((code, offset, _))) = world.take() else { panic!() };
    assert_eq!((code, offset), (-198, 0));
    assert_eq!(world.take_all(), [300]);
}

#[test]
fn bytes_that_are_no_batch_are_gone_past() {
    let mut world = World::reading(&[]);
    let mut strange = batch(0, 1).bytes();
    strange[16] = 9;
    for expected in [0, 0] {
        let wanted = world.answer(&[Answer { records: strange.clone(), ..answer(3, &[]) }]);
        assert_eq!(wanted[0].offset, expected);
    }
    let (code, offset, text) = world.take_error();
    assert_eq!((code, offset), (-199, 0));
    assert!(text.contains("unknown record batch magic 9"), "{text}");
    assert_eq!(world.answer(&[answer(3, &[batch(1, 2)])])[0].offset, 1);
    assert_eq!(world.take_all(), [1, 2]);
}

#[test]
fn old_formats_are_refused_with_a_word() {
    let mut world = World::reading(&[]);
    let mut old = batch(0, 1).bytes();
    old[16] = 1;
    world.answer(&[Answer { records: old, ..answer(3, &[]) }]);
    let (code, _, text) = world.take_error();
    assert_eq!(code, -170);
    assert!(text.contains("old format"), "{text}");
    assert_eq!(world.fetches(), 0);
}

#[test]
fn a_topic_made_anew_is_read_from_where_the_policy_says() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(9, &[batch(0, 5)])]);
    world.topics[0].id = 9;
    world.answer(&[Answer { topic: "t", ..error(100) }]);
    world.pass(3_000);
    while world.fetches() > 0 {
        world.answer(&[error(100)]);
        world.pass(3_000);
    }
    assert!(world.log.iter().any(|line| line.contains("made anew")), "{:?}", world.log);
    assert_eq!(world.answer_offsets(&[(0, 0)]), [("t", 0, -2)]);
    assert_eq!(world.answer(&[answer(1, &[batch(0, 1)])])[0].offset, 0);
    assert_eq!(world.take_all(), [0, 1, 2, 3, 4, 0]);
}

#[test]
fn a_topic_that_is_missing_for_a_moment_is_no_error() {
    let mut world = World::reading(&[]);
    world.pass(100_000);
    world.topics[0].error = 3;
    world.answer(&[error(3)]);
    world.pass(10_000);
    world.topics[0].error = 0;
    world.pass(40_000);
    assert_eq!(world.take(), None);
    world.answer(&[answer(1, &[batch(0, 1)])]);
    assert_eq!(world.take_all(), [0]);
}
