//! The bodies of the fuzz targets, run by `cargo test` with seeds as well. They look for panics and for values that do
//! not survive the way to bytes and back; allocation is watched by whoever calls them.

#[cfg(test)]
mod golden;

use crate::api::ApiKey;
use crate::primitives::{DecodeError, EncodeError, Message, Reader, Writer};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    Request,
    /// From the broker.
    Response,
    /// A header, or inside of records.
    Other,
}

/// One message of the table of all.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) api_key: Option<ApiKey>,
    pub(crate) direction: Direction,
    pub(crate) versions: (i16, i16),
    pub(crate) run: fn(&[u8], i16) -> Result<Vec<u8>, Failure>,
}

/// Why bytes did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// They are no such message.
    Decode(DecodeError),
    /// What was read cannot be written: a defect, for what a version can carry it can also write.
    Encode(EncodeError),
}

/// Reads the bytes to their end and writes the value again.
pub(crate) fn exercise<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) -> Result<Vec<u8>, Failure> {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version).map_err(Failure::Decode)?;
    reader.finish().map_err(Failure::Decode)?;
    let mut writer = Writer::with_capacity(bytes.len());
    message.encode(&mut writer, version).map_err(Failure::Encode)?;
    Ok(writer.into_parts().0)
}
