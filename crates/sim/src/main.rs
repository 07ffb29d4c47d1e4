//! `make sim`: one seed in words, or many seeds in short.
//!
//! `ottla-sim --seed N [--all]` tells one run; `ottla-sim --seeds N [--from M]` runs many, on two threads, and stops at the
//! first that fails.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks through its output")]
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ottla_sim::run::{Failure, Summary, Words, run, tell};

const USAGE: &str = "usage: ottla-sim --seed N [--all] | --seeds N [--from M] [--quiet]";
/// The machine that checks this has two cores.
const THREADS: usize = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> Option<u64> {
        let position = arguments.iter().position(|argument| argument == name)?;
        arguments.get(position + 1)?.parse().ok()
    };
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    match (number("--seed"), number("--seeds")) {
        (Some(seed), _) => one(seed, flag("--all")),
        (None, Some(seeds)) => many(number("--from").unwrap_or(1), seeds, flag("--quiet")),
        (None, None) => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64, all: bool) -> ExitCode {
    let (result, events) = tell(seed, if all { Words::All } else { Words::Last });
    if all {
        events.iter().for_each(|line| println!("{line}"));
    }
    match result {
        Ok(summary) => {
            println!("{summary:?}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let events = if all { Vec::new() } else { failure.events.clone() };
            eprintln!("{}", Failure { events, ..*failure });
            ExitCode::FAILURE
        }
    }
}

fn many(from: u64, seeds: u64, quiet: bool) -> ExitCode {
    // A panic in a run is told by its failure.
    std::panic::set_hook(Box::new(|_| {}));
    let (next, failed) = (AtomicU64::new(from), AtomicBool::new(false));
    let (failures, totals) = (Mutex::new(Vec::new()), Mutex::new((0usize, 0u64, 0usize, 0usize, 0u64)));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    match run(seed) {
                        Ok(Summary { events, virtual_us, records, given, .. }) => {
                            let mut totals = totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                            totals.0 += 1;
                            totals.1 += events;
                            totals.2 += records;
                            totals.3 += given;
                            totals.4 += virtual_us;
                        }
                        Err(failure) => {
                            failed.store(true, Ordering::Relaxed);
                            failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(failure);
                        }
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    if let Some(failure) = failures.first() {
        if quiet {
            eprintln!("seed {}: {}: {}", failure.seed, failure.invariant, failure.words);
        } else {
            eprintln!("{failure}");
        }
        return ExitCode::FAILURE;
    }
    let (runs, events, records, given, virtual_us) = *totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    println!(
        "{runs} seeds held: {events} events, {records} records produced, {given} handed over, {} hours of virtual time",
        virtual_us / 3_600_000_000
    );
    ExitCode::SUCCESS
}
