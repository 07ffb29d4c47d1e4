//! Variable-length integers: how many bytes one takes, and writing it. Reading is the reader's, which owns the bounds.

/// The most bytes a 32 bit variable-length integer takes.
pub const MAX_VARINT_LEN: usize = 5;
/// The most bytes a 64 bit variable-length integer takes.
pub const MAX_VARLONG_LEN: usize = 10;

/// Maps a signed number to an unsigned one so that small magnitudes stay short (zigzag).
#[inline]
pub const fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// The inverse of [`zigzag`].
#[inline]
pub const fn unzigzag(value: u32) -> i32 {
    ((value >> 1) as i32) ^ -((value & 1) as i32)
}

/// Maps a signed 64 bit number to an unsigned one (zigzag).
#[inline]
pub const fn zigzag_long(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag_long`].
#[inline]
pub const fn unzigzag_long(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// Bytes of an unsigned variable-length integer: 1 to 10.
#[inline]
pub const fn unsigned_varlong_len(value: u64) -> usize {
    // Seven bits a byte; zero takes one byte as well.
    (63 - (value | 1).leading_zeros() as usize) / 7 + 1
}

/// Bytes of an unsigned variable-length integer: 1 to 5.
#[inline]
pub const fn unsigned_varint_len(value: u32) -> usize {
    unsigned_varlong_len(value as u64)
}

/// Bytes of a zigzag variable-length integer: 1 to 5.
#[inline]
pub const fn varint_len(value: i32) -> usize {
    unsigned_varlong_len(zigzag(value) as u64)
}

/// Bytes of a zigzag variable-length 64 bit integer: 1 to 10.
#[inline]
pub const fn varlong_len(value: i64) -> usize {
    unsigned_varlong_len(zigzag_long(value))
}

/// Appends an unsigned variable-length integer, seven bits a byte, lowest first.
#[inline]
pub fn put_unsigned_varlong(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends an unsigned variable-length 32 bit integer.
#[inline]
pub fn put_unsigned_varint(bytes: &mut Vec<u8>, value: u32) {
    put_unsigned_varlong(bytes, u64::from(value));
}

/// Appends a zigzag variable-length integer.
#[inline]
pub fn put_varint(bytes: &mut Vec<u8>, value: i32) {
    put_unsigned_varlong(bytes, u64::from(zigzag(value)));
}

/// Appends a zigzag variable-length 64 bit integer.
#[inline]
pub fn put_varlong(bytes: &mut Vec<u8>, value: i64) {
    put_unsigned_varlong(bytes, zigzag_long(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_agree_with_what_is_written() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, (1_u64 << shift) | 1] {
                let mut bytes = Vec::new();
                put_unsigned_varlong(&mut bytes, value);
                assert_eq!(bytes.len(), unsigned_varlong_len(value), "{value}");
            }
        }
        let mut bytes = Vec::new();
        put_varlong(&mut bytes, i64::MIN);
        assert_eq!(bytes.len(), MAX_VARLONG_LEN);
        bytes.clear();
        put_varint(&mut bytes, i32::MIN);
        assert_eq!(bytes.len(), MAX_VARINT_LEN);
    }

    #[test]
    fn zigzag_is_its_own_inverse_at_the_borders() {
        for value in [0, 1, -1, i32::MAX, i32::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        for value in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag_long(zigzag_long(value)), value);
        }
        assert_eq!((zigzag(-1), zigzag(1), zigzag(-2)), (1, 2, 3));
    }
}
