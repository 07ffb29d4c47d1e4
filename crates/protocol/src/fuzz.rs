//! The bodies of the fuzz targets, run by `cargo test` with seeds as well. They look for panics and for values that do
//! not survive the way to bytes and back; allocation is watched by whoever calls them.

#[cfg(test)]
pub(crate) mod allocation;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod seeds;

use crate::api::ApiKey;
use crate::frame::{PREFIX_LEN, frame_length};
use crate::header::{decode_request_header, decode_response_header, encode_request_header, encode_response_header};
use crate::messages::table::MESSAGES;
use crate::primitives::varint::unsigned_varint_len;
use crate::primitives::{DecodeError, EncodeError, Message, Reader, Writer};
use crate::records::varint;

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
    pub(crate) convert: fn(&[u8], i16, i16) -> Written,
}

impl Entry {
    /// Reads the bytes to their end and writes the value again in the same version.
    pub(crate) fn run(&self, bytes: &[u8], version: i16) -> Written {
        (self.convert)(bytes, version, version)
    }
}

/// Why bytes did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// They are no such message.
    Decode(DecodeError),
    /// What was read cannot be written: a defect, for what a version can carry it can also write.
    Encode(EncodeError),
}

/// The bytes that were written, or why not.
type Written = Result<Vec<u8>, Failure>;

/// Reads the bytes of one version to their end and writes the value in another.
pub(crate) fn convert<'a, M: Message<'a>>(bytes: &'a [u8], from: i16, to: i16) -> Written {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, from).map_err(Failure::Decode)?;
    reader.finish().map_err(Failure::Decode)?;
    let mut writer = Writer::with_capacity(bytes.len());
    message.encode(&mut writer, to).map_err(Failure::Encode)?;
    Ok(writer.into_parts().0)
}

/// Bytes from a broker, for the API and version that a client asked with.
pub fn response_decode(key: i16, version: i16, bytes: &[u8]) {
    decode(Direction::Response, key, version, bytes);
}

/// Bytes from a client.
pub fn request_decode(key: i16, version: i16, bytes: &[u8]) {
    decode(Direction::Request, key, version, bytes);
}

fn decode(direction: Direction, key: i16, version: i16, bytes: &[u8]) {
    let Some(key) = ApiKey::from_i16(key) else { return };
    let wanted = |entry: &&Entry| entry.api_key == Some(key) && entry.direction == direction;
    if let Some(entry) = MESSAGES.iter().find(wanted) {
        let result = entry.run(bytes, version);
        assert!(!matches!(result, Err(Failure::Encode(_))), "{} {version}: {result:?}", entry.name);
    }
}

/// The first byte picks one of all messages, the second its version, the rest is the message. What is written after
/// reading it must be read again as the same value.
pub fn roundtrip(bytes: &[u8]) {
    if let [index, version, body @ ..] = bytes {
        let entry = &MESSAGES[usize::from(*index) % MESSAGES.len()];
        let (min, max) = entry.versions;
        roundtrip_of(entry, min + i16::from(*version) % (max - min + 1), body);
    }
}

pub(crate) fn roundtrip_of(entry: &Entry, version: i16, body: &[u8]) {
    match entry.run(body, version) {
        Err(Failure::Decode(_)) => {}
        Err(failure) => panic!("{} {version}: {failure:?}", entry.name),
        // The first writing may differ from `body` (unknown tags are dropped, lengths become as short as can be), but
        // it is the message's one form, so writing once more changes nothing.
        Ok(written) => assert_eq!(entry.run(&written, version).as_ref(), Ok(&written), "{} {version}", entry.name),
    }
}

/// A frame: length, request header or response header.
pub fn header_frame(bytes: &[u8]) {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX_LEN>() else { return };
    let length = frame_length(*prefix, rest.len());
    assert!(length.is_err() || length.is_ok_and(|length| length <= rest.len()));
    let mut reader = Reader::new(rest);
    if let Ok(header) = decode_request_header(&mut reader)
        && let Some(api) = ApiKey::from_i16(header.api_key)
    {
        let mut writer = Writer::new();
        encode_request_header(&mut writer, api, header.api_version, header.correlation_id, header.client_id)
            .expect("a client id that was read is not too long to write");
        let mut again = Reader::new(writer.as_bytes());
        assert_eq!(decode_request_header(&mut again), Ok(header));
        let mut reader = Reader::new(reader.rest());
        if let Ok(correlation_id) = decode_response_header(&mut reader, api, header.api_version) {
            let mut writer = Writer::new();
            encode_response_header(&mut writer, api, header.api_version, correlation_id);
            let mut again = Reader::new(writer.as_bytes());
            assert_eq!(decode_response_header(&mut again, api, header.api_version), Ok(correlation_id));
        }
    }
}

/// Variable-length integers at every place of the bytes, held against the plainest way to read them.
pub fn varint(bytes: &[u8]) {
    for position in 0..bytes.len() {
        let rest = &bytes[position..];
        let mut reader = Reader::new(rest);
        let unsigned = reader.unsigned_varint().ok().map(|value| (u64::from(value), reader.position()));
        assert_eq!(unsigned, plain_varint(rest, 5).filter(|(value, _)| u32::try_from(*value).is_ok()));
        if let Some((value, _)) = unsigned {
            let mut w = Writer::new();
            w.unsigned_varint(value as u32);
            assert_eq!(plain_varint(w.as_bytes(), 5), Some((value, w.len())));
            assert_eq!(unsigned_varint_len(value as u32), w.len());
        }
        let signed = |bits, len| (varint::unzigzag64(bits), position + len);
        let mut after = position;
        let read = varint::read32(bytes, &mut after).ok().map(|value| (value, after));
        assert_eq!(read, unsigned.map(|(bits, len)| signed(bits, len)));
        let mut after = position;
        let read = varint::read64(bytes, &mut after).ok().map(|value| (value, after));
        assert_eq!(read, plain_varint(rest, 10).map(|(bits, len)| signed(bits, len)));
        if let Some((value, _)) = read {
            let mut written = Vec::new();
            varint::append(&mut written, value);
            assert_eq!(plain_varint(&written, 10), Some((varint::zigzag64(value), written.len())));
            assert_eq!(varint::size(value), written.len());
        }
    }
}

/// The value and its bytes; `None` where it does not end, takes more than `most` bytes or more than 64 bits.
fn plain_varint(bytes: &[u8], most: usize) -> Option<(u64, usize)> {
    let mut value = 0_u128;
    for (index, byte) in bytes.iter().take(most).enumerate() {
        value |= u128::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return u64::try_from(value).ok().map(|value| (value, index + 1));
        }
    }
    None
}
