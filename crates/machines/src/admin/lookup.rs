//! Which broker an operation is for.
use crate::connection::Network;
use crate::machine::{ConnectionId, Lane, Now};
use crate::metadata::Metadata;

/// Where an operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The controller, as metadata names it (under KRaft: a broker that forwards to it, KIP-590).
    Controller,
}

impl Lookup {
    /// A ready connection to it; begins to connect, or asks for metadata, when there is none.
    pub fn connection(self, now: Now, network: &mut Network, metadata: &mut Metadata) -> Option<ConnectionId> {
        match self {
            // With one that is not among the brokers there is nobody to connect to: the next answer may name another.
            Lookup::Controller => match metadata.controller.filter(|node| network.endpoint(*node).is_some()) {
                Some(node) => network.ready(now, node, Lane::General),
                None => {
                    metadata.request_update(now);
                    None
                }
            },
        }
    }
}
