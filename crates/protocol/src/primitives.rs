//! The checked reader, the writer, variable-length integers, ids, and what all generated messages have in common.
//! Only these files index into bytes; the generated messages call them. Framing and headers are next door.
mod errors;
mod message;
mod reader;
mod uuid;
pub mod varint;
mod writer;

pub use errors::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use message::{Message, Records, Request, Response, Struct};
pub use reader::Reader;
pub use uuid::Uuid;
pub use writer::{Split, Writer};

#[cfg(test)]
mod tests;
