//! What the application subscribed to, by name and by pattern, and which topics of the cluster that is.
//!
//! A topic counts once the cluster has it; one that appears later counts from then on, and one that vanishes counts no more.
//! A name that is not there is told once, until it is there. What follows from a change is the membership's.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex_lite::Regex;

use crate::client::{Event, Outbox};
use crate::error::{BrokerError, Error, Kind};
use crate::group::ConsumerError;
use crate::machine::{Now, Output};
use crate::metadata::{Metadata, TopicMetadata};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// A topic that was there must be missing for so long: a broker that has just started may not know it yet.
const PATIENCE_US: u64 = 1_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Subscription {
    names: BTreeSet<Arc<str>>,
    patterns: Vec<Regex>,
    /// Those of the cluster's topics that are meant.
    topics: BTreeSet<Arc<str>>,
    /// Rises when `topics` may have changed.
    version: u64,
    /// Whether the cluster was asked for everything that is meant.
    known: bool,
    /// What the application was told of names that are not there.
    told: BTreeMap<Arc<str>, i16>,
    /// Since when topics are missing that were there.
    missing: BTreeMap<Arc<str>, u64>,
    /// Metadata as last looked at; `None`: look whatever it is.
    seen: Option<u64>,
    look_us: Option<u64>,
}

impl Subscription {
    /// Replaces the subscription; none ends it. A name that begins with `^` is a pattern.
    ///
    /// # Errors
    /// `Kind::InvalidArgument` for an empty name, a name twice or a pattern that cannot be read; the subscription of before
    /// stays.
    pub fn replace(&mut self, now: Now, topics: Vec<Arc<str>>, metadata: &mut Metadata) -> Result<(), Error> {
        let (mut names, mut patterns) = (BTreeSet::new(), Vec::new());
        let mut given = BTreeSet::new();
        for topic in topics {
            if !given.insert(topic.clone()) {
                let text = format!("Topic \"{topic}\" is named twice in a subscription");
                return Err(Error::with_text(Kind::InvalidArgument, text));
            }
            if topic.is_empty() {
                return Err(Error::with_text(Kind::InvalidArgument, "The name of a topic to subscribe to is empty"));
            }
            if !topic.starts_with('^') {
                names.insert(topic);
                continue;
            }
            patterns.push(Regex::new(&topic).map_err(|error| {
                let text = format!("The pattern of topics \"{topic}\" cannot be read: {error}");
                Error::with_text(Kind::InvalidArgument, text)
            })?);
        }
        // First the new ones: what stays is not forgotten in between.
        names.iter().for_each(|name| metadata.watch(now, name));
        self.names.iter().for_each(|name| metadata.unwatch(name));
        if !patterns.is_empty() {
            metadata.watch_all(now);
        }
        if !self.patterns.is_empty() {
            metadata.unwatch_all();
        }
        *self = Self { names, patterns, version: self.version + 1, ..Self::default() };
        Ok(())
    }

    /// Whether nothing is subscribed to.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// Whether [`Subscription::topics`] says all that is meant.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// The topics of the cluster that are meant.
    pub fn topics(&self) -> &BTreeSet<Arc<str>> {
        &self.topics
    }

    /// As long as this is the same, [`Subscription::topics`] is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Follows the newest metadata; a name that is not there is told once.
    pub fn advance(&mut self, now: Now, metadata: &Metadata, outbox: &mut Outbox) {
        let due = self.look_us.is_some_and(|at| at <= now.mono_us);
        if self.is_empty() || (!due && self.known && self.seen == Some(metadata.generation())) {
            return;
        }
        self.seen = Some(metadata.generation());
        let answered = |name: &Arc<str>| metadata.watched_for_us(now, name).is_some();
        self.known = self.names.iter().all(answered) && (self.patterns.is_empty() || metadata.has_listed_all());
        let mut topics = BTreeSet::new();
        for name in self.names.iter().filter(|name| answered(name)) {
            match metadata.topic(name) {
                Some(topic) if is_there(topic) => {
                    self.told.remove(name);
                    topics.insert(name.clone());
                }
                found => {
                    let code = found.map_or(UNKNOWN_TOPIC_OR_PARTITION, |topic| topic.error);
                    tell(&mut self.told, name, code, outbox);
                }
            }
        }
        for pattern in &self.patterns {
            let found = metadata.topics().filter(|topic| is_there(topic) && pattern.is_match(&topic.name));
            let mut found = found.map(|topic| topic.name.clone()).peekable();
            let text = Arc::from(pattern.as_str());
            if found.peek().is_some() {
                self.told.remove(&text);
                topics.extend(found);
            } else if self.known {
                // As in the original: a pattern that fits nothing is told as a name would be.
                tell(&mut self.told, &text, UNKNOWN_TOPIC_OR_PARTITION, outbox);
            }
        }
        self.keep_missing(now, &mut topics);
        if topics != self.topics {
            self.topics = topics;
            self.version += 1;
        }
    }

    /// What was there and is not now is there for a while longer.
    fn keep_missing(&mut self, now: Now, topics: &mut BTreeSet<Arc<str>>) {
        self.look_us = None;
        for topic in self.topics.difference(&topics.clone()) {
            let since_us = *self.missing.entry(topic.clone()).or_insert(now.mono_us);
            let until_us = since_us.saturating_add(PATIENCE_US);
            if until_us > now.mono_us {
                topics.insert(topic.clone());
                self.look_us = Some(self.look_us.map_or(until_us, |at| at.min(until_us)));
            }
        }
        let Self { missing, look_us, .. } = self;
        if look_us.is_none() {
            missing.clear();
        }
    }

    /// When a topic has been missing for long enough.
    pub fn deadline(&self, now: Now) -> Option<u64> {
        self.look_us.filter(|at| *at > now.mono_us)
    }
}

fn is_there(topic: &TopicMetadata) -> bool {
    topic.error == 0 && !topic.partitions.is_empty()
}

/// What passes (a topic that is being made) is not told.
fn tell(told: &mut BTreeMap<Arc<str>, i16>, name: &Arc<str>, code: i16, outbox: &mut Outbox) {
    let error = BrokerError(code);
    let passes = code == 0 || (error.is_retriable() && code != UNKNOWN_TOPIC_OR_PARTITION);
    if passes || told.insert(name.clone(), code) == Some(code) {
        return;
    }
    let kind = Kind::Broker(error);
    // The original's words.
    let text = format!("Subscribed topic not available: {name}: {}", kind.description());
    let event = ConsumerError { error: Error::with_text(kind, text), topic: Some(name.clone()) };
    outbox.output(Output::Event(Event::ConsumerError(event)));
}
