//! Zigzag varints of records: at most 5 bytes for 32 bits, 10 for 64, low groups of seven bits first.
//!
//! Encoding has one branch, at two bytes, and none on whether it is one or two: lengths of records vary about there, and
//! the processor could not predict them. Decoding tests one byte, then two, then takes eight bytes at once.

use super::error::RecordsError;

/// Folds the sign into bit 0, so that small negatives are short.
#[inline]
pub const fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// See [`zigzag32`].
#[inline]
pub const fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Undoes [`zigzag64`].
#[inline]
pub const fn unzigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Bytes that `value`, already folded, takes: 1 to 10.
#[inline]
pub const fn unsigned_size(value: u64) -> usize {
    if value < 1 << 14 {
        return 1 + (value >= 0x80) as usize;
    }
    // ceil(bits / 7) by a multiplication; exact for 1 to 64 bits.
    ((63 - (value | 1).leading_zeros() as usize) * 9 + 73) / 64
}

/// Bytes that `value` takes: 1 to 10.
#[inline]
pub const fn size(value: i64) -> usize {
    unsigned_size(zigzag64(value))
}

/// Encodes `value`, already folded, at `dst[position..]`; returns the position behind it. Up to three bytes behind the
/// varint may be overwritten, as far as `dst` has them.
///
/// # Panics
/// When `dst` is shorter than the varint needs.
#[inline]
pub fn write_unsigned(dst: &mut [u8], position: usize, value: u64) -> usize {
    if value < 1 << 28
        && let Some(room) = dst.get_mut(position..).and_then(|rest| rest.first_chunk_mut::<4>())
    {
        return position + write_short(room, value as u32);
    }
    write_unsigned_slow(dst, position, value)
}

/// Encodes a value below 2^28 into the first of four bytes; returns how many it took. Below 2^14 (fields up to 8 KiB,
/// offset deltas to 8,191, time deltas to 8 s) without a branch on the size, above by spreading all four groups.
#[inline(always)]
pub(crate) fn write_short(room: &mut [u8; 4], value: u32) -> usize {
    if value < 1 << 14 {
        let two = u32::from(value >= 0x80);
        let word = (value & 0x7f) | two << 7 | (value >> 7) << 8;
        [room[0], room[1]] = (word as u16).to_le_bytes();
        return 1 + two as usize;
    }
    let groups = (value & 0x7f) | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2 | (value & 0xfe0_0000) << 3;
    let four = u32::from(value >= 1 << 21);
    *room = (groups | 0x8080 | four << 23).to_le_bytes();
    3 + four as usize
}

fn write_unsigned_slow(dst: &mut [u8], mut position: usize, mut value: u64) -> usize {
    while value >= 0x80 {
        dst[position] = value as u8 | 0x80;
        value >>= 7;
        position += 1;
    }
    dst[position] = value as u8;
    position + 1
}

/// Encodes `value` at `dst[position..]`; returns the position behind it. See [`write_unsigned`].
///
/// # Panics
/// When `dst` is shorter than the varint needs.
#[inline]
pub fn write(dst: &mut [u8], position: usize, value: i64) -> usize {
    write_unsigned(dst, position, zigzag64(value))
}

/// Appends `value` to `dst`.
pub fn append(dst: &mut Vec<u8>, value: i64) {
    let mut bytes = [0; 10];
    let length = write(&mut bytes, 0, value);
    dst.extend_from_slice(&bytes[..length]);
}

/// Reads a varint of at most 32 bits at `position` and moves it behind. Returned as i64 for lengths' sake.
///
/// # Errors
/// [`RecordsError::Truncated`] or [`RecordsError::BadVarint`]; `position` then stays.
#[inline]
pub fn read32(data: &[u8], position: &mut usize) -> Result<i64, RecordsError> {
    let start = *position;
    if let Some(&[first, second]) = data.get(start..).and_then(|rest| rest.first_chunk::<2>()) {
        if first < 0x80 {
            *position = start + 1;
            return Ok(unzigzag64(u64::from(first)));
        }
        if second < 0x80 {
            *position = start + 2;
            return Ok(unzigzag64(u64::from(first & 0x7f) | u64::from(second) << 7));
        }
    }
    let value = read_unsigned_slow(data, position, 5)?;
    if value > u64::from(u32::MAX) {
        *position = start;
        return Err(RecordsError::BadVarint { position: start });
    }
    Ok(unzigzag64(value))
}

