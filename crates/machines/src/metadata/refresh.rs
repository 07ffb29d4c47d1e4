//! When to ask for metadata, and for which topics: at the start, when somebody watches a new topic, when something turned
//! out stale, and now and then.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_protocol::primitives::{Message, Reader};

use super::snapshot::Snapshot;
use crate::config::ConnectionSettings;
use crate::connection::backoff::Backoff;
use crate::connection::{Network, Response, Tag};
use crate::machine::{Lane, NodeId, Now};
use crate::random::Random;

/// The snapshot and what keeps it fresh.
#[derive(Debug)]
pub struct Metadata {
    snapshot: Snapshot,
    watched: BTreeMap<Arc<str>, Watched>,
    /// Who watches all topics of the cluster, for patterns.
    listeners: u32,
    /// Whether the request in flight, and the last answer, are about all topics.
    lists_all: bool,
    listed_all: bool,
    generation: u64,
    answers: u64,
    /// Somebody waits for news; asked again with back-off until nothing is missing.
    wanted: bool,
    in_flight: bool,
    /// When the last request went out.
    asked_us: u64,
    not_before_us: u64,
    refreshed_us: u64,
    backoff: Backoff,
    random: Random,
    refresh_interval_us: Option<u64>,
    timeout_us: u64,
    allow_auto_create_topics: bool,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    since_us: u64,
    answered: bool,
    /// How many watch it: fetcher, subscription, questions.
    watchers: u32,
}

impl Deref for Metadata {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl Metadata {
    pub fn new(settings: &ConnectionSettings, seed: u64) -> Self {
        Self {
            snapshot: Snapshot::default(),
            watched: BTreeMap::new(),
            listeners: 0,
            lists_all: false,
            listed_all: false,
            generation: 0,
            answers: 0,
            wanted: true,
            in_flight: false,
            asked_us: 0,
            not_before_us: 0,
            refreshed_us: 0,
            backoff: Backoff::new(settings.topic_metadata_refresh_fast_interval_us, settings.retry_backoff_max_us),
            random: Random::new(seed),
            refresh_interval_us: settings.topic_metadata_refresh_interval_us,
            timeout_us: settings.socket_timeout_us,
            allow_auto_create_topics: settings.allow_auto_create_topics,
        }
    }

    /// Rises with every change of the snapshot.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// From now on the topic is kept fresh, until everyone who watches it has called [`Metadata::unwatch`].
    pub fn watch(&mut self, now: Now, topic: &Arc<str>) {
        if let Some(watched) = self.watched.get_mut(topic) {
            watched.watchers += 1;
            return;
        }
        self.watched.insert(topic.clone(), Watched { since_us: now.mono_us, answered: false, watchers: 1 });
        self.wanted = true;
        self.not_before_us = now.mono_us;
    }

    pub fn unwatch(&mut self, topic: &str) {
        let Some(watched) = self.watched.get_mut(topic) else { return };
        watched.watchers -= 1;
        if watched.watchers == 0 {
            self.watched.remove(topic);
            if !self.listed_all {
                self.snapshot.forget(topic);
            }
        }
    }

    /// From now on all topics of the cluster are listed with every answer, until [`Metadata::unwatch_all`].
    pub fn watch_all(&mut self, now: Now) {
        self.listeners += 1;
        if self.listeners == 1 {
            self.wanted = true;
            self.not_before_us = now.mono_us;
        }
    }

    pub fn unwatch_all(&mut self) {
        self.listeners = self.listeners.saturating_sub(1);
        if self.listeners == 0 && std::mem::take(&mut self.listed_all) {
            let watched = &self.watched;
            let others = self.snapshot.topics().map(|topic| topic.name.clone());
            for name in others.filter(|name| !watched.contains_key(name)).collect::<Vec<_>>() {
                self.snapshot.forget(&name);
            }
        }
    }

    /// Whether all topics of the cluster are known, since somebody watches all.
    pub fn has_listed_all(&self) -> bool {
        self.listed_all
    }

    /// How many answers have been taken in: whoever found something stale waits for the next.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    pub fn is_watched(&self, topic: &str) -> bool {
        self.watched.contains_key(topic)
    }

    /// How long the topic has been watched, once a broker has answered for it; for "unknown for too long".
    pub fn watched_for_us(&self, now: Now, topic: &str) -> Option<u64> {
        let watched = self.watched.get(topic).filter(|watched| watched.answered)?;
        Some(now.mono_us.saturating_sub(watched.since_us))
    }

    /// Something turned out stale (a leader moved, a partition is unknown): ask again, with back-off.
    pub fn request_update(&mut self, now: Now) {
        if !self.wanted {
            self.wanted = true;
            self.not_before_us = self.not_before_us.max(now.mono_us);
        }
    }

    /// A new leader learnt from an answer to Produce or Fetch (KIP-951).
    pub fn moved(&mut self, topic: &str, partition: i32, leader: NodeId, epoch: i32) {
        if self.snapshot.moved(topic, partition, leader, epoch) {
            self.generation += 1;
        }
    }

    /// `node` says that it does not lead the partition: nothing is sent to it until an answer names a leader.
    pub fn not_leader(&mut self, now: Now, topic: &str, partition: i32, node: NodeId) {
        if self.snapshot.forget_leader(topic, partition, node) {
            self.generation += 1;
        }
        self.request_update(now);
    }

