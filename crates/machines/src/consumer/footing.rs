//! As what a client commits: as a member, as none, or not at any price. Which member it is, the membership knows.
use ottla_protocol::error_codes::ErrorCode;

use crate::error::{Error, Kind};

/// See the module.
///
/// ```text
///        subscribed              joined            lost              unsubscribed
/// Alone ------------> Newcomer --------> Member --------> Disowned ----------------> Former
///   ^                    |                | | ^              |                       | ^
///   +---- unsubscribed --+------- left ---+ | +---- joined --+-------- joined -------+ |
///                                           +-------- lost, being unsubscribed --------+
/// ```
/// Whoever is fenced (KIP-345) is so for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Footing {
    /// It subscribes to nothing: commits are made as no member at all.
    #[default]
    Alone,
    /// It subscribes and has not joined yet.
    Newcomer,
    Member,
    /// It subscribes, and what it had as a member is another's by now.
    Disowned,
    /// It was disowned, and has unsubscribed before or since: as in the original it is a stranger to its group until it joins
    /// again, and is told so by every commit that fails.
    Former,
    /// Another client took its place.
    Fenced,
}

impl Footing {
    /// The footing given what is so now: whether there is a subscription, whether this client is a member, whether the
    /// application holds partitions: who leaves in order has let go of them first.
    pub(crate) fn next(self, subscribed: bool, member: bool, holds: bool) -> Self {
        match (self, subscribed) {
            (Self::Fenced, _) => Self::Fenced,
            _ if member => Self::Member,
            (Self::Member | Self::Disowned | Self::Former, true) => Self::Disowned,
            (Self::Disowned | Self::Former, false) => Self::Former,
            (Self::Member, false) if holds => Self::Former,
            (Self::Alone | Self::Newcomer, true) => Self::Newcomer,
            (Self::Alone | Self::Newcomer | Self::Member, false) => Self::Alone,
        }
    }

    /// Whether nothing is committed unasked: there is nothing, or what there is is another's and will be told as lost.
    pub(crate) fn withholds(self) -> bool {
        matches!(self, Self::Newcomer | Self::Disowned | Self::Fenced)
    }

    /// Why a commit that was made as no member fails: made in nobody's name, or in the next member's, it would put an
    /// older offset behind a newer one.
    pub(crate) fn refusal(self) -> Option<Error> {
        match self {
            Self::Alone | Self::Newcomer | Self::Member => None,
            Self::Disowned | Self::Former => Some(Error::broker(ErrorCode::UNKNOWN_MEMBER_ID.0)),
            Self::Fenced => Some(Error::new(Kind::Fatal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Footing;

    /// Every footing under every input.
    #[test]
    fn the_table_of_transitions_is_as_kept() {
        let footings =
            [Footing::Alone, Footing::Newcomer, Footing::Member, Footing::Disowned, Footing::Former, Footing::Fenced];
        let mut table = String::new();
        for footing in footings {
            for given in 0..8 {
                let (subscribed, member, holds) = (given & 1 > 0, given & 2 > 0, given & 4 > 0);
                let words = [(subscribed, "subscribed"), (member, "member"), (holds, "holds")];
                let words: Vec<_> = words.iter().filter(|(given, _)| *given).map(|(_, word)| *word).collect();
                let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
                table.push_str(&format!("{footing:?} --{words}--> {:?}\n", footing.next(subscribed, member, holds)));
            }
        }
        assert_eq!(table, include_str!("footing.transitions.txt"));
    }
}
