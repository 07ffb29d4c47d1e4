//! E4: what one client does to the engine makes no other's heartbeats late. Alone in its file: no other test is beside it in
//! the process. The embedded broker tells when each heartbeat came.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what fails in a test ends it, in its helper functions too"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ottla::{AppendError, Consumer, Contention, Notice, Producer};
use ottla_broker::{ServeOptions, Server, Settings};
use ottla_machines::consumer::Scratch;
use ottla_protocol::api::ApiKey;
use support::{PATIENCE, consumer_settings, new_record, producer_settings, queued};

const INTERVAL_US: u64 = 100_000;
const BEATS: usize = 30;

/// When the heartbeats so far came, in microseconds.
fn heartbeats(server: &Server) -> Vec<u64> {
    server.with(|cluster, _| {
        let of_a_member = cluster.request_log().iter().filter(|entry| entry.api == ApiKey::Heartbeat);
        of_a_member.map(|entry| entry.at.mono_us).collect()
    })
}

/// Does what an application does that reads nothing: serves rebalances until `enough`.
fn serve(consumer: &Consumer, enough: impl Fn() -> bool) {
    let (deadline, mut notices, mut scratch) = (Instant::now() + PATIENCE, Vec::new(), Scratch::new());
    while !enough() {
        assert!(Instant::now() < deadline, "heartbeats in time");
        consumer.take_notices(&mut notices);
        for notice in notices.drain(..) {
            if let Notice::Rebalance(rebalance) = notice {
                consumer.acknowledge(rebalance.epoch);
            }
        }
        consumer.take(&mut scratch, &mut Contention::wait);
        consumer.wait_for_records(Instant::now() + std::time::Duration::from_millis(20));
    }
}

/// The bound is 50 ms. Client, compression, broker and test share the processors here, with other tests beside them: the
/// median must keep it, and none may be so late that the session ends. What was asked around a late one is shown.
#[test]
fn a_producer_that_compresses_flat_out_makes_no_heartbeat_late() {
    let settings = Settings { request_log: true, default_partitions: 4, max_bytes: 4 << 30, ..Settings::default() };
    let server = Server::start(settings, ServeOptions::default()).unwrap();
    let bootstrap = server.bootstrap_servers();
    let member = consumer_settings(&bootstrap, &[("heartbeat.interval.ms", "100"), ("session.timeout.ms", "6000")]);
    let consumer = Consumer::new(member, queued()).unwrap();
    // A topic of its own: what the producer writes is not fetched.
    let topics = vec![Arc::from("read")];
    consumer.subscribe(topics).wait_until(Instant::now() + PATIENCE).expect("an answer in time").unwrap();
    serve(&consumer, || !heartbeats(&server).is_empty());

    let (over, written) = (AtomicBool::new(false), "0123456789abcdef ".repeat(600));
    let before = heartbeats(&server).len();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let keys = [("compression.type", "gzip"), ("compression.level", "9"), ("linger.ms", "0")];
            let producer = Producer::<()>::new(producer_settings(&bootstrap, &keys), queued()).unwrap();
            while !over.load(Ordering::SeqCst) {
                let record = new_record("written", -1, None, Some(&written));
                match producer.append(&record, None, &mut Contention::wait) {
                    Err((AppendError::Full { .. }, _)) => std::thread::yield_now(),
                    appended => assert!(appended.is_ok(), "{appended:?}"),
                }
            }
        });
        serve(&consumer, || heartbeats(&server).len() >= before + BEATS);
        over.store(true, Ordering::SeqCst);
    });
    let times = heartbeats(&server);
    let times_of_beats = (times[before], times[times.len() - 1]);
    let mut late: Vec<u64> =
        times[before..].windows(2).map(|pair| (pair[1] - pair[0]).saturating_sub(INTERVAL_US)).collect();
    late.sort_unstable();
    let (median, most, worst) = (late[late.len() / 2], late[late.len() * 9 / 10], late[late.len() - 1]);
    println!("heartbeats late by: median {median} us, nine in ten {most} us, worst {worst} us");
    if worst >= 50_000 {
        let gap = times[before..].windows(2).max_by_key(|pair| pair[1] - pair[0]).unwrap();
        let asked = server.with(|cluster, _| {
            let within = cluster.request_log().iter().filter(|entry| (gap[0]..=gap[1]).contains(&entry.at.mono_us));
            let others = within.filter(|entry| entry.api != ApiKey::Produce);
            let answered = |at: ottla_broker::Now| at.mono_us - gap[0];
            others
                .map(|entry| (entry.at.mono_us - gap[0], entry.api, entry.answered_at.map(answered)))
                .collect::<Vec<_>>()
        });
        println!("what came meanwhile: {asked:?}");
    }
    assert!(median < 50_000 && worst < 6_000_000, "median {median} us, nine in ten {most} us, worst {worst} us late");
    let joined = server.with(|cluster, _| {
        let times = cluster.request_log().iter().filter(|entry| entry.api == ApiKey::SyncGroup);
        times.filter(|entry| entry.at.mono_us > times_of_beats.0 && entry.at.mono_us < times_of_beats.1).count()
    });
    assert_eq!(joined, 0, "it stayed the member that it was");
    let produced = server.with(|cluster, _| cluster.request_log().iter().any(|entry| entry.api == ApiKey::Produce));
    assert!(produced, "the other client was at work");
}
