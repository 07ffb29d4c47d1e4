//! Which live node coordinates a group (or a transaction): a hash over the live nodes, the same in every run, until a
//! test moves it. A node's death moves what it coordinated and nothing else.

use std::collections::BTreeMap;

/// What a coordinator coordinates, as FindCoordinator's key type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoordinatorType {
    /// A group (0).
    Group,
    /// A transactional id (1).
    Transaction,
    /// A share-group partition (2).
    Share,
}

impl CoordinatorType {
    /// By FindCoordinator's number.
    pub fn from_key_type(key_type: i8) -> Option<Self> {
        match key_type {
            0 => Some(Self::Group),
            1 => Some(Self::Transaction),
            2 => Some(Self::Share),
            _ => None,
        }
    }
}

/// Where everything is coordinated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placement {
    live: Vec<i32>,
    moved: BTreeMap<String, i32>,
}

impl Placement {
    /// The nodes that run now. What was moved to a node that died goes back to the hash.
    pub(crate) fn set_live(&mut self, live: Vec<i32>) {
        self.moved.retain(|_, node| live.contains(node));
        self.live = live;
    }

    /// Pins a group to a node; false when the node does not run.
    pub(crate) fn move_group(&mut self, group: &str, node: i32) -> bool {
        let lives = self.live.contains(&node);
        if lives {
            self.moved.insert(group.to_owned(), node);
        }
        lives
    }

    /// The node, unless none runs.
    pub(crate) fn node(&self, kind: CoordinatorType, key: &str) -> Option<i32> {
        if let Some(node) = self.moved.get(key).filter(|_| kind == CoordinatorType::Group) {
            return Some(*node);
        }
        self.live.iter().copied().max_by_key(|node| (weight(kind, key, *node), *node))
    }
}

/// FNV-1a over kind, node and key, mixed once more: each key ranks the nodes in its own order.
fn weight(kind: CoordinatorType, key: &str, node: i32) -> u64 {
    let bytes = [kind as u8].into_iter().chain(node.to_be_bytes()).chain(key.bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(placement: &Placement) -> Vec<i32> {
        (0..60).filter_map(|n| placement.node(CoordinatorType::Group, &format!("group-{n}"))).collect()
    }

    #[test]
    fn a_death_moves_only_what_the_dead_node_had() {
        let mut placement = Placement::default();
        assert_eq!(placement.node(CoordinatorType::Group, "g"), None);
        placement.set_live(vec![1, 2, 3]);
        let before = nodes(&placement);
        assert!((1..=3).all(|node| before.iter().filter(|n| **n == node).count() > 8), "{before:?}");
        placement.set_live(vec![1, 3]);
        let during = nodes(&placement);
        assert!(before.iter().zip(&during).all(|(b, d)| *b == 2 || b == d));
        assert!(!during.contains(&2));
        placement.set_live(vec![1, 2, 3]);
        assert_eq!(nodes(&placement), before);
    }

    #[test]
    fn a_moved_group_stays_until_its_node_dies() {
        let mut placement = Placement::default();
        placement.set_live(vec![1, 2, 3]);
        let home = placement.node(CoordinatorType::Group, "g").unwrap();
        let other = home % 3 + 1;
        assert!(placement.move_group("g", other));
        assert!(!placement.move_group("g", 9));
        assert_eq!(placement.node(CoordinatorType::Group, "g"), Some(other));
        placement.set_live((1..=3).filter(|node| *node != other).collect());
        placement.set_live(vec![1, 2, 3]);
        assert_eq!(placement.node(CoordinatorType::Group, "g"), Some(home));
    }
}
