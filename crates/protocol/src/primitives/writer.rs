//! The one place that messages are written to: lengths, counts and strings in both encodings, tagged fields, and the
//! places where a connection puts in record batches that never pass through here.

use super::varint::{put_unsigned_varint, unsigned_varint_len};
use super::{EncodeError, EncodeErrorKind, Records, Uuid};

/// A place in what was written where bytes from elsewhere go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// The bytes go in front of this position of the writer's bytes.
    pub position: usize,
    /// Which bytes: the `tag` of [`Records::External`].
    pub tag: usize,
}

/// Collects a message as bytes, and the splits where bytes from elsewhere go.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    splits: Vec<Split>,
    /// Bytes that the splits add.
    external: usize,
    message: &'static str,
    version: i16,
}

type Encoded = Result<(), EncodeError>;

/// The longest string, in either encoding.
const MAX_STRING: usize = i16::MAX as usize;
/// The longest bytes and arrays, in either encoding.
const MAX_LENGTH: usize = i32::MAX as usize;

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// A writer that uses the memory of `bytes`, whose contents are dropped.
    pub fn reusing(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, ..Self::default() }
    }

    /// The bytes so far, without those of splits.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes so far, with those of splits: what will be sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.external
    }

    /// Whether nothing was written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, and where others go between them, in ascending order of position.
    pub fn into_parts(self) -> (Vec<u8>, Vec<Split>) {
        (self.bytes, self.splits)
    }

    /// Names the message for errors, and checks its version.
    pub(super) fn begin_message(&mut self, message: &'static str, version: i16, min: i16, max: i16) -> Encoded {
        (self.message, self.version) = (message, version);
        if version < min || version > max {
            return Err(self.error("", EncodeErrorKind::UnsupportedVersion));
        }
        Ok(())
    }

    #[cold]
    fn error(&self, field: &'static str, kind: EncodeErrorKind) -> EncodeError {
        EncodeError { message: self.message, field, version: self.version, kind }
    }

    /// For a field that the version does not have and that may not be dropped: an error unless it has its default.
    ///
    /// # Errors
    /// As said.
    #[inline]
    pub fn absent(&self, is_default: bool, field: &'static str) -> Encoded {
        if is_default { Ok(()) } else { Err(self.error(field, EncodeErrorKind::AbsentInVersion)) }
    }

    /// Bytes as they are, without a length.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Overwrites four bytes at `position`, once written as a place-holder; beyond the end it does nothing.
    pub fn patch_i32(&mut self, position: usize, value: i32) {
        if let Some(place) = self.bytes.get_mut(position..).and_then(<[u8]>::first_chunk_mut) {
            *place = value.to_be_bytes();
        }
    }

    /// One byte, signed.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// One byte: 1 for true.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.i8(i8::from(value));
    }

    /// Two bytes, signed.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Two bytes.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes, signed.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes, floating.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_be_bytes());
    }

    /// Sixteen bytes of id.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    /// A variable-length integer.
    #[inline]
    pub fn unsigned_varint(&mut self, value: u32) {
        put_unsigned_varint(&mut self.bytes, value);
    }

    /// A length in four bytes, or compact (one more than it, so that null is zero). -1 is null.
    fn length(&mut self, compact: bool, length: Option<usize>, nullable: bool, field: &'static str) -> Encoded {
        let length = match length {
            None if !nullable => return Err(self.error(field, EncodeErrorKind::NullNotAllowed)),
            None => -1,
            Some(length) if length > MAX_LENGTH => return Err(self.error(field, EncodeErrorKind::TooLong)),
            Some(length) => length as i32,
        };
        if compact {
            self.unsigned_varint(length.cast_unsigned().wrapping_add(1));
        } else {
            self.i32(length);
        }
        Ok(())
    }

    /// A string. `nullable`: whether this version allows null.
    ///
    /// # Errors
    /// Null where it is not allowed, or longer than 32,767 bytes.
    pub fn nullable_string(
        &mut self,
        compact: bool,
        nullable: bool,
        value: Option<&str>,
        field: &'static str,
    ) -> Encoded {
        if value.is_some_and(|text| text.len() > MAX_STRING) {
            return Err(self.error(field, EncodeErrorKind::TooLong));
        }
        if compact {
            self.length(true, value.map(str::len), nullable, field)?;
        } else if value.is_none() && !nullable {
            return Err(self.error(field, EncodeErrorKind::NullNotAllowed));
        } else {
            self.i16(value.map_or(-1, |text| text.len() as i16));
        }
        self.raw(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// A string that is never null.
    ///
    /// # Errors
    /// Longer than 32,767 bytes.
    pub fn string(&mut self, compact: bool, value: &str, field: &'static str) -> Encoded {
        self.nullable_string(compact, false, Some(value), field)
    }

    /// Bytes. `nullable`: whether this version allows null.
    ///
    /// # Errors
    /// Null where it is not allowed, or too long for the length to say.
    pub fn nullable_bytes(
        &mut self,
        compact: bool,
        nullable: bool,
        value: Option<&[u8]>,
        field: &'static str,
    ) -> Encoded {
        self.length(compact, value.map(<[u8]>::len), nullable, field)?;
        self.raw(value.unwrap_or_default());
        Ok(())
    }

    /// Bytes that are never null.
    ///
    /// # Errors
    /// Too long for the length to say.
    pub fn bytes(&mut self, compact: bool, value: &[u8], field: &'static str) -> Encoded {
        self.nullable_bytes(compact, false, Some(value), field)
    }

    /// Record batches: in place, or as a split.
    ///
    /// # Errors
    /// Null where it is not allowed, or too long for the length to say.
    pub fn records(
        &mut self,
        compact: bool,
        nullable: bool,
        value: Option<Records<'_>>,
        field: &'static str,
    ) -> Encoded {
        self.length(compact, value.as_ref().map(Records::len), nullable, field)?;
        match value {
            None => {}
            Some(Records::Bytes(bytes)) => self.raw(bytes),
            Some(Records::External { header, body_len, tag }) => {
                self.raw(header);
                self.splits.push(Split { position: self.bytes.len(), tag });
                self.external += body_len;
            }
        }
        Ok(())
    }

    /// The count of an array whose elements follow. `None` is null; `nullable`: whether this version allows it.
    ///
    /// # Errors
    /// Null where it is not allowed, or too many for the count to say.
    pub fn nullable_array(
        &mut self,
        compact: bool,
        nullable: bool,
        count: Option<usize>,
        field: &'static str,
    ) -> Encoded {
        self.length(compact, count, nullable, field)
    }

    /// The count of an array that is never null.
    ///
    /// # Errors
    /// Too many for the count to say.
    pub fn array(&mut self, compact: bool, count: usize, field: &'static str) -> Encoded {
        self.length(compact, Some(count), false, field)
    }

    /// Whether a struct that may be null follows, where the version allows null.
    ///
    /// # Errors
    /// Null where it is not allowed.
    pub fn nullable_struct(&mut self, nullable: bool, present: bool, field: &'static str) -> Encoded {
        if nullable {
            self.i8(if present { 1 } else { -1 });
        } else if !present {
            return Err(self.error(field, EncodeErrorKind::NullNotAllowed));
        }
        Ok(())
    }

    /// One tagged field: its tag, its length and what `field` writes.
    ///
    /// # Errors
    /// What `field` returns.
    pub fn tagged(&mut self, tag: u32, field: impl FnOnce(&mut Self) -> Encoded) -> Encoded {
        self.unsigned_varint(tag);
        let start = self.bytes.len();
        field(self)?;
        let end = self.bytes.len();
        // Record batches never stand in a tagged field, so the bytes alone are its length.
        let length = (end - start) as u32;
        self.unsigned_varint(length);
        // The length was appended; it belongs in front.
        if let Some(written) = self.bytes.get_mut(start..) {
            written.rotate_right(unsigned_varint_len(length));
        }
        Ok(())
    }
}
