//! Errors in the responses of the group APIs.

use ottla_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use ottla_protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup};
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use ottla_protocol::primitives::Uuid;

use super::Blow;
use super::recode::{entry, put};
use crate::control::fault::Level;

pub(super) fn offset_commit<'a>(
    blow: &Blow<'_>,
    request: OffsetCommitRequest<'a>,
    response: &mut OffsetCommitResponse<'a>,
) {
    for topic in &request.topics {
        let (name, topic_id) = (topic.name, topic.topic_id);
        for asked in topic.partitions.iter().filter(|asked| blow.hits(name, topic_id, asked.partition_index)) {
            let new = OffsetCommitResponseTopic { name, topic_id, ..Default::default() };
            let same = |other: &OffsetCommitResponseTopic<'_>| (other.name, other.topic_id) == (name, topic_id);
            let Some(answered) = entry(&mut response.topics, same, new) else { continue };
            let error = OffsetCommitResponsePartition { partition_index: asked.partition_index, error_code: blow.code };
            put(&mut answered.partitions, |other| other.partition_index, error);
        }
    }
}

pub(super) fn offset_fetch<'a>(
    blow: &Blow<'_>,
    version: i16,
    request: OffsetFetchRequest<'a>,
    response: &mut OffsetFetchResponse<'a>,
) {
    if blow.level == Level::Top && (2..=7).contains(&version) {
        *response = OffsetFetchResponse { error_code: blow.code, ..Default::default() };
        return;
    }
    if blow.level == Level::Top && version >= 8 {
        for asked in request.groups.iter().filter(|asked| blow.hits_group(asked.group_id)) {
            let same = |other: &OffsetFetchResponseGroup<'_>| other.group_id == asked.group_id;
            let error =
                OffsetFetchResponseGroup { group_id: asked.group_id, topics: Vec::new(), error_code: blow.code };
            if let Some(answered) = entry(&mut response.groups, same, error.clone()) {
                *answered = error;
            }
        }
        return;
    }
    for topic in &mut response.topics {
        for partition in &mut topic.partitions {
            if blow.hits(topic.name, Uuid::default(), partition.partition_index) {
                (partition.error_code, partition.committed_offset) = (blow.code, -1);
                (partition.committed_leader_epoch, partition.metadata) = (-1, Some(""));
            }
        }
    }
    for group in response.groups.iter_mut().filter(|group| blow.hits_group(group.group_id)) {
        for topic in &mut group.topics {
            for partition in &mut topic.partitions {
                if blow.hits(topic.name, topic.topic_id, partition.partition_index) {
                    (partition.error_code, partition.committed_offset) = (blow.code, -1);
                    (partition.committed_leader_epoch, partition.metadata) = (-1, Some(""));
                }
            }
        }
    }
}

pub(super) fn find_coordinator<'a>(
    blow: &Blow<'_>,
    version: i16,
    request: FindCoordinatorRequest<'a>,
    response: &mut FindCoordinatorResponse<'a>,
) {
    if version <= 3 {
        *response = FindCoordinatorResponse {
            error_code: blow.code,
            error_message: (version >= 1).then_some(""),
            node_id: -1,
            host: "",
            port: -1,
            ..Default::default()
        };
        return;
    }
    for key in request.coordinator_keys.iter().filter(|key| blow.hits_group(key)) {
        let same = |other: &Coordinator<'_>| other.key == *key;
        let error =
            Coordinator { key, node_id: -1, host: "", port: -1, error_code: blow.code, error_message: Some("") };
        if let Some(answered) = entry(&mut response.coordinators, same, error.clone()) {
            *answered = error;
        }
    }
}

pub(super) fn join<'a>(blow: &Blow<'_>, request: JoinGroupRequest<'a>, response: &mut JoinGroupResponse<'a>) {
    // An id that was given already is told, as with MEMBER_ID_REQUIRED.
    let member_id = if response.member_id.is_empty() { request.member_id } else { response.member_id };
    *response = JoinGroupResponse { error_code: blow.code, member_id, ..Default::default() };
}

pub(super) fn heartbeat(blow: &Blow<'_>, _request: HeartbeatRequest<'_>, response: &mut HeartbeatResponse) {
    response.error_code = blow.code;
}

pub(super) fn sync<'a>(blow: &Blow<'_>, _request: SyncGroupRequest<'a>, response: &mut SyncGroupResponse<'a>) {
    *response = SyncGroupResponse { error_code: blow.code, ..Default::default() };
}

pub(super) fn leave<'a>(
    blow: &Blow<'_>,
    version: i16,
    request: LeaveGroupRequest<'a>,
    response: &mut LeaveGroupResponse<'a>,
) {
    if blow.level != Level::Member || version <= 2 {
        *response = LeaveGroupResponse { error_code: blow.code, ..Default::default() };
        return;
    }
    for who in request.members.iter().filter(|who| blow.hits_member(who.member_id, who.group_instance_id)) {
        let (member_id, group_instance_id) = (who.member_id, who.group_instance_id);
        let same =
            |other: &MemberResponse<'_>| (other.member_id, other.group_instance_id) == (member_id, group_instance_id);
        let error = MemberResponse { member_id, group_instance_id, error_code: blow.code };
        if let Some(answered) = entry(&mut response.members, same, error.clone()) {
            *answered = error;
        }
    }
}
