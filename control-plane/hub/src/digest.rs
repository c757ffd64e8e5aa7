//! Digests: SHA-256.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The digest of some bytes.
pub(crate) fn of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digest of some bytes as people read it, in lower-case hexadecimal digits.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in of(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_by_its_digest() {
        assert_eq!(shown(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
