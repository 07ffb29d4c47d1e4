//! Bad frames, lanes and threads, against a broker that does as it is told.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends it, in its helper functions too")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use ottla::{Consumer, Contention, Notice, NoticeOptions, Producer};
use ottla_machines::consumer::StartOffset;
use ottla_machines::error::Kind;
use ottla_protocol::api::ApiKey;
use support::server::{Answer, Server};
use support::{PATIENCE, assign, consumer_settings, new_record, producer_settings, queued};

/// Waits until a notice is an error with `text` in it; the notices behind it are kept in `rest`.
fn error_with(producer: &Producer<()>, rest: &mut Vec<Notice>, text: &str) -> ottla_machines::error::Error {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    loop {
        producer.take_notices(rest);
        let mut notices = std::mem::take(rest).into_iter();
        while let Some(notice) = notices.next() {
            match notice {
                Notice::Error(error) if error.message().contains(text) => {
                    rest.extend(notices);
                    return error;
                }
                other => seen.push(other),
            }
        }
        assert!(producer.wait_for_reports(deadline), "no error with {text:?} in {seen:?}");
    }
}

/// A server that answers the first Metadata request of each connection with `bytes`.
fn spoiled(bytes: &'static [u8]) -> Server {
    Server::start(move |request| match request.api {
        ApiKey::Metadata => Answer::Bytes(bytes.to_vec()),
        _ => Answer::Usual,
    })
}

fn asking(server: &Server, more: &[(&str, &str)]) -> Producer<()> {
    let more = [&[("reconnect.backoff.ms", "10")], more].concat();
    let producer = Producer::new(producer_settings(&server.bootstrap(), &more), queued()).unwrap();
    producer.append(&new_record("topic", -1, None, Some("value")), None, &mut Contention::wait).unwrap();
    producer
}

#[test]
fn a_frame_over_the_limit_closes_its_connection_and_is_reported() {
    let mut rest = Vec::new();
    let server = spoiled(&[0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
    let producer = asking(&server, &[]);
    let error = error_with(&producer, &mut rest, "receive.message.max.bytes");
    assert_eq!(error.kind, Kind::BadMessage);
    assert!(error.message().contains("2147483647"), "{error}");
    // Closed, and another one made.
    error_with(&producer, &mut rest, "receive.message.max.bytes");
    assert!(server.connections() >= 2);
}

#[test]
fn a_negative_length_closes_its_connection_and_is_reported() {
    let server = spoiled(&[0xff, 0xff, 0xff, 0xff]);
    let error = error_with(&asking(&server, &[]), &mut Vec::new(), "a response of -1 bytes");
    assert_eq!(error.kind, Kind::BadMessage);
}

#[test]
fn a_frame_of_another_protocol_closes_its_connection_and_is_reported() {
    let server = Server::start(|_| Answer::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let error = error_with(&asking(&server, &[]), &mut Vec::new(), "security.protocol");
    assert_eq!(error.kind, Kind::BadMessage);
}

#[test]
fn a_corrupt_body_closes_its_connection_and_is_reported() {
    let mut rest = Vec::new();
    // The right correlation id of a second request, then counts that the frame cannot hold.
    let server = spoiled(&[0, 0, 0, 14, 0, 0, 0, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 9, 9, 9, 9]);
    let producer = asking(&server, &[]);
    let error = error_with(&producer, &mut rest, "closed");
    assert_eq!(error.kind, Kind::BadMessage);
    error_with(&producer, &mut rest, "closed");
    assert!(server.connections() >= 2);
}

#[test]
fn nobody_there_is_reported_with_what_to_check() {
    let mut rest = Vec::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let producer = Producer::<()>::new(producer_settings(&address, &[]), queued()).unwrap();
    producer.append(&new_record("topic", -1, None, None), None, &mut Contention::wait).unwrap();
    let error = error_with(&producer, &mut rest, "bootstrap.servers");
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.message().contains("Connection refused"), "{error}");
    assert_eq!(error_with(&producer, &mut rest, "down").kind, Kind::AllBrokersDown);
}

#[test]
fn a_name_without_an_address_is_reported_with_what_to_check() {
    let mut rest = Vec::new();
    // RFC 6761: the name never exists.
    let producer = Producer::<()>::new(producer_settings("ottla.invalid:9092", &[]), queued()).unwrap();
    producer.append(&new_record("topic", -1, None, None), None, &mut Contention::wait).unwrap();
    let error = error_with(&producer, &mut rest, "bootstrap.servers");
    assert_eq!(error.kind, Kind::Resolve);
    assert!(error.message().contains("ottla.invalid"), "{error}");
}

/// E1: an Offsets request is answered while a Fetch is parked, for they have connections of their own.
#[test]
fn lanes_have_connections_of_their_own() {
    let (parked, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(usize::MAX)));
    let (sees_parked, sees_asked) = (parked.clone(), asked.clone());
    let server = Server::start(move |request| match request.api {
        ApiKey::Fetch => {
            sees_asked.store(request.connection, Ordering::SeqCst);
            sees_parked.store(true, Ordering::SeqCst);
            Answer::Park
        }
        ApiKey::ListOffsets => {
            // On the Fetch's connection this one would wait behind it for ever.
            assert_ne!(request.connection, sees_asked.load(Ordering::SeqCst));
            Answer::Close
        }
        _ => Answer::Usual,
    });
    let consumer = Consumer::new(consumer_settings(&server.bootstrap(), &[]), queued()).unwrap();
    assign(&consumer, "topic", 0..1, StartOffset::Offset(0));
    let deadline = Instant::now() + PATIENCE;
    while !parked.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "a Fetch in time");
        std::thread::yield_now();
    }
    let before = server.connections();
    let answer = consumer.watermarks("topic", 0, std::time::Duration::from_secs(2)).wait_until(deadline);
    // The server closed that lane, again and again; the Fetch's stayed.
    assert!(answer.expect("an answer in time").is_err());
    assert!(server.connections() > before || asked.load(Ordering::SeqCst) != usize::MAX);
}

#[test]
fn a_dropped_producer_lets_go_of_attachments_on_the_dropping_thread() {
    struct Attachment(std::thread::ThreadId, Arc<AtomicUsize>);
    impl Drop for Attachment {
        fn drop(&mut self) {
            assert_eq!(std::thread::current().id(), self.0);
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let settings = producer_settings("127.0.0.1:1", &[]);
    let producer = Producer::new(settings, NoticeOptions { queue_logs: true, ..NoticeOptions::default() }).unwrap();
    for _ in 0..5_000 {
        let attachment = Attachment(std::thread::current().id(), dropped.clone());
        let appended = producer.append(&new_record("topic", -1, None, None), Some(attachment), &mut Contention::wait);
        assert!(appended.is_ok());
    }
    assert_eq!(producer.outstanding(), 5_000);
    drop(producer);
    assert_eq!(dropped.load(Ordering::SeqCst), 5_000);
}
