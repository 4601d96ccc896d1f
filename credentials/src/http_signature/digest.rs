use ring::digest::{Algorithm, SHA256, SHA512, digest};
use sfv::ListEntry;
use subtle::ConstantTimeEq;

use super::{SignatureError, parse::dictionary};

/// Checks a body against the field `Content-Digest`: every digest of a known kind must be its own, and
/// there must be one.
pub fn check_content_digest(field: &str, body: &[u8]) -> Result<(), SignatureError> {
    let mut known = 0;
    for (name, entry) in &dictionary("Content-Digest", field)? {
        let algorithm: &Algorithm = match name.as_str() {
            "sha-256" => &SHA256,
            "sha-512" => &SHA512,
            _ => continue,
        };
        let given = match entry {
            ListEntry::Item(item) => item.bare_item.as_byte_sequence(),
            ListEntry::InnerList(_) => None,
        };
        let given = given.ok_or(SignatureError::Malformed("Content-Digest"))?;
        if !bool::from(digest(algorithm, body).as_ref().ct_eq(given)) {
            return Err(SignatureError::Digest);
        }
        known += 1;
    }
    if known == 0 { Err(SignatureError::Malformed("Content-Digest")) } else { Ok(()) }
}
