//! One member of a classic group: what it offers, what it was given, what it waits for.

use super::reply::Ticket;
use ottla_protocol::messages::join_group::JoinGroupRequestProtocol;
use std::sync::Arc;

/// A protocol that a member offers, with its metadata for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) name: Arc<str>,
    pub(crate) metadata: Arc<[u8]>,
}

/// A member that has joined.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) offered: Vec<Offered>,
    pub(crate) assignment: Arc<[u8]>,
    /// Its first join is not answered yet: it may expire although it waits, since it knows no id to come back with.
    pub(crate) is_new: bool,
    pub(crate) awaiting_join: Option<Ticket>,
    pub(crate) awaiting_sync: Option<Ticket>,
    /// When it counts as dead, in microseconds of the machine's time.
    pub(crate) session_ends: Option<u64>,
}

impl Member {
    /// Whether it offers exactly these, in this order (Kafka's `ClassicGroupMember.matches`).
    pub(crate) fn matches(&self, protocols: &[JoinGroupRequestProtocol<'_>]) -> bool {
        self.offered.len() == protocols.len()
            && self.offered.iter().zip(protocols).all(|(a, b)| *a.name == *b.name && *a.metadata == *b.metadata)
    }

    /// Whether it offers the protocol.
    pub(crate) fn supports(&self, name: &str) -> bool {
        self.offered.iter().any(|offered| &*offered.name == name)
    }

    /// Its metadata for a protocol, empty where it does not offer it.
    pub(crate) fn metadata(&self, name: &str) -> Arc<[u8]> {
        let found = self.offered.iter().find(|offered| &*offered.name == name);
        found.map_or_else(|| Arc::from([]), |offered| offered.metadata.clone())
    }

    /// Members that wait for a rebalance need no heartbeats, but for new ones.
    pub(crate) fn is_excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}

/// Copies what a JoinGroup offers.
pub(crate) fn offered(protocols: &[JoinGroupRequestProtocol<'_>]) -> Vec<Offered> {
    protocols
        .iter()
        .map(|protocol| Offered { name: protocol.name.into(), metadata: protocol.metadata.into() })
        .collect()
}
