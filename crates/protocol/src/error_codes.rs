//! The error codes that brokers answer with: names, and the facts that retrying depends on. What a client does about
//! a code is decided in the machines.

use core::fmt;

mod table;

/// A broker's error code. Codes of later brokers have no name here, but keep their number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ErrorCode(pub i16);

/// What is known of one code.
#[derive(Debug)]
struct Row {
    name: &'static str,
    retriable: bool,
    invalid_metadata: bool,
}

impl ErrorCode {
    /// The highest code that has a name here.
    pub const LAST_KNOWN: Self = Self(table::ROWS.len() as i16 - 2);

    fn row(self) -> Option<&'static Row> {
        // The first row is that of -1.
        usize::try_from(i32::from(self.0) + 1).ok().and_then(|index| table::ROWS.get(index))
    }

    /// Whether this is no error.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// `Ok` where this is no error.
    ///
    /// # Errors
    /// The code itself.
    #[inline]
    pub const fn check(self) -> Result<(), Self> {
        if self.is_none() { Ok(()) } else { Err(self) }
    }

    /// Kafka's name, such as `NOT_LEADER_OR_FOLLOWER`; `UNKNOWN` for a code not known here.
    pub fn name(self) -> &'static str {
        self.row().map_or("UNKNOWN", |row| row.name)
    }

    /// Whether this crate knows the code.
    pub fn is_known(self) -> bool {
        self.row().is_some()
    }

    /// Whether the same request may succeed when sent again (Kafka's `RetriableException`).
    pub fn retriable(self) -> bool {
        self.row().is_some_and(|row| row.retriable)
    }

    /// Whether the client's view of the cluster is out of date, so that a retry needs new metadata first (Kafka's
    /// `InvalidMetadataException`).
    pub fn refreshes_metadata(self) -> bool {
        self.row().is_some_and(|row| row.invalid_metadata)
    }
}

impl From<i16> for ErrorCode {
    fn from(code: i16) -> Self {
        Self(code)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_list_is_there_with_its_facts() {
        let list = include_str!("../definitions/errors.tsv");
        let mut lines = 0;
        for line in list.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let code = ErrorCode(columns[0].parse().unwrap());
            assert_eq!(code.name(), columns[1]);
            assert_eq!(code.retriable(), columns[2] == "yes", "{code}");
            assert_eq!(code.refreshes_metadata(), columns[3] == "yes", "{code}");
            lines += 1;
        }
        assert_eq!((lines, ErrorCode::LAST_KNOWN), (138, ErrorCode(136)));
    }

    #[test]
    fn codes_beyond_the_list_are_neither_known_nor_retriable() {
        for code in [ErrorCode(-2), ErrorCode(137), ErrorCode(i16::MAX), ErrorCode(i16::MIN)] {
            assert!(!code.is_known() && !code.retriable() && !code.refreshes_metadata());
            assert_eq!(code.name(), "UNKNOWN");
        }
    }

    #[test]
    fn constants_have_their_numbers() {
        assert_eq!(ErrorCode::UNKNOWN_SERVER_ERROR, ErrorCode(-1));
        assert_eq!(ErrorCode::NOT_LEADER_OR_FOLLOWER.to_string(), "NOT_LEADER_OR_FOLLOWER (6)");
        assert!(ErrorCode::NONE.is_none());
        assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.refreshes_metadata());
    }
}
