//! What the driver does after a response.
use crate::client::Reply;
use crate::error::Error;

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
