//! All groups of the cluster, each on its coordinator: timers, answers, look-up, change of coordinator, snapshots.
//! What a request does to a group stands in `join`, `sync`, `leave` and `commit`. The nodes of a cluster share this
//! one value; a request names the node that it reached, and is refused where that is not the group's coordinator.

use super::group::{Group, answer_join, answer_sync};
use super::placement::{CoordinatorType, Placement};
use super::rebalance::Turn;
use super::reply::{Answer, JoinReply, SyncReply};
use super::snapshot::GroupSnapshot;
use super::state::GroupState;
use crate::machine::Now;
use crate::random::Random;
use crate::settings::Settings;
use ottla_protocol::error_codes::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// What Kafka's broker configuration says of groups.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// `group.initial.rebalance.delay.ms`; Kafka's default is 3000, ours 0.
    pub initial_rebalance_delay_ms: u64,
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
    /// `group.max.size`.
    pub max_size: usize,
    /// `offset.metadata.max.bytes`, which Kafka counts in UTF-16 units.
    pub offset_metadata_max_bytes: usize,
}

impl GroupSettings {
    /// What a cluster is set up with, Kafka's defaults for the rest.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            initial_rebalance_delay_ms: settings.group_initial_rebalance_delay_ms,
            min_session_timeout_ms: settings.group_min_session_timeout_ms,
            max_session_timeout_ms: settings.group_max_session_timeout_ms,
            ..Self::default()
        }
    }
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            initial_rebalance_delay_ms: 0,
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            max_size: i32::MAX as usize,
            offset_metadata_max_bytes: 4096,
        }
    }
}

/// The group coordinators of a cluster.
#[derive(Debug)]
pub struct Groups {
    pub(crate) settings: GroupSettings,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) answers: Vec<Answer>,
    /// Earliest deadline of each group that has one.
    timers: BTreeSet<(u64, String)>,
    placement: Placement,
    /// Groups whose coordinator still loads, and until when.
    loading: BTreeMap<String, u64>,
    random: Random,
}

impl Groups {
    /// No groups, no nodes. Member ids are drawn from `random`.
    pub fn new(settings: GroupSettings, random: Random) -> Self {
        Self {
            settings,
            groups: BTreeMap::new(),
            answers: Vec::new(),
            timers: BTreeSet::new(),
            placement: Placement::default(),
            loading: BTreeMap::new(),
            random,
        }
    }

    /// The nodes that run now. Groups whose coordinator changes by it are loaded by the new one.
    pub fn set_live(&mut self, now: Now, live: Vec<i32>) {
        let homes = |groups: &Self| -> Vec<Option<i32>> {
            groups.groups.keys().map(|group| groups.coordinator(CoordinatorType::Group, group)).collect()
        };
        let before = homes(self);
        self.placement.set_live(live);
        let after = homes(self);
        let changed = before.iter().zip(&after).zip(self.groups.keys()).filter(|((old, new), _)| old != new);
        let moved: Vec<String> = changed.map(|(_, group)| group.clone()).collect();
        for group in moved {
            self.reload(&group, now.mono_us);
        }
    }

    /// The node that coordinates a group or transaction; none when no node runs.
    pub fn coordinator(&self, kind: CoordinatorType, key: &str) -> Option<i32> {
        self.placement.node(kind, key)
    }

    /// Gives a group to another node, which loads it: who waits is sent away with NOT_COORDINATOR. False when that
    /// node does not run.
    pub fn move_coordinator(&mut self, now: Now, group: &str, node: i32) -> bool {
        let before = self.coordinator(CoordinatorType::Group, group);
        let moved = self.placement.move_group(group, node);
        if moved && before != Some(node) {
            self.reload(group, now.mono_us);
        }
        moved
    }

    /// The group's coordinator loads it again, and answers COORDINATOR_LOAD_IN_PROGRESS for so many milliseconds.
    pub fn load_coordinator(&mut self, now: Now, group: &str, for_ms: u64) {
        let until = now.mono_us.saturating_add(for_ms.saturating_mul(1000));
        self.loading.insert(group.to_owned(), until);
        self.reload(group, until);
    }

    /// Whether this node may answer for the group now.
    pub(crate) fn check(&self, now: Now, node: i32, group: &str) -> Result<(), ErrorCode> {
        match self.coordinator(CoordinatorType::Group, group) {
            None => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            Some(home) if home != node => Err(ErrorCode::NOT_COORDINATOR),
            Some(_) if self.loading.get(group).is_some_and(|until| now.mono_us < *until) => {
                Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
            }
            Some(_) => Ok(()),
        }
    }

