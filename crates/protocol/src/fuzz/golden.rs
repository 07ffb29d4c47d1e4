//! The frames that Kafka's own Java classes wrote: each must be read, and written again byte for byte.

use super::{Entry, Failure};
use crate::messages::table::MESSAGES;

const FRAMES: &[u8] = include_bytes!("../../tests/golden/messages-4.4.0.bin");

/// One frame: the message's entry, the version and the bytes.
pub(super) struct Frame {
    pub(super) entry: &'static Entry,
    pub(super) version: i16,
    pub(super) body: &'static [u8],
}

/// Splits the file: name length (two bytes), name, version (two), body length (four), body, repeated.
pub(super) fn frames() -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut rest = FRAMES;
    let mut take = |len: usize| {
        let (taken, after) = rest.split_at(len);
        rest = after;
        (taken, after.is_empty())
    };
    loop {
        let length = u16::from_be_bytes(take(2).0.try_into().unwrap());
        let name = str::from_utf8(take(usize::from(length)).0).unwrap();
        // The one message whose class is named otherwise than its file.
        let name = if name == "DefaultPrincipal" { "DefaultPrincipalData" } else { name };
        let entry = MESSAGES.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no message {name}"));
        let version = i16::from_be_bytes(take(2).0.try_into().unwrap());
        let length = u32::from_be_bytes(take(4).0.try_into().unwrap());
        let (body, last) = take(length as usize);
        frames.push(Frame { entry, version, body });
        if last {
            return frames;
        }
    }
}

#[test]
fn every_golden_frame_comes_back_byte_for_byte() {
    let frames = frames();
    assert_eq!(frames.len(), 3155);
    let mut wrong = Vec::new();
    for Frame { entry, version, body } in &frames {
        match entry.run(body, *version) {
            Ok(again) if again == *body => {}
            Ok(again) => wrong.push(format!("{} {version}:\n  {body:02x?}\n  {again:02x?}", entry.name)),
            Err(failure) => wrong.push(format!("{} {version}: {failure:?}", entry.name)),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), frames.len(), wrong.join("\n"));
}

#[test]
fn the_golden_frames_cover_every_message_that_clients_exchange() {
    let frames = frames();
    let covered = |name: &str| frames.iter().any(|frame| frame.entry.name == name);
    let uncovered: Vec<&str> = MESSAGES.iter().map(|entry| entry.name).filter(|name| !covered(name)).collect();
    let expected = [
        "AbortedTxn",
        "ControlRecordTypeSchema",
        "EndTxnMarker",
        "KRaftVersionRecord",
        "LeaderChangeMessage",
        "SnapshotFooterRecord",
        "SnapshotHeaderRecord",
        "VotersRecord",
    ];
    assert_eq!(uncovered, expected, "values of Kafka's own log");
}

#[test]
fn a_frame_that_lacks_its_last_byte_or_has_one_too_many_is_refused() {
    for Frame { entry, version, body } in frames() {
        let shorter = body.split_last().map(|(_, shorter)| entry.run(shorter, version));
        assert!(!matches!(shorter, Some(Ok(_))), "{} {version}", entry.name);
        let longer = entry.run(&[body, &[0]].concat(), version);
        assert!(matches!(longer, Err(Failure::Decode(_))), "{} {version}", entry.name);
    }
}

/// Kafka 4 writes no versions that it dropped (Fetch 0 to 3 and others), so no golden frame has them. What the golden
/// frames hold is written in every other version that can carry it, read, and written again.
#[test]
fn every_version_of_every_message_is_written_and_read() {
    let mut uncovered = Vec::new();
    let frames = frames();
    for entry in MESSAGES {
        let golden: Vec<&Frame> = frames.iter().filter(|frame| frame.entry.name == entry.name).collect();
        for version in entry.versions.0..=entry.versions.1 {
            let mut written = 0;
            for Frame { version: from, body, .. } in &golden {
                match (entry.convert)(body, *from, version) {
                    Ok(bytes) => {
                        written += 1;
                        assert_eq!(entry.run(&bytes, version).as_ref(), Ok(&bytes), "{} {version}", entry.name);
                    }
                    Err(Failure::Encode(error)) => assert_eq!(error.version, version, "{error}"),
                    Err(failure) => panic!("{} {from}: {failure:?}", entry.name),
                }
            }
            if written == 0 && !golden.is_empty() {
                uncovered.push(format!("{} {version}", entry.name));
            }
        }
    }
    assert!(uncovered.is_empty(), "{uncovered:?}");
}
