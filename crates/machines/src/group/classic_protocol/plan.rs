//! The leader's part: what all members subscribe to, how many partitions that is, and who gets which. It watches the topics of
//! all members, and says when partitions were added, for then they must be shared out anew.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::messages::join_group::JoinGroupResponseMember;

use super::super::assignors::{GroupMember, PartitionCounts, assign};
use super::super::subscription_metadata::{read_subscription, write_assignment};
use crate::config::Assignor;
use crate::machine::Now;
use crate::metadata::Metadata;

/// How long the leader waits for metadata of the members' topics; what is not known by then is shared out once it is.
const PATIENCE_US: u64 = 5_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Plan {
    members: Vec<GroupMember>,
    watched: BTreeSet<Arc<str>>,
    counts: PartitionCounts,
    until_us: u64,
    /// Metadata as last looked at.
    seen: u64,
}

impl Plan {
    /// This member leads a generation of these members. One whose subscription cannot be read is taken for one without topics.
    pub(super) fn begin(&mut self, now: Now, members: &[JoinGroupResponseMember<'_>]) -> Vec<Arc<str>> {
        let mut unreadable = Vec::new();
        self.members = members
            .iter()
            .map(|member| GroupMember {
                member_id: member.member_id.into(),
                instance_id: member.group_instance_id.map(Into::into),
                topics: read_subscription(member.metadata).unwrap_or_else(|_| {
                    unreadable.push(member.member_id.into());
                    Vec::new()
                }),
            })
            .collect();
        self.until_us = now.mono_us.saturating_add(PATIENCE_US);
        unreadable
    }

    /// Watches the members' topics, and those only. Returns whether all are known, or waited for long enough.
    pub(super) fn is_ready(&mut self, now: Now, metadata: &mut Metadata) -> bool {
        let topics: BTreeSet<Arc<str>> = self.members.iter().flat_map(|member| member.topics.iter().cloned()).collect();
        if topics != self.watched {
            for topic in topics.difference(&self.watched) {
                metadata.watch(now, topic);
            }
            for topic in self.watched.difference(&topics) {
                metadata.unwatch(topic);
            }
            self.watched = topics;
        }
        self.until_us <= now.mono_us || self.watched.iter().all(|topic| metadata.watched_for_us(now, topic).is_some())
    }

    /// What each member gets, in the bytes of the protocol.
    pub(super) fn shares(&mut self, assignor: Assignor, metadata: &Metadata) -> BTreeMap<Arc<str>, Vec<u8>> {
        self.counts = self.watched.iter().map(|topic| (topic.clone(), count(metadata, topic))).collect();
        self.seen = metadata.generation();
        let shares = assign(assignor, &self.members, &self.counts);
        let ids = self.members.iter().map(|member| member.member_id.clone());
        ids.zip(shares.iter().map(write_assignment)).collect()
    }

    /// A leader that returns and has nothing to share out still looks after the topics, as they are when it first sees them
    /// (KIP-814).
    pub(super) fn keep(&mut self) {
        self.counts.clear();
        self.seen = u64::MAX;
    }

    /// The topic whose number of partitions is another than when they were shared out. A topic that vanished, maybe for the
    /// moment, is left to those who subscribe to it.
    pub(super) fn outdated(&mut self, metadata: &Metadata) -> Option<Arc<str>> {
        if self.seen == metadata.generation() {
            return None;
        }
        self.seen = metadata.generation();
        let mut changed = None;
        for topic in &self.watched {
            match count(metadata, topic) {
                0 => {}
                found if *self.counts.entry(topic.clone()).or_insert(found) != found => changed = Some(topic.clone()),
                _ => {}
            }
        }
        changed
    }

    pub(super) fn until_us(&self) -> u64 {
        self.until_us
    }

    /// Another leads, or nobody.
    pub(super) fn end(&mut self, metadata: &mut Metadata) {
        for topic in std::mem::take(&mut self.watched) {
            metadata.unwatch(&topic);
        }
        *self = Self::default();
    }
}

fn count(metadata: &Metadata, topic: &str) -> i32 {
    metadata.topic(topic).map_or(0, |known| i32::try_from(known.partitions.len()).unwrap_or(i32::MAX))
}
