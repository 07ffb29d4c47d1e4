//! What is to be imposed on a response, and which of its topics and partitions it hits.

use ottla_protocol::primitives::Uuid;

use crate::cluster::Topics;
use crate::control::facts::topic_name;
use crate::control::fault::{Level, Select};

/// An error on its way into a response.
pub(crate) struct Blow<'b> {
    pub(crate) code: i16,
    pub(crate) level: Level,
    pub(crate) select: &'b Select,
    pub(crate) topics: &'b Topics,
}

impl Blow<'_> {
    /// Whether it is for the whole response, where that has a place for it.
    pub(crate) fn is_top(&self) -> bool {
        self.level == Level::Top
    }

    /// Whether it hits a topic.
    pub(crate) fn hits_topic(&self, name: &str, id: Uuid) -> bool {
        self.select.topic.as_ref().is_none_or(|topic| topic == topic_name(self.topics, name, id))
    }

    /// Whether it hits a partition.
    pub(crate) fn hits(&self, name: &str, id: Uuid, partition: i32) -> bool {
        let all = self.level == Level::Topic;
        self.hits_topic(name, id) && (all || self.select.partition.is_none_or(|selected| selected == partition))
    }

    /// Whether it hits a group.
    pub(crate) fn hits_group(&self, group: &str) -> bool {
        let selected = self.select.group.as_ref().or(self.select.transactional_id.as_ref());
        selected.is_none_or(|selected| selected == group)
    }

    /// Whether it hits a member.
    pub(crate) fn hits_member(&self, member_id: &str, group_instance_id: Option<&str>) -> bool {
        let selected = self.select.member.as_deref();
        selected.is_none_or(|selected| selected == member_id || Some(selected) == group_instance_id)
    }
}
