//! Requests to values; replies to values and back.

use ottla_protocol::header::decode_response_header;
use ottla_protocol::primitives::{Message, Reader};

use crate::frame::Frame;
use crate::handlers::{Answer, Call, Reply};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) frame: Frame,
    /// Where in it the body begins.
    pub(crate) body: usize,
}

impl Asked {
    pub(crate) fn of(call: &Call) -> Self {
        Self { frame: call.frame.clone(), body: call.body }
    }
}

/// The bytes of a whole reply, stored batches copied in.
pub(crate) fn flat(reply: Reply) -> Vec<u8> {
    reply.into_segments().iter().flat_map(|segment| segment.as_slice().iter().copied()).collect()
}

/// The body of a reply as a value; `None` when it is not in the request's version.
pub(crate) fn response<'a, R: Message<'a>>(call: &Call, bytes: &'a [u8]) -> Option<R> {
    let mut r = Reader::new(bytes.get(4..)?);
    decode_response_header(&mut r, call.api, call.version).ok()?;
    R::decode(&mut r, call.version).ok()
}

/// The body of the request as it came.
pub(crate) fn request<'a, Q: Message<'a>>(call: &Call, asked: &'a Asked) -> Option<Q> {
    Q::decode(&mut Reader::new(asked.frame.as_slice().get(asked.body..)?), call.version).ok()
}

/// Changes the reply, or an empty one.
pub(crate) fn recode<'a, Q: Message<'a>, R: Message<'a>>(
    call: &Call,
    asked: &'a Asked,
    reply: Option<&'a [u8]>,
    change: impl FnOnce(Q, &mut R),
) -> Option<Answer> {
    let request = request(call, asked)?;
    let mut changed = match reply {
        Some(bytes) => response(call, bytes)?,
        None => R::default(),
    };
    change(request, &mut changed);
    Some(call.reply(&changed))
}

/// Puts `part` in place of the one with its number, or at the end.
pub(crate) fn put<P>(parts: &mut Vec<P>, number: impl Fn(&P) -> i32, part: P) {
    match parts.iter_mut().find(|other| number(other) == number(&part)) {
        Some(other) => *other = part,
        None => parts.push(part),
    }
}

/// The entry that is the `same`, made where there is none.
pub(crate) fn entry<T>(entries: &mut Vec<T>, same: impl Fn(&T) -> bool, new: T) -> Option<&mut T> {
    if !entries.iter().any(&same) {
        entries.push(new);
    }
    entries.iter_mut().find(|entry| same(entry))
}
