//! How many threads an engine has. Alone in its file, so that no other test's clients are counted.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends it, in its helper functions too")]

mod support;

use std::time::Instant;

use ottla::{Producer, engine_threads};
use support::server::{Answer, Server};
use support::{PATIENCE, producer_settings, queued};

/// What the system calls the threads of this process that are an engine's, sorted.
#[cfg(target_os = "linux")]
fn names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.ok()?.path().join("comm")).ok();
    let mut names: Vec<String> = tasks.filter_map(name).map(|name| name.trim().to_owned()).collect();
    names.retain(|name| name.starts_with("ottla-"));
    names.sort_unstable();
    names
}

#[test]
fn a_hundred_clients_share_two_threads() {
    assert_eq!(engine_threads(), 0, "nothing runs before the first client");
    let server = Server::start(|_| Answer::Usual);
    let made = |_| Producer::<()>::new(producer_settings(&server.bootstrap(), &[]), queued()).unwrap();
    let producers: Vec<_> = (0..100).map(made).collect();
    let questions: Vec<_> = producers.iter().map(|producer| producer.metadata(None, PATIENCE)).collect();
    for question in &questions {
        let answer = question.wait_until(Instant::now() + PATIENCE);
        assert_eq!(answer.expect("an answer in time").unwrap().brokers.len(), 1);
    }
    // An address needs no look-up, so that the third thread never came to be.
    assert_eq!(engine_threads(), 2);
    #[cfg(target_os = "linux")]
    assert_eq!(names(), ["ottla-io", "ottla-work"]);
    drop(producers);
    assert_eq!(engine_threads(), 2, "they serve whoever comes next");
}
