//! The states of a classic group and which may follow which (KIP-62, Kafka's `ClassicGroupState`). When a group changes
//! state is decided in `group`.

/// Where a classic group is between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// No members; offsets may be left, and members may have an id but not have joined yet (KIP-394).
    Empty,
    /// Members are asked to join again; those who have wait for the others.
    PreparingRebalance,
    /// All know the new generation; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member may have its assignment.
    Stable,
    /// Deleted, or gone to another coordinator.
    Dead,
}

impl GroupState {
    /// All of them, in the order of a group's life.
    pub const ALL: [Self; 5] =
        [Self::Empty, Self::PreparingRebalance, Self::CompletingRebalance, Self::Stable, Self::Dead];

    /// Kafka's name, as DescribeGroups and ListGroups give it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }

    /// Whether a group in this state may go to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::Empty => self == Self::PreparingRebalance,
            Self::PreparingRebalance => matches!(self, Self::Stable | Self::CompletingRebalance | Self::Empty),
            Self::CompletingRebalance => self == Self::PreparingRebalance,
            Self::Stable => self == Self::CompletingRebalance,
            Self::Dead => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transitions_are_kafkas() {
        let table: Vec<String> = GroupState::ALL
            .iter()
            .map(|from| {
                let next: Vec<_> =
                    GroupState::ALL.iter().filter(|to| from.may_become(**to)).map(|to| to.name()).collect();
                format!("{} -> {}", from.name(), next.join(", "))
            })
            .collect();
        assert_eq!(
            table,
            [
                "Empty -> PreparingRebalance, Dead",
                "PreparingRebalance -> Empty, CompletingRebalance, Dead",
                "CompletingRebalance -> PreparingRebalance, Stable, Dead",
                "Stable -> PreparingRebalance, Dead",
                "Dead -> Dead",
            ]
        );
    }
}
