//! `range`: topic by topic, each member that subscribes to it gets neighbouring partitions; the first ones get one more where
//! they do not divide. Members stand in the same order for every topic, so topics with as many partitions and the same
//! subscribers are shared out alike (they are co-partitioned).
//!
//! Racks (KIP-881) are not looked at: a leader without them gives what Java's client gives where racks do not matter.
use std::collections::BTreeMap;

use super::member::{GroupMember, PartitionCounts, Shares, in_order};

pub(super) fn assign(members: &[GroupMember], counts: &PartitionCounts) -> Shares {
    let mut shares: Shares = vec![BTreeMap::new(); members.len()];
    let order = in_order(members);
    for (topic, &count) in counts {
        let subscribers: Vec<usize> = order.iter().copied().filter(|&at| members[at].subscribes_to(topic)).collect();
        let Ok(number) = i32::try_from(subscribers.len()) else { continue };
        if number == 0 || count <= 0 {
            continue;
        }
        let (each, more) = (count / number, count % number);
        let mut next = 0;
        for (place, at) in (0..).zip(subscribers) {
            let end = next + each + i32::from(place < more);
            if next < end {
                shares[at].insert(topic.clone(), (next..end).collect());
            }
            next = end;
        }
    }
    shares
}
