//! What every generated type has in common: structs, whole messages, requests and their responses.

use super::{DecodeError, DecodeErrorKind, EncodeError, Reader, Writer};
use crate::api::ApiKey;

/// A struct of a message: its fields in the order and shape of one version. The version is the whole message's and
/// is checked there, once.
pub trait Struct<'a>: Sized + Default {
    /// Appends the fields that the version has.
    ///
    /// # Errors
    /// A field that the version cannot carry; names the message, the field and the version.
    fn write(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Reads the fields that the version has; the others get their defaults.
    ///
    /// # Errors
    /// Malformed bytes.
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError>;
}

/// A whole message: what stands in a frame after the header, or in a record of Kafka's own.
///
/// ```
/// use ottla_protocol::api::ApiKey;
/// use ottla_protocol::frame::{begin_frame, end_frame};
/// use ottla_protocol::header::encode_request_header;
/// use ottla_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
/// use ottla_protocol::primitives::{Message, Reader, Writer};
///
/// let topic = MetadataRequestTopic { name: Some("orders"), ..Default::default() };
/// let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
/// let (version, correlation_id) = (12, 1);
/// let mut w = Writer::new();
/// let frame = begin_frame(&mut w);
/// encode_request_header(&mut w, ApiKey::Metadata, version, correlation_id, Some("client"))?;
/// let body = w.len();
/// request.encode(&mut w, version)?;
/// end_frame(&mut w, frame)?;
///
/// let (bytes, _) = w.into_parts();
/// assert_eq!(MetadataRequest::decode(&mut Reader::new(&bytes[body..]), version)?, request);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Message<'a>: Struct<'a> {
    /// Kafka's name, such as `FetchRequest`.
    const NAME: &'static str;
    /// The lowest version that can be written and read.
    const MIN_VERSION: i16;
    /// The highest version that can be written and read.
    const MAX_VERSION: i16;

    /// Appends the message in the version.
    ///
    /// # Errors
    /// No such version, or a field that the version cannot carry. The writer then holds half a message: drop it.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin_message(Self::NAME, version, Self::MIN_VERSION, Self::MAX_VERSION)?;
        self.write(w, version)
    }

    /// Reads the message in the version. What follows it stays in the reader.
    ///
    /// # Errors
    /// No such version, or malformed bytes.
    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        if version < Self::MIN_VERSION || version > Self::MAX_VERSION {
            return Err(r.error(DecodeErrorKind::UnsupportedVersion));
        }
        Self::read(r, version)
    }
}

/// A request of an API.
pub trait Request {
    /// The API.
    const API_KEY: ApiKey;
    /// What the broker answers with.
    type Response<'r>: Message<'r>;
}

/// A response of an API.
pub trait Response {
    /// The API.
    const API_KEY: ApiKey;
}

/// The record batches of one partition in a Fetch response or a Produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records<'a> {
    /// The bytes themselves. Decoding gives these, cut off wherever the broker's size limit fell.
    Bytes(&'a [u8]),
    /// Bytes that the connection sends from elsewhere, so that they are never copied into the request: the writer
    /// counts them in the lengths, writes `header` and notes a [`Split`](super::Split) for the body.
    External {
        /// What is written in place, in front of the body (the batch header).
        header: &'a [u8],
        /// Bytes of the body.
        body_len: usize,
        /// Names the body; comes back in the split.
        tag: usize,
    },
}

impl Records<'_> {
    /// Bytes on the wire, without the length in front.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::External { header, body_len, .. } => header.len() + body_len,
        }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a [u8]> for Records<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}
