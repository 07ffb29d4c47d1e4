//! What is to be imposed on a response, and which of its topics and partitions it hits.

use ottla_protocol::primitives::Uuid;

use super::recode::{Asked, request};
use crate::cluster::{Cluster, Topics};
use crate::control::facts::topic_name;
use crate::control::fault::{Level, Select};
use crate::fetch_sessions::PartitionName;
use crate::handlers::Call;
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::fetch::FetchRequest;

/// An error on its way into a response.
pub(crate) struct Blow<'b> {
    pub(crate) code: i16,
    pub(crate) level: Level,
    pub(crate) select: &'b Select,
    pub(crate) topics: &'b Topics,
    /// What the session of a Fetch has, beside what the request names.
    pub(crate) session: Vec<PartitionName>,
}

impl<'b> Blow<'b> {
    pub(crate) fn new(
        cluster: &'b Cluster,
        call: &Call,
        asked: &Asked,
        select: &'b Select,
        (code, level): (i16, Level),
    ) -> Self {
        let fetch = if call.api == ApiKey::Fetch { request::<FetchRequest<'_>>(call, asked) } else { None };
        let sessions = cluster.fetch_sessions.get(&call.node);
        let session = fetch.zip(sessions).map(|(fetch, sessions)| sessions.names(fetch.session_id).cloned().collect());
        Self { code, level, select, topics: &cluster.topics, session: session.unwrap_or_default() }
    }

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
