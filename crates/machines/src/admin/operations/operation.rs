//! What the driver needs of every operation.
use super::create_topics::CreateTopics;
use super::delete_topics::DeleteTopics;
use crate::admin::lookup::Lookup;
use crate::client::Reply;
use crate::connection::{Network, Response, Tag};
use crate::error::Error;
use crate::machine::{ConnectionId, Now};

/// An operation with what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    CreateTopics(CreateTopics),
    DeleteTopics(DeleteTopics),
}

/// What a response means for its operation.
#[derive(Debug)]
pub enum Verdict {
    Done(Reply),
    /// Ask again after a back-off; `refresh` when the look-up was wrong. The error ends it when its time is over.
    Again {
        refresh: bool,
        error: Error,
    },
    Failed(Error),
    /// The response cannot be read: the connection is not to be trusted (E19).
    Unreadable(String),
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
