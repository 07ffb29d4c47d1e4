//! A fetch session (KIP-227): what a broker remembers of what it is asked for, so that a Fetch names only what changed.
//!
//! ```text
//!        full, epoch 0          answered with an id
//! None ----------------> asked ---------------------> Open (epoch 1, 2, ...): incremental
//!   ^                      |                            |
//!   +---- id 0: none ------+                            |
//!   +---- an error, a lost answer, another connection --+   (the next full Fetch closes it by its id)
//! ```
//!
//! Partitions are named here by their slots; what the broker was told of each stands with the partition.
use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_protocol::messages::fetch::ForgottenTopic;
use ottla_protocol::primitives::Uuid;

use crate::machine::ConnectionId;

/// The epoch of a Fetch that begins a session.
const FULL: i32 = 0;

/// A partition that the broker is to forget.
pub(crate) type Forgotten = (Arc<str>, Uuid, i32);

/// What one broker is asked for.
#[derive(Debug, Default)]
pub(crate) struct FetchSession {
    /// The broker's name for the session, 0 for none.
    id: i32,
    /// Of the next request; 0 asks for all and begins anew.
    epoch: i32,
    connection: Option<ConnectionId>,
    /// Slots that are read from this broker.
    pub(crate) wanted: BTreeSet<usize>,
    /// Those of them of which the session does not know what is wanted now.
    pub(crate) changed: BTreeSet<usize>,
    forgotten: BTreeSet<Forgotten>,
    /// The tag of the Fetch that is under way.
    pub(crate) in_flight: Option<u64>,
}

impl FetchSession {
    /// The id and epoch of the next request on this connection: a session belongs to one connection here.
    pub(crate) fn next(&mut self, connection: ConnectionId) -> (i32, i32) {
        if self.connection.replace(connection) != Some(connection) {
            self.epoch = FULL;
        }
        (self.id, self.epoch)
    }

    /// Whether the next request names all that is wanted.
    pub(crate) fn is_full(&self) -> bool {
        self.epoch == FULL
    }

    /// A slot is read from this broker from now on; `known`: its session has it just so.
    pub(crate) fn enter(&mut self, slot: usize, known: bool) {
        self.wanted.insert(slot);
        if !known {
            self.changed.insert(slot);
        }
    }

    /// A slot is not read from this broker any more; `known` names it if its session has it.
    pub(crate) fn leave(&mut self, slot: usize, known: Option<Forgotten>) {
        self.wanted.remove(&slot);
        self.changed.remove(&slot);
        self.forgotten.extend(known);
    }

    /// What is to be forgotten, without what is asked for anew: a broker forgets last.
    pub(crate) fn forget(&mut self, asked: impl Iterator<Item = Forgotten>) -> Vec<Forgotten> {
        for key in asked {
            self.forgotten.remove(&key);
        }
        let forgotten = std::mem::take(&mut self.forgotten);
        if self.is_full() { Vec::new() } else { forgotten.into_iter().collect() }
    }

    /// The answer to the last request names the session, 0 where the broker keeps none.
    pub(crate) fn answered(&mut self, session_id: i32) {
        if session_id == 0 || (self.epoch != FULL && session_id != self.id) {
            return self.reset();
        }
        self.id = session_id;
        self.epoch = self.epoch.checked_add(1).unwrap_or(FULL + 1);
    }

    /// The next request asks for all. It names the id that it had, so that the broker closes what it may still keep.
    pub(crate) fn reset(&mut self) {
        self.epoch = FULL;
    }

    /// The broker does not know the session.
    pub(crate) fn unknown(&mut self) {
        self.id = 0;
        self.epoch = FULL;
    }
}

/// Partitions by their topics, as a request has them; `ids`: topics are named by their ids alone.
pub(crate) fn forgotten_topics(forgotten: &[Forgotten], ids: bool) -> Vec<ForgottenTopic<'_>> {
    let mut topics: Vec<ForgottenTopic<'_>> = Vec::new();
    let mut last = None;
    for (name, id, partition) in forgotten {
        if last == Some((name, id))
            && let Some(topic) = topics.last_mut()
        {
            topic.partitions.push(*partition);
            continue;
        }
        last = Some((name, id));
        let (topic, topic_id) = if ids { ("", *id) } else { (&**name, Uuid::ZERO) };
        topics.push(ForgottenTopic { topic, topic_id, partitions: vec![*partition] });
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionId = ConnectionId(1);

    fn key(partition: i32) -> Forgotten {
        ("t".into(), Uuid([1; 16]), partition)
    }

    #[test]
    fn epochs_count_from_the_first_answer_and_skip_zero_when_they_wrap() {
        let mut session = FetchSession::default();
        assert_eq!(session.next(ONE), (0, 0));
        session.answered(77);
        assert_eq!(session.next(ONE), (77, 1));
        session.answered(77);
        assert_eq!(session.next(ONE), (77, 2));
        session.epoch = i32::MAX;
        session.answered(77);
        assert_eq!(session.next(ONE), (77, 1));
    }

    #[test]
    fn a_broker_without_sessions_is_asked_for_all_each_time() {
        let mut session = FetchSession::default();
        for _ in 0..3 {
            assert_eq!(session.next(ONE), (0, 0));
            session.answered(0);
        }
    }

    #[test]
    fn an_error_another_id_and_another_connection_begin_anew() {
        let mut session = FetchSession::default();
        session.next(ONE);
        session.answered(77);
        session.reset();
        assert_eq!(session.next(ONE), (77, 0), "the old one is closed");
        session.answered(78);
        session.answered(79);
        assert_eq!(session.next(ONE), (78, 0));
        session.answered(80);
        assert_eq!(session.next(ConnectionId(2)), (80, 0));
        session.unknown();
        assert_eq!(session.next(ConnectionId(2)), (0, 0));
    }

    #[test]
    fn what_left_is_forgotten_unless_it_came_back_or_all_is_asked_for() {
        let mut session = FetchSession::default();
        session.next(ONE);
        session.answered(77);
        session.enter(0, false);
        session.enter(1, true);
        assert!(session.changed.contains(&0) && !session.changed.contains(&1));
        session.leave(0, Some(key(0)));
        session.leave(1, Some(key(1)));
        session.leave(2, None);
        assert_eq!(session.forget(std::iter::once(key(1))), [key(0)]);
        assert_eq!(session.forget(std::iter::empty()), []);
        session.leave(0, Some(key(0)));
        session.reset();
        assert_eq!(session.forget(std::iter::empty()), []);
        let topics = [key(0), key(3), ("u".into(), Uuid([2; 16]), 5)];
        let named = forgotten_topics(&topics, true);
        assert_eq!(
            named.iter().map(|one| (one.topic, one.partitions.clone())).collect::<Vec<_>>(),
            [("", vec![0, 3]), ("", vec![5])]
        );
        assert_eq!(forgotten_topics(&topics, false)[1].topic, "u");
    }
}
