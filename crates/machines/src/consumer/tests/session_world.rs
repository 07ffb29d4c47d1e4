//! The fetch sessions that the brokers of a [`World`] keep (KIP-227), as Kafka does.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::fetch::{FetchRequest, FetchResponse};

use super::answers::Answer;
use super::world::{Asked, Question, Wanted, World};

impl World {
    /// Session id of the answer and what is asked for; the code of a Fetch that is refused.
    pub(super) fn fetch_question(&mut self, request: &FetchRequest<'_>, version: i16) -> Result<(i32, Question), i16> {
        let mut partitions = Vec::new();
        for topic in &request.topics {
            let name = self.known(topic.topic, topic.topic_id);
            partitions.extend(topic.partitions.iter().map(|partition| Wanted {
                topic: name,
                partition: partition.partition,
                offset: partition.fetch_offset,
                leader_epoch: partition.current_leader_epoch,
                last_fetched_epoch: partition.last_fetched_epoch,
            }));
        }
        let named: Vec<_> = partitions.iter().map(|one| (one.topic, one.partition)).collect();
        let mut forgotten = Vec::new();
        for topic in &request.forgotten_topics_data {
            let name = self.known(topic.topic, topic.topic_id);
            forgotten.extend(topic.partitions.iter().map(|partition| (name, *partition)));
        }
        let mut id = 0;
        if version < 7 {
            assert_eq!((request.session_id, request.session_epoch), (0, -1));
        } else if let Some(sessions) = &mut self.sessions {
            if request.session_epoch == 0 {
                assert!(forgotten.is_empty(), "a full Fetch has nothing to forget");
                sessions.remove(&request.session_id);
                self.sessions_begun += 1;
                id = self.sessions_begun;
                sessions.insert(id, (1, partitions.clone()));
            } else {
                id = request.session_id;
                let (epoch, session) = sessions.get_mut(&id).ok_or(70_i16)?;
                if *epoch != request.session_epoch {
                    return Err(71);
                }
                *epoch += 1;
                for wanted in partitions {
                    let same = |known: &Wanted| (known.topic, known.partition) == (wanted.topic, wanted.partition);
                    match session.iter().position(same) {
                        Some(at) => session[at] = wanted,
                        None => session.push(wanted),
                    }
                }
                // A topic of before, under an id that no topic has any more, is "?".
                for gone in forgotten.iter().filter(|(topic, _)| *topic != "?") {
                    let before = session.len();
                    session.retain(|known| (known.topic, known.partition) != *gone);
                    assert!(session.len() < before, "{gone:?} is forgotten and was not in the session");
                }
                partitions = session.clone();
            }
        } else {
            assert_eq!(request.session_epoch, 0, "without a session each Fetch asks for all");
        }
        let question = Question::Fetch {
            max_bytes: request.max_bytes,
            isolation_level: request.isolation_level,
            partitions,
            session: (request.session_id, request.session_epoch),
            named,
            forgotten,
            rack: request.rack_id.to_owned(),
        };
        Ok((id, question))
    }

    /// Refuses a Fetch as a whole.
    pub(super) fn refuse_fetch(&mut self, asked: &Asked, error_code: i16) {
        let response = FetchResponse { error_code, ..Default::default() };
        self.respond(asked.connection, ApiKey::Fetch, asked.version, asked.correlation_id, &response);
        self.settle();
    }

    /// What brought records goes to the end of the session.
    pub(super) fn note_served(&mut self, session_id: i32, answers: &[Answer]) {
        let Some((_, session)) = self.sessions.as_mut().and_then(|sessions| sessions.get_mut(&session_id)) else {
            return;
        };
        for answer in answers.iter().filter(|answer| !answer.records.is_empty()) {
            let same = |known: &Wanted| (known.topic, known.partition) == (answer.topic, answer.partition);
            if let Some(at) = session.iter().position(same) {
                let served = session.remove(at);
                session.push(served);
            }
        }
    }

    /// Bytes that the budget counts as held, and its limit.
    pub(super) fn held(&self) -> usize {
        self.fetcher.budget.held()
    }

    pub(super) fn limit(&self) -> usize {
        self.fetcher.budget.limit()
    }

    /// How many batches wait to be taken.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.slots.iter().map(|slot| self.buffer.arena.iter(&slot.queue).count()).sum()
    }
}
