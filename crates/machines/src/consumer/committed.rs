//! Looking committed offsets up: for `committed()`, and for partitions that start at them.
//!
//! A lookup is asked again until the coordinator knows, or its time is over; a start has no time of its own, so it waits for
//! the coordinator as long as it takes. What a start makes of it is the fetcher's.
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::primitives::Uuid;

use super::fetcher::{StartFound, StartWanted};
use super::offset_requests::{self, Fetched, passes};
use super::positions::OFFSET_INVALID;
use crate::client::{Outbox, Reply, RequestId};
use crate::config::{ConsumerSettings, Isolation};
use crate::connection::backoff::Backoff;
use crate::connection::{Network, Response, Tag};
use crate::error::{Error, Kind};
use crate::group::{Coordinator, OffsetAnswer};
use crate::machine::{Lane, Now};
use crate::metadata::Metadata;
use crate::random::Random;

#[derive(Debug)]
enum Asker {
    /// The application, with its time and its own order.
    Application { request: RequestId, deadline_us: u64, order: Vec<(Arc<str>, i32)> },
    /// The fetcher; the fetch epochs (E17) in the order of the partitions.
    Starts { epochs: Vec<u64> },
}

#[derive(Debug)]
struct Lookup {
    asker: Asker,
    /// Sorted by topic and partition.
    partitions: Vec<(Arc<str>, i32)>,
    ids: Vec<(Uuid, Arc<str>)>,
    not_before_us: u64,
    in_flight: bool,
    trouble: Option<Error>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lookups {
    group_id: String,
    /// Offsets that a transaction is about to commit are waited for (KIP-447).
    stable: bool,
    timeout_us: u64,
    backoff: Backoff,
    random: Random,
    by_name: bool,
    next_tag: u64,
    open: BTreeMap<u64, Lookup>,
    found: Vec<StartFound>,
}

impl Lookups {
    pub(crate) fn new(settings: &ConsumerSettings, seed: u64) -> Self {
        let connection = &settings.connection;
        Self {
            group_id: settings.group.group_id.clone(),
            stable: settings.isolation == Isolation::ReadCommitted,
            timeout_us: connection.socket_timeout_us,
            backoff: Backoff::new(connection.retry_backoff_us, connection.retry_backoff_max_us),
            random: Random::new(seed),
            by_name: false,
            next_tag: 0,
            open: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    pub(crate) fn committed(&mut self, request: RequestId, mut partitions: Vec<(Arc<str>, i32)>, deadline_us: u64) {
        let order = partitions.clone();
        partitions.sort();
        partitions.dedup();
        self.ask(Asker::Application { request, deadline_us, order }, partitions);
    }

    /// Asks where partitions start. Without a group there is no committed offset.
    pub(crate) fn find_starts(&mut self, wanted: Vec<StartWanted>) {
        if wanted.is_empty() {
            return;
        }
        if self.group_id.is_empty() {
            let none =
                |StartWanted { epoch, topic, partition }| StartFound { epoch, topic, partition, result: Ok(None) };
            return self.found.extend(wanted.into_iter().map(none));
        }
        self.supersede(&wanted);
        let epochs = wanted.iter().map(|start| start.epoch).collect();
        let partitions = wanted.into_iter().map(|start| (start.topic, start.partition)).collect();
        self.ask(Asker::Starts { epochs }, partitions);
    }

    /// Partitions that start anew are not asked for by their older starts any more, as far as those were not sent.
    fn supersede(&mut self, wanted: &[StartWanted]) {
        let anew: BTreeSet<(&str, i32)> = wanted.iter().map(|start| (&*start.topic, start.partition)).collect();
        self.open.retain(|_, lookup| {
            let Asker::Starts { epochs } = &mut lookup.asker else { return true };
            if lookup.in_flight {
                return true;
            }
            let starts = lookup.partitions.drain(..).zip(epochs.drain(..));
            (lookup.partitions, *epochs) =
                starts.filter(|((topic, partition), _)| !anew.contains(&(&**topic, *partition))).unzip();
            !lookup.partitions.is_empty()
        });
    }

    fn ask(&mut self, asker: Asker, partitions: Vec<(Arc<str>, i32)>) {
        self.next_tag += 1;
        let (ids, trouble) = (Vec::new(), None);
        self.open.insert(self.next_tag, Lookup { asker, partitions, ids, not_before_us: 0, in_flight: false, trouble });
    }

    pub(crate) fn take_starts(&mut self) -> Vec<StartFound> {
        mem::take(&mut self.found)
    }

    /// Sends what can be sent, ends what is overdue. What is still to be committed of a partition that starts is waited for:
    /// it would be read twice.
    pub(crate) fn advance(
        &mut self,
        now: Now,
        network: &mut Network,
        metadata: &mut Metadata,
        coordinator: &Coordinator,
        uncommitted: &dyn Fn(&str, i32) -> bool,
        outbox: &mut Outbox,
    ) {
        let overdue = |lookup: &Lookup| match lookup.asker {
            Asker::Application { deadline_us, .. } => deadline_us <= now.mono_us,
            Asker::Starts { .. } => false,
        };
        let late: Vec<u64> = self.open.iter().filter(|(_, lookup)| overdue(lookup)).map(|(tag, _)| *tag).collect();
        for tag in late {
            if let Some(lookup) = self.open.remove(&tag) {
                self.end(lookup, Err(Error::new(Kind::TimedOut)), outbox);
            }
        }
        let Some(node) = coordinator.node() else { return };
        for (tag, lookup) in &mut self.open {
            if lookup.in_flight || lookup.not_before_us > now.mono_us {
                continue;
            }
            let starts = matches!(lookup.asker, Asker::Starts { .. });
            if starts && lookup.partitions.iter().any(|(topic, partition)| uncommitted(topic, *partition)) {
                continue;
            }
            let Some(connection) = network.ready(now, node, Lane::General) else { return };
            let Some(version) = network.version(connection, ApiKey::OffsetFetch) else {
                return network.distrust(now, connection, "no version of OffsetFetch that this client speaks");
            };
            let (api, topics) = ((ApiKey::OffsetFetch, version), lookup.partitions.iter().map(|(topic, _)| topic));
            let spoken = offset_requests::speakable(network, connection, api, self.by_name, metadata, topics);
            let Some((version, ids)) = spoken else {
                metadata.request_update(now);
                continue;
            };
            lookup.ids = ids;
            let request = offset_requests::fetch(&self.group_id, &lookup.partitions, &lookup.ids, self.stable, version);
            match network.request(now, connection, version, &request, Tag::OffsetFetch(*tag), self.timeout_us, &[]) {
                Ok(()) => lookup.in_flight = true,
                Err(error) => return network.distrust(now, connection, &error.to_string()),
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "facts are passed down one by one; a struct would only name them")]
    pub(crate) fn response(
        &mut self,
        now: Now,
        tag: u64,
        response: &Response,
        network: &mut Network,
        metadata: &mut Metadata,
        coordinator: &mut Coordinator,
        outbox: &mut Outbox,
    ) {
        let Some(mut lookup) = self.open.remove(&tag) else { return };
        lookup.in_flight = false;
        let fetched = match offset_requests::fetched(response, &lookup.ids) {
            Ok(fetched) => fetched,
            Err(what) => {
                self.again(now, tag, lookup, Error::new(Kind::BadMessage));
                return network.distrust(now, response.connection, &what);
            }
        };
        network.throttle(now, response.connection, fetched.throttle_time_ms);
        let each = fetched.partitions.iter().map(|(_, code)| *code);
        let codes: Vec<i16> = std::iter::once(fetched.error).chain(each).filter(|code| *code != 0).collect();
        for code in &codes {
            match ErrorCode(*code) {
                ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
                    coordinator.lost(now, response.node)
                }
                ErrorCode::UNKNOWN_TOPIC_ID => {
                    self.by_name = true;
                    metadata.request_update(now);
                }
                _ => {}
            }
        }
        if let Some(code) = codes.iter().find(|code| passes(ErrorCode(**code))) {
            return self.again(now, tag, lookup, Error::broker(*code));
        }
        self.backoff.succeeded();
        let result = if fetched.error == 0 { Ok(fetched) } else { Err(Error::broker(fetched.error)) };
        if result.is_err() && matches!(lookup.asker, Asker::Starts { .. }) {
            // Told to the application, and asked again: it may be allowed later.
            let not_before_us = now.mono_us.saturating_add(self.timeout_us);
            let again = self.twin(&lookup, not_before_us);
            self.end(lookup, result, outbox);
            self.open.insert(tag, again);
            return;
        }
        self.end(lookup, result, outbox);
    }

    fn twin(&self, lookup: &Lookup, not_before_us: u64) -> Lookup {
        let epochs = if let Asker::Starts { epochs } = &lookup.asker { epochs.clone() } else { Vec::new() };
        Lookup {
            asker: Asker::Starts { epochs },
            partitions: lookup.partitions.clone(),
            ids: Vec::new(),
            not_before_us,
            in_flight: false,
            trouble: None,
        }
    }

    fn again(&mut self, now: Now, tag: u64, mut lookup: Lookup, trouble: Error) {
        lookup.not_before_us = now.mono_us.saturating_add(self.backoff.failed(&mut self.random));
        lookup.trouble = Some(trouble);
        self.open.insert(tag, lookup);
    }

    pub(crate) fn failure(&mut self, now: Now, tag: u64, error: &Error) {
        if let Some(mut lookup) = self.open.remove(&tag) {
            lookup.in_flight = false;
            self.again(now, tag, lookup, error.clone());
        }
    }

    fn end(&mut self, lookup: Lookup, result: Result<Fetched, Error>, outbox: &mut Outbox) {
        let Lookup { asker, partitions, .. } = lookup;
        let found = result.map(|fetched| {
            let each = fetched.partitions.into_iter();
            each.map(|(answer, _)| ((Arc::clone(&answer.topic), answer.partition), answer)).collect::<BTreeMap<_, _>>()
        });
        match asker {
            Asker::Application { request, order, .. } => {
                let answer = |found: BTreeMap<(Arc<str>, i32), OffsetAnswer>| {
                    let each =
                        order.into_iter().map(|key| found.get(&key).cloned().unwrap_or_else(|| none_committed(key)));
                    Reply::Offsets(each.collect())
                };
                outbox.reply(request, found.map(answer));
            }
            Asker::Starts { epochs } => {
                for (key, epoch) in partitions.into_iter().zip(epochs) {
                    let result = match found.as_ref().map(|found| found.get(&key)) {
                        Ok(Some(OffsetAnswer { error: Some(error), .. })) => Err(error.clone()),
                        Ok(Some(found)) if found.offset >= 0 => Ok(Some((found.offset, found.leader_epoch))),
                        Ok(_) => Ok(None),
                        Err(error) => Err(error.clone()),
                    };
                    self.found.push(StartFound { epoch, topic: key.0, partition: key.1, result });
                }
            }
        }
    }

    pub(crate) fn deadline(&self, now: Now) -> Option<u64> {
        let times = self.open.values().flat_map(|lookup| {
            let ends = match lookup.asker {
                Asker::Application { deadline_us, .. } => Some(deadline_us),
                Asker::Starts { .. } => None,
            };
            ends.into_iter().chain([lookup.not_before_us])
        });
        times.filter(|at| *at > now.mono_us).min()
    }

    /// The client ends: so does every lookup.
    pub(crate) fn close(&mut self, outbox: &mut Outbox) {
        for lookup in mem::take(&mut self.open).into_values() {
            if let Asker::Application { request, .. } = lookup.asker {
                outbox.reply(request, Err(Error::new(Kind::Destroy)));
            }
        }
    }
}

fn none_committed((topic, partition): (Arc<str>, i32)) -> OffsetAnswer {
    OffsetAnswer { topic, partition, offset: OFFSET_INVALID, leader_epoch: -1, metadata: None, error: None }
}
