//! What can be wrong with bytes to read, and with a value to write in one version.

use core::fmt;

/// Bytes that are not the message they should be. A connection that sends such bytes is not to be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Where reading stopped, in bytes from the start of what the reader was given.
    pub offset: u32,
    /// What was wrong there.
    pub kind: DecodeErrorKind,
}

/// What was wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The bytes, or the tagged field, end before the value does.
    UnexpectedEnd,
    /// A length below -1.
    InvalidLength,
    /// Null where this version does not allow it.
    UnexpectedNull,
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// A variable-length integer that does not end, or does not fit its type.
    InvalidVarint,
    /// An array with more elements than the remaining bytes can hold.
    CountTooLarge,
    /// The frame asks for more memory than its size allows.
    BudgetExceeded,
    /// The message has no such version.
    UnsupportedVersion,
    /// Bytes after the end of the message.
    TrailingBytes,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnexpectedEnd => "the bytes end before the value does",
            Self::InvalidLength => "a length is negative",
            Self::UnexpectedNull => "null where the version does not allow it",
            Self::InvalidUtf8 => "a string is not UTF-8",
            Self::InvalidVarint => "a variable-length integer is too long",
            Self::CountTooLarge => "an array claims more elements than its bytes can hold",
            Self::BudgetExceeded => "the frame asks for more memory than its size allows",
            Self::UnsupportedVersion => "the message has no such version",
            Self::TrailingBytes => "bytes follow the end of the message",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message at byte {}: {}", self.offset, self.kind)
    }
}

impl core::error::Error for DecodeError {}

/// A value that cannot be written in the version asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// Kafka's name of the message.
    pub message: &'static str,
    /// Kafka's name of the field; empty where the message as a whole is meant.
    pub field: &'static str,
    /// The version asked for.
    pub version: i16,
    /// What was wrong.
    pub kind: EncodeErrorKind,
}

/// What was wrong with a value to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeErrorKind {
    /// The field is set, but the version has no such field and it may not be dropped silently.
    AbsentInVersion,
    /// The field is `None`, but the version has no null there.
    NullNotAllowed,
    /// A string longer than 32,767 bytes, or bytes or an array longer than 2,147,483,647.
    TooLong,
    /// The message has no such version.
    UnsupportedVersion,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, field, version, kind } = self;
        match kind {
            EncodeErrorKind::AbsentInVersion => {
                write!(f, "{message} version {version} has no field {field}, but it is set")
            }
            EncodeErrorKind::NullNotAllowed => write!(f, "{message} version {version}: {field} must not be null"),
            EncodeErrorKind::TooLong => write!(f, "{message} version {version}: {field} is too long"),
            EncodeErrorKind::UnsupportedVersion => write!(f, "{message} has no version {version}"),
        }
    }
}

impl core::error::Error for EncodeError {}