    pub fn leader(&self, topic: &str, partition: i32) -> Option<(NodeId, i32)> {
        let partition = self.snapshot.partition(topic, partition)?;
        Some((partition.leader?, partition.leader_epoch))
    }

    /// Asks when it is time and a connection is ready.
    pub fn advance(&mut self, now: Now, network: &mut Network) {
        let due = self.refresh_interval_us.is_some_and(|every| self.refreshed_us.saturating_add(every) <= now.mono_us);
        if self.in_flight || !(self.wanted || due) || self.not_before_us > now.mono_us {
            return;
        }
        let Some(connection) = network.any_ready(now, Lane::General) else { return };
        let topics = self.watched.keys().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() });
        self.lists_all = self.listeners > 0;
        let request = MetadataRequest {
            topics: if self.lists_all { None } else { Some(topics.collect()) },
            allow_auto_topic_creation: self.allow_auto_create_topics,
            ..Default::default()
        };
        let Some(version) = network.version(connection, ApiKey::Metadata) else {
            return network.distrust(now, connection, "no version of Metadata that this client speaks");
        };
        match network.request(now, connection, version, &request, Tag::Metadata, self.timeout_us, &[]) {
            Ok(()) => (self.in_flight, self.asked_us) = (true, now.mono_us),
            Err(error) => network.distrust(now, connection, &error.to_string()),
        }
    }

    pub fn response(&mut self, now: Now, network: &mut Network, response: &Response) {
        self.in_flight = false;
        let news = match MetadataResponse::decode(&mut Reader::new(response.body()), response.version) {
            Ok(news) => news,
            Err(error) => {
                self.again(now);
                return network.distrust(
                    now,
                    response.connection,
                    &format!("an answer to Metadata that cannot be read ({error})"),
                );
            }
        };
        network.throttle(now, response.connection, news.throttle_time_ms);
        self.refreshed_us = now.mono_us;
        self.answers += 1;
        let mut changed = self.snapshot.update(&news);
        if self.lists_all && self.listeners > 0 {
            changed |= self.listed_all(&news);
        }
        if changed {
            self.generation += 1;
            network.update_brokers(&self.snapshot.brokers);
        }
        for topic in &news.topics {
            if let Some(watched) = topic.name.and_then(|name| self.watched.get_mut(name)) {
                watched.answered = true;
            }
        }
        let complete = |(name, watched): (&Arc<str>, &Watched)| {
            // A topic that was not asked about is asked for, also where it is known from before.
            watched.answered
                && self.snapshot.topic(name).is_some_and(|topic| {
                    topic.error == 0
                    && !topic.partitions.is_empty()
                    // A leader that died is named for seconds, until the cluster notices: asked again till then. So is one
                    // that is not among the brokers of the answer: there is nobody to connect to.
                    && topic.partitions.iter().all(|each| each.leader.is_some_and(|leader| !network.is_down(leader)))
                })
        };
        let listed = self.lists_all || self.listeners == 0;
        if self.watched.iter().all(complete) && listed && !self.snapshot.brokers.is_empty() {
            self.wanted = false;
            self.backoff.succeeded();
            // Stale again at once (a leader moves): leave the brokers a moment to learn of it.
            self.not_before_us = now.mono_us.saturating_add(self.backoff.clone().failed(&mut self.random));
        } else if !listed || self.watched.values().any(|watched| watched.since_us > self.asked_us) {
            // Not asked for yet.
            self.wanted = true;
            self.not_before_us = now.mono_us;
        } else {
            self.again(now);
        }
    }

    /// What is not among all topics does not exist. Returns whether anything changed.
    fn listed_all(&mut self, news: &MetadataResponse<'_>) -> bool {
        let listed: BTreeSet<&str> = news.topics.iter().filter_map(|topic| topic.name).collect();
        let known = self.snapshot.topics().map(|topic| topic.name.clone());
        let gone: Vec<Arc<str>> = known.filter(|name| !listed.contains(&**name)).collect();
        let mut changed = !std::mem::replace(&mut self.listed_all, true);
        for name in gone.iter().filter(|name| !self.watched.contains_key(*name)) {
            self.snapshot.forget(name);
            changed = true;
        }
        for (name, watched) in self.watched.iter_mut().filter(|(name, _)| !listed.contains(&***name)) {
            changed |= self.snapshot.vanished(name);
            watched.answered |= watched.since_us <= self.asked_us;
        }
        changed
    }

    /// The request had no answer.
    pub fn failure(&mut self, now: Now) {
        self.in_flight = false;
        self.wanted = true;
        // The network keeps its own back-off per broker: another broker may be asked at once.
        self.not_before_us = now.mono_us;
    }

    fn again(&mut self, now: Now) {
        self.wanted = true;
        self.not_before_us = now.mono_us.saturating_add(self.backoff.failed(&mut self.random));
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        if self.in_flight {
            return None;
        }
        let wanted = (self.wanted && self.not_before_us > now.mono_us).then_some(self.not_before_us);
        let due = self
            .refresh_interval_us
            .map(|every| self.refreshed_us.saturating_add(every))
            .filter(|due| *due > now.mono_us);
        wanted.into_iter().chain(due).min()
    }
}
