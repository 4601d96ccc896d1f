//! The public half of the key that requests are to be signed with, as clients give it.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use crate::problem::{Code, Problem};

/// What stands before the 32 bytes of an Ed25519 key in DER form (RFC 8410, section 4).
const DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// In base64url.
pub(super) fn parse(text: &str) -> Result<String, Problem> {
    let key = bytes(text).and_then(|bytes| {
        let raw = bytes.strip_prefix(&DER).unwrap_or(&bytes);
        (raw.len() == 32).then(|| URL_SAFE_NO_PAD.encode(raw))
    });
    key.ok_or_else(|| {
        let text = "a signing key is the public half of an Ed25519 key, in PEM form or as base64";
        Problem::new(Code::ValidationFailed, text).at("signing_key", text)
    })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let text: String = lines.collect();
    STANDARD.decode(&text).or_else(|_| URL_SAFE_NO_PAD.decode(&text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_key_is_the_same_key() {
        let expected = URL_SAFE_NO_PAD.encode([7; 32]);
        let der = STANDARD.encode([&DER[..], &[7; 32]].concat());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
        for form in [&expected, &STANDARD.encode([7; 32]), &der, &pem] {
            assert_eq!(parse(form).unwrap(), expected, "{form}");
        }
        for bad in ["", "nonsense!", &STANDARD.encode([7; 31]), &STANDARD.encode([7; 44])] {
            assert_eq!(parse(bad).unwrap_err().code, Code::ValidationFailed, "{bad}");
        }
    }
}
