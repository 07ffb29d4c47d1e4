//! The requests of the classic protocol, as they are written for the version that the coordinator speaks.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::messages::heartbeat::HeartbeatRequest;
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use ottla_protocol::primitives::EncodeError;

use super::super::membership::Member;
use crate::config::{Assignor, GroupSettings};
use crate::connection::{Network, Tag};
use crate::machine::{ConnectionId, Now};

/// From here on LeaveGroup names members in a list (KIP-345).
const LEAVE_LISTS_FROM: i16 = 3;
/// From here on requests say why (KIP-800).
const LONGEST_REASON: usize = 255;
/// What a request has beyond the time that the coordinator may take for it.
const GRACE_US: u64 = 5_000_000;

/// A request about to be sent.
pub(super) struct Outgoing<'a> {
    pub(super) now: Now,
    pub(super) connection: ConnectionId,
    pub(super) version: i16,
    pub(super) attempt: u64,
    pub(super) group: &'a GroupSettings,
    pub(super) network: &'a mut Network,
}

/// The name of an assignor on the wire.
pub(super) fn assignor_name(assignor: Assignor) -> &'static str {
    match assignor {
        Assignor::Range => "range",
        Assignor::RoundRobin => "roundrobin",
    }
}

/// The assignor that the group agreed on, among those that this member offered.
pub(super) fn assignor_of(name: &str, group: &GroupSettings) -> Option<Assignor> {
    group.assignors.iter().copied().find(|assignor| assignor_name(*assignor) == name)
}

impl Outgoing<'_> {
    /// The time that members have to join anew is what the application has between two polls (KIP-62).
    fn rebalance_timeout_us(&self) -> u64 {
        self.group.max_poll_interval_us
    }

    fn session_timeout_us(&self) -> u64 {
        u64::try_from(self.group.session_timeout_ms).unwrap_or(0).saturating_mul(1000)
    }

    pub(super) fn join(self, member_id: &str, subscription: &[u8], reason: &str) -> Result<(), EncodeError> {
        let protocols = self
            .group
            .assignors
            .iter()
            .map(|assignor| JoinGroupRequestProtocol { name: assignor_name(*assignor), metadata: subscription });
        let request = JoinGroupRequest {
            group_id: &self.group.group_id,
            session_timeout_ms: self.group.session_timeout_ms,
            rebalance_timeout_ms: i32::try_from(self.rebalance_timeout_us() / 1000).unwrap_or(i32::MAX),
            member_id,
            group_instance_id: self.group.instance_id.as_deref(),
            protocol_type: &self.group.protocol_type,
            protocols: protocols.collect(),
            reason: Some(shortened(reason)),
        };
        let timeout_us = self.rebalance_timeout_us().max(self.session_timeout_us()).saturating_add(GRACE_US);
        let tag = Tag::JoinGroup(self.attempt);
        self.network.request(self.now, self.connection, self.version, &request, tag, timeout_us, &[])
    }

    pub(super) fn sync(
        self,
        member: &Member,
        protocol: &str,
        shares: &BTreeMap<Arc<str>, Vec<u8>>,
    ) -> Result<(), EncodeError> {
        let assignments =
            shares.iter().map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment });
        let request = SyncGroupRequest {
            group_id: &self.group.group_id,
            generation_id: member.generation,
            member_id: &member.member_id,
            group_instance_id: member.instance_id.as_deref(),
            protocol_type: Some(&self.group.protocol_type),
            protocol_name: Some(protocol),
            assignments: assignments.collect(),
        };
        // A leader that is gone is found out by its session.
        let timeout_us = self.session_timeout_us().saturating_add(GRACE_US);
        let tag = Tag::SyncGroup(self.attempt);
        self.network.request(self.now, self.connection, self.version, &request, tag, timeout_us, &[])
    }

    pub(super) fn heartbeat(self, member: &Member) -> Result<(), EncodeError> {
        let request = HeartbeatRequest {
            group_id: &self.group.group_id,
            generation_id: member.generation,
            member_id: &member.member_id,
            group_instance_id: member.instance_id.as_deref(),
        };
        let (timeout_us, tag) = (self.session_timeout_us(), Tag::Heartbeat(self.attempt));
        self.network.request(self.now, self.connection, self.version, &request, tag, timeout_us, &[])
    }

    /// Of a dynamic member alone: a static one stays until its session is over (KIP-345).
    pub(super) fn leave(self, member_id: &str, reason: &str, timeout_us: u64) -> Result<(), EncodeError> {
        let lists = self.version >= LEAVE_LISTS_FROM;
        let identity = MemberIdentity { member_id, group_instance_id: None, reason: Some(shortened(reason)) };
        let request = LeaveGroupRequest {
            group_id: &self.group.group_id,
            member_id: if lists { "" } else { member_id },
            members: if lists { vec![identity] } else { Vec::new() },
        };
        let tag = Tag::LeaveGroup(self.attempt);
        self.network.request(self.now, self.connection, self.version, &request, tag, timeout_us, &[])
    }
}

/// As long as the brokers take it (KIP-800).
fn shortened(reason: &str) -> &str {
    let end = (0..=LONGEST_REASON.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}
