//! The groups of a plan: how many members, how they commit, when they come and go.
use std::sync::Arc;

use ottla_machines::config::{Assignor, ConsumerSettings};

use crate::draw::Draw;
use crate::member::{Committing, MemberPlan};
use crate::plan::{BEGIN_US, Mood, client_keys, configured_consumer, reading_keys};

/// A group's name: what members commit is watched, other than what readers commit for groups of their own.
pub(crate) const GROUP: &str = "group";

/// The members of the plan's group, if it has one. One at least stays to the end.
pub(crate) fn draw_members(
    draw: &mut Draw,
    brokers: u32,
    mood: Mood,
    heal_us: u64,
    topics: &[(Arc<str>, i32)],
) -> Vec<MemberPlan> {
    if draw.chance(250) {
        return Vec::new();
    }
    let session_ms = draw.between(600, 3000);
    let poll_ms = session_ms + draw.between(0, 4000);
    let assignors = [vec![Assignor::Range, Assignor::RoundRobin], vec![Assignor::RoundRobin]];
    let assignors = assignors[draw.below(2)].clone();
    let (is_static, auto) = (draw.chance(200), draw.chance(600));
    let store_on_handover = draw.chance(600);
    let isolation = draw.one_of(&["read_committed", "read_uncommitted"]);
    let rough = mood != Mood::Calm;
    let mut members = Vec::new();
    for number in 0..draw.between(1, 4) {
        let mut keys = client_keys(draw, brokers);
        keys.extend(reading_keys(draw));
        keys.extend([
            ("group.id", GROUP.to_owned()),
            ("isolation.level", isolation.to_owned()),
            ("session.timeout.ms", session_ms.to_string()),
            ("heartbeat.interval.ms", (session_ms / draw.between(4, 6)).to_string()),
            ("max.poll.interval.ms", poll_ms.to_string()),
            ("enable.auto.commit", auto.to_string()),
            ("auto.commit.interval.ms", draw.one_of(&["50", "500", "5000"]).to_owned()),
        ]);
        let mut settings = configured_consumer(&keys);
        settings.group.assignors.clone_from(&assignors);
        settings.store_on_handover = store_on_handover;
        settings.group.instance_id = is_static.then(|| format!("member-{number}"));
        let plan = draw_member(draw, settings, topics, auto, rough, heal_us);
        let fate = if number == 0 { 9 } else { draw.below(10) };
        members.extend(with_fate(draw, plan, fate, rough, heal_us));
    }
    members
}

fn draw_member(
    draw: &mut Draw,
    settings: ConsumerSettings,
    topics: &[(Arc<str>, i32)],
    auto: bool,
    rough: bool,
    heal_us: u64,
) -> MemberPlan {
    let ways = [Committing::Never, Committing::Sync, Committing::Async];
    let committing = if auto { draw.one_of(&ways) } else { draw.one_of(&ways[1..]) };
    let poll_us = settings.group.max_poll_interval_us;
    let (assigns_with_offsets, commits_in_revoke) = (draw.chance(200), draw.chance(300));
    // Who goes back, and then says what is to be committed, commits what it went back to, as it should.
    let seeks = committing == Committing::Never && !assigns_with_offsets && !commits_in_revoke;
    MemberPlan {
        settings,
        topics: (0..topics.len() as u32).collect(),
        begin_us: BEGIN_US + draw.between(0, (heal_us - BEGIN_US) / 2),
        committing,
        commits: draw.one_of(&[50, 300, 1000]),
        many: draw.one_of(&[0, 500, 1000]),
        seeks: if seeks { draw.one_of(&[0, 20]) } else { 0 },
        pauses: draw.one_of(&[0, 0, 20]),
        stalls: if rough { draw.one_of(&[0, 0, 10]) } else { 0 },
        pause_us: draw.one_of(&[500, 20_000, 200_000]).min(poll_us / 8),
        callback_us: draw.one_of(&[0, 0, 10_000, 300_000]).min(poll_us / 4),
        assigns_with_offsets,
        commits_in_revoke,
        commits_given: false,
        polls_in_revoke: 0,
        leaves_us: None,
        changes: 0,
        deserts: false,
        killed_us: None,
        again: false,
    }
}

/// What callbacks do that take partitions away. Drawn by itself, so that each seed keeps the rest of its plan.
pub(crate) fn draw_callbacks(draw: &mut Draw, members: &mut [MemberPlan]) {
    for member in members {
        member.polls_in_revoke = draw.one_of(&[0, 0, 0, 1, 4]);
        member.commits_given = draw.chance(500);
    }
}

/// Who subscribes to other topics, and who of those that would leave deserts. Drawn by itself as well.
///
/// Static members keep their topics. One that has left, which nobody is told, comes back under a new member id: Kafka gives it
/// its old share when the group is stable, whatever it subscribes to now, and a coordinator that takes over before the group
/// is stable again knows the old id alone and fences the new one.
pub(crate) fn draw_subscriptions(draw: &mut Draw, members: &mut [MemberPlan]) {
    for member in members {
        let (deserts, changes) = (draw.chance(300), draw.one_of(&[0, 0, 0, 0, 20, 200]));
        member.deserts = deserts && member.leaves_us.is_some();
        member.changes = if member.settings.group.instance_id.is_none() { changes } else { 0 };
    }
}

/// The member as it is, or one that goes, or one that is killed and comes again.
fn with_fate(draw: &mut Draw, plan: MemberPlan, fate: usize, rough: bool, heal_us: u64) -> Vec<MemberPlan> {
    let at_us = draw.between(plan.begin_us, heal_us);
    match fate {
        0..3 => vec![MemberPlan { leaves_us: Some(at_us), ..plan }],
        3..5 if rough => vec![MemberPlan { killed_us: Some(at_us), ..plan }],
        5..7 if rough => {
            let begin_us = at_us + draw.between(1000, 2_000_000);
            let again = MemberPlan { begin_us, again: true, ..plan.clone() };
            vec![MemberPlan { killed_us: Some(at_us), ..plan }, again]
        }
        _ => vec![plan],
    }
}
