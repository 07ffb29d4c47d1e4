//! Unsigned variable-length integers of lengths and tags: how many bytes one takes, and writing it. Reading is the
//! reader's, which owns the bounds; the signed ones of records are `records::varint`'s.

/// The most bytes that a 32 bit variable-length integer takes.
pub const MAX_VARINT_LEN: usize = 5;

/// Bytes of an unsigned variable-length integer: 1 to 5.
#[inline]
pub const fn unsigned_varint_len(value: u32) -> usize {
    // Seven bits a byte; zero takes one byte as well.
    (31 - (value | 1).leading_zeros() as usize) / 7 + 1
}

/// Appends an unsigned variable-length integer, seven bits a byte, lowest first.
#[inline]
pub fn put_unsigned_varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_agree_with_what_is_written() {
        for shift in 0..32 {
            for value in [1_u32 << shift, (1_u32 << shift) - 1, (1_u32 << shift) | 1, u32::MAX >> shift] {
                let mut bytes = Vec::new();
                put_unsigned_varint(&mut bytes, value);
                assert_eq!(bytes.len(), unsigned_varint_len(value), "{value}");
                assert!(bytes.len() <= MAX_VARINT_LEN);
            }
        }
    }
}
