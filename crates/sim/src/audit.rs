//! What the logs say in the end about what producers were told and readers were given.
use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{ABORTED, COMMITTED, Ledger, Outcome, Place, Producing, Span};
use crate::probe::Logged;

/// The logs of all partitions.
pub(crate) type Logs = BTreeMap<Place, Vec<Logged>>;

/// Checks everything that only the logs can tell.
pub(crate) fn audit(ledger: &mut Ledger, logs: &Logs) {
    let mut complaints = Vec::new();
    let written = written(logs, ledger.producers.len());
    for (number, producing) in ledger.producers.iter().enumerate() {
        check_producer(number, producing, &written[number], &mut complaints);
    }
    for (producer, sequence) in logs.values().flatten().map(|logged| (logged.producer, logged.sequence)) {
        let known = ledger.producers.get(producer as usize).is_some_and(|one| (sequence as usize) < one.records.len());
        if !known && producer < COMMITTED {
            complaints.push(("a log holds what was produced", format!("record {sequence} of producer {producer}")));
        }
    }
    check_order(ledger, logs, &mut complaints);
    for span in &ledger.spans {
        if let Some(log) = logs.get(&span.place) {
            check_span(span, log, &mut complaints);
        }
    }
    if let Some((invariant, words)) = complaints.into_iter().next() {
        ledger.broken(invariant, words);
    }
}

type Complaints = Vec<(&'static str, String)>;
/// Where each record of a producer lies.
type Written = BTreeMap<u32, Vec<(Place, i64)>>;

fn written(logs: &Logs, producers: usize) -> Vec<Written> {
    let mut written = vec![Written::new(); producers];
    for (place, log) in logs {
        for logged in log {
            if let Some(of) = written.get_mut(logged.producer as usize) {
                of.entry(logged.sequence).or_default().push((*place, logged.offset));
            }
        }
    }
    written
}

fn check_producer(number: usize, producing: &Producing, written: &Written, complaints: &mut Complaints) {
    let promises = producing.promises;
    for (sequence, record) in producing.records.iter().enumerate() {
        let found = written.get(&(sequence as u32)).map(Vec::as_slice).unwrap_or_default();
        let name = || format!("record {sequence} of producer {number} ({record:?}), written to {found:?}");
        if promises.idempotent && found.len() > 1 {
            complaints.push(("no duplicate with idempotence", name()));
        }
        let elsewhere = |(place, _): &(Place, i64)| {
            place.0 != record.topic || record.partition.is_some_and(|partition| partition != place.1)
        };
        if found.iter().any(elsewhere) {
            complaints.push(("a record goes to the partition that was asked for", name()));
        }
        match record.outcome {
            Outcome::Acknowledged(..) if !promises.acknowledged => {}
            Outcome::Acknowledged(partition, offset) => {
                let there = found.iter().any(|(place, at)| place.1 == partition && (offset < 0 || *at == offset));
                if !there {
                    complaints.push(("no acknowledged record is lost", name()));
                }
            }
            Outcome::Waiting if record.attached && !producing.killed => {
                complaints.push(("each record is reported once", name()));
            }
            // Without a callback nobody is told; without time-outs nothing may be lost either.
            Outcome::Waiting if promises.acknowledged && !producing.killed && found.is_empty() => {
                if promises.timeout_us > 60_000_000 {
                    complaints.push(("no record is lost unsaid", name()));
                }
            }
            Outcome::Waiting | Outcome::Failed(_) => {}
        }
    }
}

/// The first time that each record stands in a partition, those of one producer come in the order of its calls. Without
/// idempotence those that were acknowledged: a request that was given up may reach the broker behind later ones.
fn check_order(ledger: &Ledger, logs: &Logs, complaints: &mut Complaints) {
    for (place, log) in logs {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for logged in log {
            let ordered = ledger.producers.get(logged.producer as usize).is_some_and(|one| {
                let outcome = one.records.get(logged.sequence as usize).map(|record| record.outcome);
                let acknowledged = matches!(outcome, Some(Outcome::Acknowledged(..)));
                one.promises.ordered && (one.promises.idempotent || acknowledged)
            });
            if !ordered || !seen.insert((logged.producer, logged.sequence)) {
                continue;
            }
            let before = last.insert(logged.producer, logged.sequence);
            if before.is_some_and(|before| before > logged.sequence) {
                let words = format!("{place:?} has {logged:?} behind record {before:?}");
                complaints.push(("the order of a partition is that of the calls", words));
            }
        }
    }
}

/// What was handed over is what the log holds, from the start to the last record, nothing left out.
fn check_span(span: &Span, log: &[Logged], complaints: &mut Complaints) {
    let (Some(first), Some(last)) = (span.given.first(), span.given.last()) else { return };
    let start = span.start.unwrap_or(first.offset);
    let visible = |logged: &&Logged| !(span.read_committed && logged.producer == ABORTED);
    let expected = log.iter().filter(|logged| (start..=last.offset).contains(&logged.offset)).filter(visible);
    let given = span.given.iter().map(|given| (given.offset, given.producer, given.sequence));
    let expected = expected.map(|logged| (logged.offset, logged.producer, logged.sequence));
    if let Some((given, expected)) = differ(given, expected) {
        let words = format!(
            "client {} read {:?} from {start}: given {given:?} where the log has {expected:?}",
            span.client, span.place
        );
        complaints.push(("what is handed over is what the log holds", words));
    }
}

type Row = (i64, u32, u32);

fn differ(a: impl Iterator<Item = Row>, b: impl Iterator<Item = Row>) -> Option<(Option<Row>, Option<Row>)> {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.next(), b.next()) {
            (None, None) => return None,
            (one, other) if one == other => {}
            differing => return Some(differing),
        }
    }
}
