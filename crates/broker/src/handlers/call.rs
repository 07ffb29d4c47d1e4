//! One request on its way through a handler, and what the handler makes of it.

use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::frame::{begin_frame, end_frame};
use ottla_protocol::header::{decode_request_header, encode_response_header};
use ottla_protocol::primitives::{DecodeError, Message, Reader, Split, Writer};

use crate::frame::{Frame, Segment};
use crate::machine::{ConnectionId, Now, RequestId};

/// Why a handler has the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// For the first time.
    First,
    /// It was parked, and someone woke it.
    Woken,
    /// It was parked, and its time is over.
    TimedOut,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: RequestId,
    pub(crate) connection: ConnectionId,
    /// The broker that was asked.
    pub(crate) node: i32,
    /// The time of this attempt.
    pub(crate) now: Now,
    pub(crate) attempt: Attempt,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<Arc<str>>,
    pub(crate) frame: Frame,
    /// Where in the frame the body begins.
    pub(crate) body: usize,
}

/// What a handler gives; an error closes the connection, as malformed requests do in Kafka.
pub(crate) type Handled = Result<Answer, DecodeError>;

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is answered.
    Now(Reply),
    /// It waits: until [`Cluster::wake`](crate::Cluster), or that time of [`Now::mono_us`]; then its handler has it again.
    Parked {
        /// When its time is over.
        until_us: Option<u64>,
    },
    /// It wants no answer (Produce with `acks=0`).
    Nothing,
    /// The connection is closed without an answer.
    Close,
}

/// A whole response: length, header, body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    /// All but what the splits put in. The length stands in bytes 0 to 3, the correlation id in 4 to 7.
    pub(crate) bytes: Vec<u8>,
    splits: Vec<Split>,
    /// Stored batches, by the tag of their split.
    pub(crate) bodies: Vec<Vec<Segment>>,
}

impl Reply {
    /// A reply that is nothing but these bytes, its length included.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// The pieces in the order of the wire.
    pub(crate) fn into_segments(self) -> Vec<Segment> {
        let Self { mut bytes, splits, mut bodies } = self;
        let mut pieces = Vec::with_capacity(1 + 2 * splits.len());
        // From the back, so that each piece is cut off the end.
        for split in splits.iter().rev() {
            let tail = bytes.split_off(split.position.min(bytes.len()));
            if !tail.is_empty() {
                pieces.push(Segment::Bytes(tail));
            }
            pieces.extend(bodies.get_mut(split.tag).map(std::mem::take).unwrap_or_default().into_iter().rev());
        }
        pieces.push(Segment::Bytes(bytes));
        pieces.reverse();
        pieces
    }
}

impl Call {
    /// Reads what stands in front of a request. The API must be known; whether its version is served is not looked at.
    ///
    /// # Errors
    /// Malformed bytes, or an API that nobody knows: `None`.
    pub(crate) fn parse(id: RequestId, connection: ConnectionId, node: i32, now: Now, frame: Frame) -> Option<Self> {
        let mut r = Reader::new(frame.as_slice());
        let header = decode_request_header(&mut r).ok()?;
        let api = ApiKey::from_i16(header.api_key)?;
        let (version, correlation_id) = (header.api_version, header.correlation_id);
        let (client_id, body) = (header.client_id.map(Arc::from), r.position());
        let attempt = Attempt::First;
        Some(Self { id, connection, node, now, attempt, api, version, correlation_id, client_id, frame, body })
    }

    /// Reads the body.
    ///
    /// # Errors
    /// Malformed bytes. What follows the body is not looked at, as in Kafka.
    pub(crate) fn decode<'a, M: Message<'a>>(&'a self) -> Result<M, DecodeError> {
        M::decode(&mut Reader::new(self.frame.as_slice().get(self.body..).unwrap_or_default()), self.version)
    }

    /// The response in the request's version.
    pub(crate) fn reply<'r, M: Message<'r>>(&self, message: &M) -> Answer {
        self.reply_in(message, self.version, Vec::new())
    }

    /// The response in the request's version; `bodies` are the stored batches that its splits name.
    pub(crate) fn reply_with<'r, M: Message<'r>>(&self, message: &M, bodies: Vec<Vec<Segment>>) -> Answer {
        self.reply_in(message, self.version, bodies)
    }

    /// The response in another version than the request's: ApiVersions' alone (KIP-511).
    pub(crate) fn reply_in<'r, M: Message<'r>>(&self, message: &M, version: i16, bodies: Vec<Vec<Segment>>) -> Answer {
        let mut w = Writer::with_capacity(256);
        let start = begin_frame(&mut w);
        encode_response_header(&mut w, self.api, version, self.correlation_id);
        let encoded = message.encode(&mut w, version);
        debug_assert!(encoded.is_ok(), "{encoded:?}");
        if encoded.is_err() || end_frame(&mut w, start).is_err() {
            return Answer::Close;
        }
        let (bytes, splits) = w.into_parts();
        Answer::Now(Reply { bytes, splits, bodies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_batches_go_where_the_splits_say() {
        let slice = |bytes: &[u8]| Segment::Slice { frame: Frame::new(bytes.to_vec()), range: 0..bytes.len() };
        let splits = vec![Split { position: 2, tag: 0 }, Split { position: 3, tag: 1 }, Split { position: 4, tag: 2 }];
        let bodies = vec![vec![slice(b"aa"), slice(b"bb")], Vec::new(), vec![slice(b"cc")]];
        let reply = Reply { bytes: b"1234".to_vec(), splits, bodies };
        let whole: Vec<u8> = reply.into_segments().iter().flat_map(|segment| segment.as_slice().to_vec()).collect();
        assert_eq!(whole, b"12aabb34cc");
    }
}
