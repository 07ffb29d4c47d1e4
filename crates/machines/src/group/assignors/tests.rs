//! What Java's client and librdkafka give in the same cases: the expected shares are those of their own tests
//! (`RangeAssignorTest`, `RoundRobinAssignorTest`, `rdkafka_range_assignor.c`).
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GroupMember, PartitionCounts, assign};
use crate::config::Assignor;

fn member(member_id: &str, topics: &[&str]) -> GroupMember {
    let mut topics: Vec<Arc<str>> = topics.iter().map(|topic| Arc::from(*topic)).collect();
    topics.sort();
    GroupMember { member_id: member_id.into(), instance_id: None, topics }
}

fn static_member(member_id: &str, instance_id: &str, topics: &[&str]) -> GroupMember {
    GroupMember { instance_id: Some(instance_id.into()), ..member(member_id, topics) }
}

fn counts(counts: &[(&str, i32)]) -> PartitionCounts {
    counts.iter().map(|(topic, count)| (Arc::from(*topic), *count)).collect()
}

/// Shares as words: `consumer: t0 t1`.
fn shares(assignor: Assignor, members: &[GroupMember], partitions: &[(&str, i32)]) -> Vec<String> {
    let shares = assign(assignor, members, &counts(partitions));
    let words = |share: &BTreeMap<Arc<str>, Vec<i32>>| {
        let named =
            share.iter().flat_map(|(topic, numbers)| numbers.iter().map(move |number| format!(" {topic}{number}")));
        named.collect::<String>()
    };
    members.iter().zip(&shares).map(|(member, share)| format!("{}:{}", member.member_id, words(share))).collect()
}

#[test]
fn range_gives_neighbours_and_the_first_members_one_more() {
    let range = |members: &[GroupMember], partitions: &[(&str, i32)]| shares(Assignor::Range, members, partitions);
    assert_eq!(range(&[member("a", &[])], &[]), ["a:"]);
    assert_eq!(range(&[member("a", &["t"])], &[]), ["a:"], "a topic that is not there");
    assert_eq!(range(&[member("a", &["t"])], &[("t", 3), ("u", 3)]), ["a: t0 t1 t2"]);
    let two = [member("b", &["t"]), member("a", &["t"])];
    assert_eq!(range(&two, &[("t", 1)]), ["b:", "a: t0"], "by member id, not in the order of joining");
    assert_eq!(range(&two, &[("t", 5)]), ["b: t3 t4", "a: t0 t1 t2"]);
    let mixed = [member("a", &["t"]), member("b", &["t", "u"]), member("c", &["t"])];
    assert_eq!(range(&mixed, &[("t", 3), ("u", 2)]), ["a: t0", "b: t1 u0 u1", "c: t2"]);
    // Topics of as many partitions are shared out alike.
    let both = [member("a", &["t", "u"]), member("b", &["t", "u"])];
    assert_eq!(range(&both, &[("t", 3), ("u", 3)]), ["a: t0 t1 u0 u1", "b: t2 u2"]);
}

#[test]
fn roundrobin_deals_all_partitions_in_turn() {
    let deal = |members: &[GroupMember], partitions: &[(&str, i32)]| shares(Assignor::RoundRobin, members, partitions);
    assert_eq!(deal(&[member("a", &["t"])], &[]), ["a:"]);
    let two = [member("b", &["t", "u"]), member("a", &["t", "u"])];
    assert_eq!(deal(&two, &[("t", 3), ("u", 3)]), ["b: t1 u0 u2", "a: t0 t2 u1"]);
    let mixed = [member("a", &["t"]), member("b", &["t", "u"]), member("c", &["t"])];
    assert_eq!(deal(&mixed, &[("t", 3), ("u", 2)]), ["a: t0", "b: t1 u0 u1", "c: t2"]);
    // A topic that nobody subscribes to is not dealt.
    assert_eq!(deal(&[member("a", &["t"])], &[("s", 4), ("t", 1)]), ["a: t0"]);
    assert_eq!(deal(&[], &[("t", 2)]), Vec::<String>::new());
}

/// KIP-345: static members stand first, by instance id, whatever member id the coordinator gave them this time.
#[test]
fn static_members_keep_their_place() {
    for ids in [["m1", "m2"], ["m9", "m0"]] {
        let members = [static_member(ids[0], "i1", &["t"]), static_member(ids[1], "i2", &["t"]), member("a", &["t"])];
        for (assignor, expected) in
            [(Assignor::Range, ["t0 t1", "t2", "t3"]), (Assignor::RoundRobin, ["t0 t3", "t1", "t2"])]
        {
            let found = shares(assignor, &members, &[("t", 4)]);
            assert_eq!(found, [0, 1, 2].map(|at| format!("{}: {}", members[at].member_id, expected[at])));
        }
    }
}

/// Whatever the group: every partition of a subscribed topic has one owner, who subscribes to it.
#[test]
fn every_partition_has_one_owner_that_subscribes_to_it() {
    let mut random = crate::random::Random::new(5);
    for _ in 0..500 {
        let names = ["a", "b", "c", "d"];
        let partitions: Vec<(&str, i32)> = names.iter().map(|name| (*name, random.below(6) as i32)).collect();
        let members: Vec<GroupMember> = (0..=random.below(5))
            .map(|number| {
                let chosen: Vec<&str> = names.iter().copied().filter(|_| random.below(2) == 0).collect();
                member(&format!("m{}", (number * 7) % 5), &chosen)
            })
            .collect();
        for assignor in [Assignor::Range, Assignor::RoundRobin] {
            let shares = assign(assignor, &members, &counts(&partitions));
            for (topic, count) in &partitions {
                let topic: Arc<str> = Arc::from(*topic);
                let mut owned: Vec<i32> = Vec::new();
                for (member, share) in members.iter().zip(&shares) {
                    let mine = share.get(&topic).cloned().unwrap_or_default();
                    assert!(mine.is_empty() || member.topics.contains(&topic));
                    owned.extend(mine);
                }
                owned.sort_unstable();
                let subscribed = members.iter().any(|member| member.topics.contains(&topic));
                assert_eq!(owned, (0..if subscribed { *count } else { 0 }).collect::<Vec<_>>());
            }
        }
    }
}
