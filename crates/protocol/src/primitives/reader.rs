//! The one place that reads from bytes: every length, count and string is checked here, nothing panics, and what a
//! frame may make us allocate is bounded by its size. What the fields mean is the caller's.

use super::varint::MAX_VARINT_LEN;
use super::{DecodeError, DecodeErrorKind, Records, Uuid};

/// Bytes of memory that one byte of a frame may stand for. An element of an array takes at most 22 times as much in
/// memory as the fewest bytes it can have on the wire (the golden frames know), so no honest frame reaches this.
const BUDGET_PER_BYTE: usize = 32;
/// What a frame may allocate whatever its size.
const BUDGET_BASE: usize = 4096;

/// The longest string, in either encoding; Kafka refuses longer ones too.
const MAX_STRING: usize = i16::MAX as usize;

type Decoded<T> = Result<T, DecodeError>;

/// Reads values from the front of a frame. Strings and bytes are borrowed from it.
///
/// Only what takes a few instructions is marked `inline`: with all of it marked, a debug build of the messages took
/// nearly twice as long, and a release build read a fetch response no faster.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Where `rest` ends, in bytes from the start of the frame.
    end: usize,
    budget: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the whole of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        let budget = bytes.len().saturating_mul(BUDGET_PER_BYTE).saturating_add(BUDGET_BASE);
        Self { rest: bytes, end: bytes.len(), budget }
    }

    /// Bytes not yet read (within a tagged field: of that field).
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Bytes read so far, from the start of the frame.
    #[inline]
    pub fn position(&self) -> usize {
        self.end - self.rest.len()
    }

    /// The bytes not yet read, which stay unread.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// An error at the place reached.
    #[cold]
    pub fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { offset: u32::try_from(self.position()).unwrap_or(u32::MAX), kind }
    }

    /// Checks that all was read.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn finish(&self) -> Decoded<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingBytes)) }
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    #[inline]
    pub fn take(&mut self, len: usize) -> Decoded<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.error(DecodeErrorKind::UnexpectedEnd)),
        }
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.error(DecodeErrorKind::UnexpectedEnd)),
        }
    }

    /// One byte, signed.
    #[inline]
    pub fn i8(&mut self) -> Decoded<i8> {
        self.fixed().map(i8::from_be_bytes)
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Decoded<u8> {
        self.fixed().map(u8::from_be_bytes)
    }

    /// A byte that is zero for false.
    #[inline]
    pub fn bool(&mut self) -> Decoded<bool> {
        self.u8().map(|byte| byte != 0)
    }

    /// Two bytes, signed.
    #[inline]
    pub fn i16(&mut self) -> Decoded<i16> {
        self.fixed().map(i16::from_be_bytes)
    }

    /// Two bytes.
    #[inline]
    pub fn u16(&mut self) -> Decoded<u16> {
        self.fixed().map(u16::from_be_bytes)
    }

    /// Four bytes, signed.
    #[inline]
    pub fn i32(&mut self) -> Decoded<i32> {
        self.fixed().map(i32::from_be_bytes)
    }

    /// Four bytes.
    #[inline]
    pub fn u32(&mut self) -> Decoded<u32> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn i64(&mut self) -> Decoded<i64> {
        self.fixed().map(i64::from_be_bytes)
    }

    /// Eight bytes, floating.
    #[inline]
    pub fn f64(&mut self) -> Decoded<f64> {
        self.fixed().map(f64::from_be_bytes)
    }

    /// Sixteen bytes of id.
    #[inline]
    pub fn uuid(&mut self) -> Decoded<Uuid> {
        self.fixed().map(Uuid)
    }

    /// A variable-length integer of at most 32 bits.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Decoded<u32> {
        // Lengths and tag counts below 128 are nearly all there are.
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(u32::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Decoded<u32> {
        let mut value = 0_u64;
        for index in 0..MAX_VARINT_LEN {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| self.error(DecodeErrorKind::InvalidVarint));
            }
        }
        Err(self.error(DecodeErrorKind::InvalidVarint))
    }

    /// A length in four bytes, or compact (one more than it, so that null is zero).
    fn length(&mut self, compact: bool, nullable: bool) -> Decoded<Option<usize>> {
        let length = if compact { i64::from(self.unsigned_varint()?) - 1 } else { i64::from(self.i32()?) };
        self.checked_length(length, nullable)
    }

    fn checked_length(&self, length: i64, nullable: bool) -> Decoded<Option<usize>> {
        match length {
            -1 if nullable => Ok(None),
            -1 => Err(self.error(DecodeErrorKind::UnexpectedNull)),
            _ => usize::try_from(length).map(Some).map_err(|_| self.error(DecodeErrorKind::InvalidLength)),
        }
    }

    /// A string. `nullable`: whether this version allows null.
    ///
    /// # Errors
    /// It is too long, not UTF-8, or null where null is not allowed.
    pub fn nullable_string(&mut self, compact: bool, nullable: bool) -> Decoded<Option<&'a str>> {
        let length = if compact { i64::from(self.unsigned_varint()?) - 1 } else { i64::from(self.i16()?) };
        let Some(length) = self.checked_length(length, nullable)? else { return Ok(None) };
        if length > MAX_STRING {
            return Err(self.error(DecodeErrorKind::InvalidLength));
        }
        let bytes = self.take(length)?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.error(DecodeErrorKind::InvalidUtf8)),
        }
    }

    /// A string that is never null.
    ///
    /// # Errors
    /// It is too long, not UTF-8, or null.
    pub fn string(&mut self, compact: bool) -> Decoded<&'a str> {
        self.nullable_string(compact, false).map(Option::unwrap_or_default)
    }

    /// Bytes. `nullable`: whether this version allows null.
    ///
    /// # Errors
    /// They are too long, or null where null is not allowed.
    pub fn nullable_bytes(&mut self, compact: bool, nullable: bool) -> Decoded<Option<&'a [u8]>> {
        match self.length(compact, nullable)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// Bytes that are never null.
    ///
    /// # Errors
    /// They are too long, or null.
    pub fn bytes(&mut self, compact: bool) -> Decoded<&'a [u8]> {
        self.nullable_bytes(compact, false).map(Option::unwrap_or_default)
    }

    /// Record batches, unparsed.
    ///
    /// # Errors
    /// They are too long, or null where null is not allowed.
    pub fn records(&mut self, compact: bool, nullable: bool) -> Decoded<Option<Records<'a>>> {
        self.nullable_bytes(compact, nullable).map(|bytes| bytes.map(Records::Bytes))
    }

    /// An array. `least` is the fewest bytes that an element takes on the wire: a count that the remaining bytes
    /// cannot hold is an error before anything is allocated. `nullable`: whether this version allows null.
    ///
    /// # Errors
    /// As said, or an element is malformed.
    pub fn nullable_array<T>(
        &mut self,
        compact: bool,
        nullable: bool,
        least: usize,
        mut element: impl FnMut(&mut Self) -> Decoded<T>,
    ) -> Decoded<Option<Vec<T>>> {
        let Some(count) = self.length(compact, nullable)? else { return Ok(None) };
        self.charge(count, least, size_of::<T>())?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// An array that is never null; see [`nullable_array`](Self::nullable_array).
    ///
    /// # Errors
    /// As there.
    pub fn array<T>(
        &mut self,
        compact: bool,
        least: usize,
        element: impl FnMut(&mut Self) -> Decoded<T>,
    ) -> Decoded<Vec<T>> {
        self.nullable_array(compact, false, least, element).map(Option::unwrap_or_default)
    }

    /// Takes the memory of `count` elements from the frame's budget.
    fn charge(&mut self, count: usize, least: usize, in_memory: usize) -> Decoded<()> {
        if count.checked_mul(least.max(1)).is_none_or(|needed| needed > self.rest.len()) {
            return Err(self.error(DecodeErrorKind::CountTooLarge));
        }
        match count.checked_mul(in_memory).and_then(|cost| self.budget.checked_sub(cost)) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(self.error(DecodeErrorKind::BudgetExceeded)),
        }
    }

    /// A struct that may be null, where the version allows null: a byte below zero says so.
    ///
    /// # Errors
    /// The struct is malformed.
    pub fn nullable_struct<T>(
        &mut self,
        nullable: bool,
        element: impl FnOnce(&mut Self) -> Decoded<T>,
    ) -> Decoded<Option<T>> {
        if nullable && self.i8()? < 0 {
            return Ok(None);
        }
        element(self).map(Some)
    }

    /// The tagged fields at the end of a struct. `known` is given each tag and reads its field, or returns false for
    /// a tag that it does not know, which is then skipped. Reading past the field's length is an error; what a field
    /// leaves unread of it is skipped (a later version may have added to it).
    ///
    /// # Errors
    /// A malformed field.
    pub fn tags(&mut self, mut known: impl FnMut(&mut Self, u32) -> Decoded<bool>) -> Decoded<()> {
        let count = self.unsigned_varint()?;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let length = self.unsigned_varint()? as usize;
            let Some((field, after)) = self.rest.split_at_checked(length) else {
                return Err(self.error(DecodeErrorKind::UnexpectedEnd));
            };
            let end = self.end;
            (self.rest, self.end) = (field, end - after.len());
            known(self, tag)?;
            (self.rest, self.end) = (after, end);
        }
        Ok(())
    }

    /// Skips the tagged fields of a struct that knows none.
    ///
    /// # Errors
    /// A field is longer than what is left.
    #[inline]
    pub fn skip_tags(&mut self) -> Decoded<()> {
        match self.rest.split_first() {
            // No tagged fields: nearly always.
            Some((0, rest)) => {
                self.rest = rest;
                Ok(())
            }
            _ => self.tags(|_, _| Ok(false)),
        }
    }
}
