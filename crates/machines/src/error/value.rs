//! An error as it travels from a machine to the application: the kind, what happened in words, and whether the client ends with it.
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{BrokerError, Kind};

/// The result of an operation of the client.
pub type Result<T> = std::result::Result<T, Error>;

/// An error with its context. Cheap to clone: one error can end many records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The cause.
    pub kind: Kind,
    /// What happened and what to check; `None` shows the kind's description.
    pub text: Option<Arc<str>>,
    /// The client cannot go on after it: later calls fail with the same error.
    pub fatal: bool,
}

impl Error {
    /// An error without a text of its own, fatal where the kind always is.
    pub fn new(kind: Kind) -> Self {
        Self { kind, text: None, fatal: kind.librdkafka().fatal }
    }

    /// An error that says what happened and what to check.
    pub fn with_text(kind: Kind, text: impl Into<Arc<str>>) -> Self {
        Self { text: Some(text.into()), ..Self::new(kind) }
    }

    /// What a broker answered. A code of 0 is no error; it is kept as given so that nothing is lost.
    pub fn broker(code: i16) -> Self {
        Self::new(Kind::Broker(BrokerError(code)))
    }

    /// The same error as one that ends the client.
    pub fn into_fatal(self) -> Self {
        Self { fatal: true, ..self }
    }

    /// The code that the confluent face shows.
    pub fn code(&self) -> i32 {
        self.kind.librdkafka().code
    }

    /// The text, or the kind's description where there is none.
    pub fn message(&self) -> Cow<'_, str> {
        match &self.text {
            Some(text) => Cow::Borrowed(text),
            None => self.kind.description(),
        }
    }

    /// Whether the same call, made again later and unchanged, may succeed.
    pub fn is_retriable(&self) -> bool {
        !self.fatal && self.kind.is_retriable()
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.name(), self.message())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_its_text_or_else_the_description() {
        assert_eq!(Error::new(Kind::Transport).to_string(), "_TRANSPORT: Local: Broker transport failure");
        let error = Error::with_text(Kind::Transport, "localhost:1: refused");
        assert_eq!((error.message().as_ref(), error.code()), ("localhost:1: refused", -195));
        assert_eq!(Error::broker(3).message(), "Broker: Unknown topic or partition");
    }

    #[test]
    fn a_fatal_error_is_never_retriable() {
        assert!(Error::new(Kind::Transport).is_retriable());
        assert!(!Error::new(Kind::Transport).into_fatal().is_retriable());
        assert!(Error::new(Kind::Fatal).fatal);
    }
}
