//! `roundrobin`: all partitions, by topic and number, are dealt to the members in turn; who does not subscribe to a topic is
//! passed over.
use std::collections::BTreeMap;

use super::member::{GroupMember, PartitionCounts, Shares, in_order};

pub(super) fn assign(members: &[GroupMember], counts: &PartitionCounts) -> Shares {
    let mut shares: Shares = vec![BTreeMap::new(); members.len()];
    let order = in_order(members);
    let mut turn = 0;
    for (topic, &count) in counts {
        if !members.iter().any(|member| member.subscribes_to(topic)) {
            continue;
        }
        for partition in 0..count {
            while !members[order[turn % order.len()]].subscribes_to(topic) {
                turn += 1;
            }
            shares[order[turn % order.len()]].entry(topic.clone()).or_default().push(partition);
            turn += 1;
        }
    }
    shares
}
