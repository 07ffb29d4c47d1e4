//! The one type for passwords, keys and tokens: it is never shown, and its memory is overwritten when it goes (E22).
//! Who may use a secret, and for what, is left to the connection's handshake.

/// A secret text. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes `text` over; its own memory becomes the secret's, so that no copy stays behind.
    pub fn new(text: String) -> Self {
        // A String with spare room would be reallocated by `into_boxed_slice` and leave its first copy behind unwiped.
        let mut bytes = text.into_bytes();
        let kept: Box<[u8]> = bytes.as_slice().into();
        wipe(&mut bytes);
        Self(kept)
    }

    /// The content, for the one place that needs it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites `bytes` with zeros. `black_box` makes the compiler assume that they are read afterwards, so the writes stay.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing_of_itself() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.expose(), b"hunter2");
    }

    #[test]
    fn wiping_leaves_zeros() {
        let mut bytes = *b"hunter2";
        wipe(&mut bytes);
        assert_eq!(bytes, [0; 7]);
    }
}
