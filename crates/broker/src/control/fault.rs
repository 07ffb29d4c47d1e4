//! What a test can make go wrong: which requests, when, and how. When one takes hold is `armed`'s, how it is done is
//! `hooks`' and `impose`'s.

use std::fmt;

use ottla_protocol::api::ApiKey;

/// Which requests a fault is for: all that every given field matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Requests of this API.
    pub api: Option<ApiKey>,
    /// Requests to this broker.
    pub node: Option<i32>,
    /// Requests of clients that call themselves that.
    pub client_id: Option<String>,
    /// Requests that name this topic, by name or id.
    pub topic: Option<String>,
    /// Requests that name this partition, of the topic if one is given.
    pub partition: Option<i32>,
    /// Requests that name this group; FindCoordinator's that ask for it.
    pub group: Option<String>,
    /// Requests that name this member id or group instance id.
    pub member: Option<String>,
    /// Requests that name this transactional id.
    pub transactional_id: Option<String>,
}

impl Select {
    /// Requests of one API.
    pub fn api(api: ApiKey) -> Self {
        Self { api: Some(api), ..Self::default() }
    }
}

/// Which of the selected requests it takes hold of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// The first.
    Once,
    /// The one with this number, from 1.
    Nth(u64),
    /// The first so many.
    Times(u64),
    /// Each of this number: the second, the fourth, ... for 2.
    Every(u64),
    /// Each with this probability, 0 to 1, drawn from the cluster's seed.
    Probability(f64),
    /// All, until it is disarmed.
    Always,
}

/// Where in a response an error stands. Where an API or a version has no such place it stands at the nearest: an error
/// for the whole of a Produce at all its partitions, one for a partition of a CreateTopics at the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The whole response, or the whole group where there are several.
    Top,
    /// The selected topics, with all their partitions.
    Topic,
    /// The selected partitions.
    Partition,
    /// The selected members (LeaveGroup).
    Member,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// What is selected is refused with this code and not applied; the rest of the request is served.
    Error {
        /// Kafka's error code.
        code: i16,
        /// Where it stands.
        level: Level,
    },
    /// As [`Error`](Self::Error), but everything was applied: a lie, as a coordinator or leader tells that dies at the
    /// wrong moment.
    ErrorAfter {
        /// Kafka's error code.
        code: i16,
        /// Where it stands.
        level: Level,
    },
    /// The request is handled so many milliseconds later; those behind it on its connection wait.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is closed; nothing was applied.
    DropBefore,
    /// Applied, then the connection is closed without an answer.
    DropAfter,
    /// Neither applied nor answered, and nothing behind it is; the connection stays open.
    NeverAnswer,
    /// Fetch: a bit of the first batch of a selected partition is wrong.
    CorruptCrc,
    /// Metadata: the leader of the first selected partition is not among the brokers of the answer.
    UnlistedLeader,
    /// The answer carries another correlation id.
    WrongCorrelationId,
    /// Half of the answer is sent, then the connection is closed.
    PartialFrame,
}

/// A fault to arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which requests.
    pub select: Select,
    /// Which of them.
    pub when: When,
    /// What becomes of them.
    pub action: Action,
}

/// An armed fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub u64);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} of ", self.action, self.when)?;
        let Select { api, node, client_id, topic, partition, group, member, transactional_id } = &self.select;
        match api {
            Some(api) => write!(f, "{api:?}")?,
            None => f.write_str("any request")?,
        }
        let numbers = [("node", node), ("partition", partition)];
        let words = [
            ("client", client_id),
            ("topic", topic),
            ("group", group),
            ("member", member),
            ("transactional id", transactional_id),
        ];
        for (what, number) in numbers.iter().filter_map(|(what, number)| Some((what, number.as_ref()?))) {
            write!(f, ", {what} {number}")?;
        }
        for (what, word) in words.iter().filter_map(|(what, word)| Some((what, word.as_ref()?))) {
            write!(f, ", {what} {word}")?;
        }
        Ok(())
    }
}