    /// A new coordinator knows what was written: the last complete generation, or none. Sessions begin anew.
    fn reload(&mut self, group_id: &str, from_us: u64) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        for member in &mut group.members {
            let refusal = JoinReply::error(ErrorCode::NOT_COORDINATOR, &member.member_id);
            answer_join(&mut self.answers, &mut member.awaiting_join, refusal);
            let refusal = SyncReply::error(ErrorCode::NOT_COORDINATOR);
            answer_sync(&mut self.answers, &mut member.awaiting_sync, refusal);
        }
        let stored = group.stored.clone();
        let mut loaded = Group {
            generation: stored.generation,
            protocol_type: stored.protocol_type.clone(),
            protocol_name: stored.protocol_name.clone(),
            leader: stored.leader.clone(),
            members: stored.members.clone(),
            offsets: std::mem::take(&mut group.offsets),
            scheduled: group.scheduled,
            stored,
            ..Group::new()
        };
        if !loaded.members.is_empty() {
            (loaded.previous_state, loaded.state) = (GroupState::Empty, GroupState::Stable);
        }
        let chosen = loaded.protocol_name.clone();
        for member in &mut loaded.members {
            // Of what a member offers, only the chosen protocol is written.
            member.offered.retain(|offered| Some(&offered.name) == chosen.as_ref());
            (member.awaiting_join, member.awaiting_sync, member.is_new) = (None, None, false);
            let session = u64::try_from(member.session_timeout_ms).unwrap_or(0);
            member.session_ends = Some(from_us.saturating_add(session.saturating_mul(1000)));
        }
        *group = loaded;
        self.reschedule(group_id);
    }

    /// Changes a group that exists, then sets its timer.
    pub(crate) fn change<T>(
        &mut self,
        now: Now,
        group_id: &str,
        change: impl FnOnce(&mut Group, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(group_id)?;
        let mut turn = Turn {
            now_us: now.mono_us,
            initial_delay_ms: self.settings.initial_rebalance_delay_ms,
            answers: &mut self.answers,
        };
        let changed = change(group, &mut turn);
        self.reschedule(group_id);
        Some(changed)
    }

    fn reschedule(&mut self, group_id: &str) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        let deadline = group.deadline();
        if deadline == group.scheduled {
            return;
        }
        if let Some(at) = group.scheduled.take() {
            self.timers.remove(&(at, group_id.to_owned()));
        }
        group.scheduled = deadline;
        if let Some(at) = deadline {
            self.timers.insert((at, group_id.to_owned()));
        }
    }

    /// Makes the group if there is none.
    pub(crate) fn make(&mut self, group_id: &str) {
        if !self.groups.contains_key(group_id) {
            self.groups.insert(group_id.to_owned(), Group::new());
        }
    }

    /// Does what is due by now.
    pub fn expire(&mut self, now: Now) {
        while let Some((at, group_id)) = self.timers.first().cloned() {
            if at > now.mono_us {
                return;
            }
            if self.change(now, &group_id, |group, turn| group.expire(turn)).is_none() {
                self.timers.remove(&(at, group_id));
            }
        }
    }

    /// When [`expire`](Self::expire) has something to do next, in microseconds of the machine's time.
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Takes the answers that there are, in order.
    pub fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }

    /// A topic is gone, and with it what was committed for it.
    pub fn topic_deleted(&mut self, topic: &str) {
        for group in self.groups.values_mut() {
            group.offsets.forget_topic(topic);
        }
    }

    /// The names of all groups, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// What a test wants to know of a group.
    pub fn snapshot(&self, group_id: &str) -> Option<GroupSnapshot> {
        self.groups.get(group_id).map(GroupSnapshot::of)
    }

    /// A member id as Kafka makes them: instance or client id, a dash, a random UUID.
    pub(crate) fn member_id(&mut self, client_id: &str, group_instance_id: Option<&str>) -> String {
        let (high, low) = (self.random.next_u64(), self.random.next_u64());
        let (time, mid, version) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
        let (variant, node) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        let front = group_instance_id.unwrap_or(client_id);
        format!("{front}-{time:08x}-{mid:04x}-4{version:03x}-{variant:04x}-{node:012x}")
    }
}
