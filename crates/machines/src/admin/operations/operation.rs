//! What the driver needs of every operation.
use super::create_topics::CreateTopics;
use super::delete_topics::DeleteTopics;
use super::verdict::Verdict;
use crate::admin::lookup::Lookup;
use crate::connection::{Network, Response, Tag};
use crate::error::Error;
use crate::machine::{ConnectionId, Now};

/// An operation with what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    CreateTopics(CreateTopics),
    DeleteTopics(DeleteTopics),
}

impl Operation {
    pub fn lookup(&self) -> Lookup {
        match self {
            Operation::CreateTopics(_) | Operation::DeleteTopics(_) => Lookup::Controller,
        }
    }

    /// Sends the request; an error says why it cannot be asked of this broker.
    pub fn send(
        &self,
        now: Now,
        connection: ConnectionId,
        network: &mut Network,
        tag: Tag,
        timeout_us: u64,
    ) -> Result<(), Error> {
        match self {
            Operation::CreateTopics(operation) => operation.send(now, connection, network, tag, timeout_us),
            Operation::DeleteTopics(operation) => operation.send(now, connection, network, tag, timeout_us),
        }
    }

    pub fn judge(&self, response: &Response) -> Verdict {
        match self {
            Operation::CreateTopics(operation) => operation.judge(response),
            Operation::DeleteTopics(operation) => operation.judge(response),
        }
    }
}
