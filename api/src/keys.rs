//! API keys: `mr_` and 43 characters of base64url that hold 32 random bytes.
//!
//! Only the SHA-256 of the whole key is ever stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

pub const PREFIX: &str = "mr_";

/// Characters of a key.
pub const LEN: usize = PREFIX.len() + 43;

/// The key for random bytes; it is shown once and never stored.
pub fn generate(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// SHA-256 of a key.
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// SHA-256 of a key in hexadecimal, as the events of an organisation carry it.
pub fn hash_hex(key: &str) -> String {
    hex(&hash(key))
}

/// SHA-256 of anything, in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes).into())
}

pub(crate) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the text has the form of a key. What has not is refused without a look-up.
pub fn well_formed(text: &str) -> bool {
    text.len() == LEN
        && text
            .strip_prefix(PREFIX)
            .is_some_and(|body| URL_SAFE_NO_PAD.decode(body).is_ok_and(|bytes| bytes.len() == 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_well_formed_and_its_hash_is_that_of_its_text() {
        let key = generate([7; 32]);
        assert_eq!(key, "mr_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
        assert!(well_formed(&key));
        assert_eq!(
            hash_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_is_not_a_key_is_recognised() {
        for bad in ["", "mr_", "mr_short", &"x".repeat(LEN), &format!("mr_{}", "=".repeat(43))] {
            assert!(!well_formed(bad), "{bad} was taken for a key");
        }
    }
}