/// Reads a varint of at most 64 bits at `position` and moves it behind.
///
/// # Errors
/// [`RecordsError::Truncated`] or [`RecordsError::BadVarint`]; `position` then stays.
#[inline]
pub fn read64(data: &[u8], position: &mut usize) -> Result<i64, RecordsError> {
    let start = *position;
    if let Some(&first) = data.get(start)
        && first < 0x80
    {
        *position = start + 1;
        return Ok(unzigzag64(u64::from(first)));
    }
    if let Some(&bytes) = data.get(start..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(bytes);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends != 0 {
            let last = ends.trailing_zeros();
            *position = start + (last as usize >> 3) + 1;
            // `last` is the bit of the final byte's stop bit: keep it and what is below.
            return Ok(unzigzag64(gather(word & (u64::MAX >> (63 - last)))));
        }
    }
    Ok(unzigzag64(read_unsigned_slow(data, position, 10)?))
}

/// Joins eight groups of seven bits.
#[inline]
const fn gather(word: u64) -> u64 {
    let word = word & 0x7f7f_7f7f_7f7f_7f7f;
    let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
    (word & 0x0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4
}

#[cold]
#[inline(never)]
fn read_unsigned_slow(data: &[u8], position: &mut usize, most: usize) -> Result<u64, RecordsError> {
    let start = *position;
    let mut value = 0u64;
    for index in 0..most {
        let byte = *data.get(start + index).ok_or(RecordsError::Truncated { position: start + index })?;
        let bits = u64::from(byte & 0x7f);
        if index == 9 && bits > 1 {
            break;
        }
        value |= bits << (7 * index);
        if byte < 0x80 {
            *position = start + index + 1;
            return Ok(value);
        }
    }
    Err(RecordsError::BadVarint { position: start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, a byte at a time.
    fn plain(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn check(value: i64, room: usize) {
        let expected = plain(zigzag64(value));
        assert_eq!(size(value), expected.len(), "size of {value}");
        let mut bytes = vec![0xee; expected.len() + room];
        assert_eq!(write(&mut bytes, 0, value), expected.len());
        assert_eq!(&bytes[..expected.len()], expected, "bytes of {value} with {room} to spare");
        let mut position = 0;
        assert_eq!(read64(&bytes, &mut position), Ok(value));
        assert_eq!(position, expected.len());
        let mut position = 0;
        if i32::try_from(value).is_ok() {
            assert_eq!(read32(&bytes, &mut position), Ok(value));
            assert_eq!(position, expected.len());
        } else {
            assert_eq!(read32(&bytes, &mut position), Err(RecordsError::BadVarint { position: 0 }), "{value}");
            assert_eq!(position, 0);
        }
        for cut in 0..expected.len() {
            let mut position = 0;
            assert_eq!(read64(&expected[..cut], &mut position), Err(RecordsError::Truncated { position: cut }));
        }
    }

    #[test]
    fn edges_of_every_size() {
        for bit in 0..64 {
            for near in [-2i64, -1, 0, 1, 2] {
                let value = (1i64.wrapping_shl(bit)).wrapping_add(near);
                for room in [0, 1, 3, 4, 7, 8] {
                    check(value, room);
                    check(value.wrapping_neg(), room);
                }
            }
        }
        check(i64::MIN, 0);
        check(i64::MAX, 9);
    }

    #[test]
    fn too_long_is_an_error() {
        for length in [5, 8, 10, 11, 20] {
            let bytes = vec![0xff; length];
            let mut position = 0;
            let expected = if length < 10 {
                RecordsError::Truncated { position: length }
            } else {
                RecordsError::BadVarint { position: 0 }
            };
            assert_eq!(read64(&bytes, &mut position), Err(expected));
            assert_eq!(read32(&bytes, &mut position), Err(RecordsError::BadVarint { position: 0 }));
            assert_eq!(position, 0);
        }
        // Ten bytes, but bit 64 is set; five bytes, but bit 32 is set.
        let mut bytes = [0x80; 10];
        bytes[9] = 2;
        assert_eq!(read64(&bytes, &mut 0), Err(RecordsError::BadVarint { position: 0 }));
        assert_eq!(read32(&[0x80, 0x80, 0x80, 0x80, 0x10], &mut 0), Err(RecordsError::BadVarint { position: 0 }));
        // Padded with zero groups is legal, as in Java.
        assert_eq!(read32(&[0x82, 0x80, 0x00], &mut 0), Ok(1));
    }

    proptest! {
        #[test]
        fn any_value(value: i64, shift in 0u32..64, room in 0usize..12) {
            check(value >> shift, room);
        }
    }
}
