//! A group as tests see it.

use super::group::Group;
use super::member::Member;
use super::offsets::Offsets;
use super::state::GroupState;
use std::sync::Arc;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSnapshot {
    /// Its id.
    pub member_id: String,
    /// Its `group.instance.id`.
    pub group_instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Its metadata for the chosen protocol.
    pub metadata: Arc<[u8]>,
    /// What the leader assigned to it.
    pub assignment: Arc<[u8]>,
    /// Its JoinGroup or SyncGroup is parked.
    pub is_waiting: bool,
}

/// A group at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSnapshot {
    /// Where it stands.
    pub state: GroupState,
    /// Its generation.
    pub generation: i32,
    /// Such as `consumer`; none for a group that only has offsets.
    pub protocol_type: Option<Arc<str>>,
    /// Such as `range`.
    pub protocol_name: Option<Arc<str>>,
    /// The leader's member id.
    pub leader: Option<String>,
    /// In the order of joining.
    pub members: Vec<MemberSnapshot>,
    /// Ids that were given out and not joined with yet.
    pub pending_members: Vec<String>,
    /// What was committed.
    pub offsets: Offsets,
}

impl GroupSnapshot {
    pub(crate) fn of(group: &Group) -> Self {
        let chosen = group.protocol_name.as_deref().unwrap_or_default();
        let member = |member: &Member| MemberSnapshot {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(chosen),
            assignment: member.assignment.clone(),
            is_waiting: member.awaiting_join.is_some() || member.awaiting_sync.is_some(),
        };
        Self {
            state: group.state,
            generation: group.generation,
            protocol_type: group.protocol_type.clone(),
            protocol_name: group.protocol_name.clone(),
            leader: group.leader.clone(),
            members: group.members.iter().map(member).collect(),
            pending_members: group.pending.keys().cloned().collect(),
            offsets: group.offsets.clone(),
        }
    }
}
