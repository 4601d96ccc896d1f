//! API keys: `mr_` and 43 characters of base64url that hold 32 random bytes.
//!
//! Only the SHA-256 of the whole key is ever stored.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sha2::{Digest, Sha256};

pub const PREFIX: &str = "mr_";

/// Characters of a key.
pub const LEN: usize = PREFIX.len() + 43;

/// What stands before the 32 bytes of an Ed25519 key in DER form (RFC 8410, section 4).
const DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key is the public half of an Ed25519 key, in PEM form or as base64")]
pub struct SigningKeyForm;

/// The public half of the key that the requests of a key are to be signed with, in base64url, as events
/// carry it.
pub fn signing_key(text: &str) -> Result<String, SigningKeyForm> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let text: String = lines.collect();
    let bytes = STANDARD.decode(&text).or_else(|_| URL_SAFE_NO_PAD.decode(&text));
    let bytes = bytes.map_err(|_| SigningKeyForm)?;
    let raw = bytes.strip_prefix(&DER).unwrap_or(&bytes);
    if raw.len() == 32 { Ok(URL_SAFE_NO_PAD.encode(raw)) } else { Err(SigningKeyForm) }
}

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
    fn every_form_of_a_signing_key_is_the_same_key() {
        let expected = URL_SAFE_NO_PAD.encode([7; 32]);
        let der = STANDARD.encode([&DER[..], &[7; 32]].concat());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
        for form in [&expected, &STANDARD.encode([7; 32]), &der, &pem] {
            assert_eq!(signing_key(form).as_ref(), Ok(&expected), "{form}");
        }
        for bad in ["", "nonsense!", &STANDARD.encode([7; 31]), &STANDARD.encode([7; 44])] {
            assert_eq!(signing_key(bad), Err(SigningKeyForm), "{bad}");
        }
    }

    #[test]
    fn what_is_not_a_key_is_recognised() {
        for bad in ["", "mr_", "mr_short", &"x".repeat(LEN), &format!("mr_{}", "=".repeat(43))] {
            assert!(!well_formed(bad), "{bad} was taken for a key");
        }
    }
}
