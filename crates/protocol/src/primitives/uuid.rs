//! Kafka's 128 bit ids (topics, directories, members) and their text form.

use core::fmt;

/// A 128 bit id. Its text is Kafka's: base64 with the URL alphabet, without padding, 22 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// No id: what Kafka sends where a broker knows none.
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    #[inline]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Reads Kafka's text form; `None` unless it is exactly 22 characters of the URL alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 22 {
            return None;
        }
        let mut bytes = [0_u8; 16];
        let (mut bits, mut held, mut filled) = (0_u32, 0_u32, bytes.iter_mut());
        for character in text {
            let value = ALPHABET.iter().position(|known| known == character)?;
            bits = (bits << 6) | u32::try_from(value).ok()?;
            held += 6;
            if held >= 8 {
                held -= 8;
                *filled.next()? = (bits >> held) as u8;
            }
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for group in self.0.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - group.len()));
            for digit in 0..=group.len() {
                let index = (bits >> (18 - 6 * digit)) & 63;
                f.write_char(char::from(ALPHABET[index as usize]))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kafkas() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        // Kafka's `Uuid(0L, 1L)`, the id of the metadata topic.
        let metadata_topic = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(metadata_topic.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
    }

    #[test]
    fn text_reads_back_and_wrong_text_does_not() {
        let id = Uuid([1, 2, 3, 250, 251, 252, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        for wrong in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(Uuid::parse(wrong), None, "{wrong}");
        }
    }
}
