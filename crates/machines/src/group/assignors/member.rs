//! A member as the leader sees it, and the order of members.
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{range, roundrobin};
use crate::config::Assignor;

/// A member of the group, as the coordinator describes it to the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub member_id: Arc<str>,
    /// KIP-345.
    pub instance_id: Option<Arc<str>>,
    /// Sorted, each once.
    pub topics: Vec<Arc<str>>,
}

impl GroupMember {
    pub(super) fn subscribes_to(&self, topic: &Arc<str>) -> bool {
        self.topics.binary_search(topic).is_ok()
    }
}

/// How many partitions a topic has; topics that do not exist are not in it, or have none.
pub type PartitionCounts = BTreeMap<Arc<str>, i32>;

/// What each member gets, in the order in which the members were given.
pub type Shares = Vec<BTreeMap<Arc<str>, Vec<i32>>>;

/// Shares out all partitions of the topics that anybody subscribes to.
pub fn assign(assignor: Assignor, members: &[GroupMember], counts: &PartitionCounts) -> Shares {
    match assignor {
        Assignor::Range => range::assign(members, counts),
        Assignor::RoundRobin => roundrobin::assign(members, counts),
    }
}

/// Where each member stands in turn, as Java's `AbstractPartitionAssignor.MemberInfo` orders them: static members first, by
/// their instance id, so that a restart changes nothing (KIP-345).
pub(super) fn in_order(members: &[GroupMember]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&members[a], &members[b]);
        match (&a.instance_id, &b.instance_id) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.member_id.cmp(&b.member_id),
        }
    });
    order
}
