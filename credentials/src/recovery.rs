//! Codes on paper, for those who have lost their authenticator. Each works once.

use std::fmt;

use data_encoding::{Encoding, Specification};
use rand::CryptoRng;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Codes made at a time.
pub const CODES: usize = 10;

/// 80 bits: too many to guess even by someone who has the hashes, so the hash need not be slow.
const CODE_BYTES: usize = 10;
const GROUP: usize = 4;

/// Crockford's alphabet, which has no `i`, `l`, `o` and `u`.
const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

pub struct RecoveryCode(Zeroizing<[u8; CODE_BYTES]>);

/// SHA-256, the only form in which a code is stored.
pub type RecoveryHash = [u8; 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recovery code has 16 letters and digits, such as `7gk2-x0mq-93vd-hp5t`")]
pub struct MalformedCode;

impl RecoveryCode {
    /// A new set of codes.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Vec<Self> {
        let one = |_| {
            let mut bytes = Zeroizing::new([0; CODE_BYTES]);
            rng.fill_bytes(bytes.as_mut());
            Self(bytes)
        };
        (0..CODES).map(one).collect()
    }

    /// The code as it is shown once.
    pub fn expose(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(encoding().encode(self.0.as_ref()));
        let groups: Vec<_> =
            (0..text.len()).step_by(GROUP).map(|at| &text[at..at + GROUP]).collect();
        Zeroizing::new(groups.join("-"))
    }

    /// Reads what someone typed: in any case, with or without hyphens and spaces, and with letters
    /// that look like digits.
    pub fn parse(text: &str) -> Result<Self, MalformedCode> {
        if text.len() > 64 {
            return Err(MalformedCode);
        }
        let plain = Zeroizing::new(text.chars().filter_map(plain).collect::<String>());
        let bytes = encoding().decode(plain.as_bytes()).map_err(|_| MalformedCode)?;
        let bytes = Zeroizing::new(bytes);
        let bytes = bytes.as_slice().try_into().map_err(|_| MalformedCode)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    pub fn hash(&self) -> RecoveryHash {
        let mut hash = RecoveryHash::default();
        hash.copy_from_slice(digest(&SHA256, self.0.as_ref()).as_ref());
        hash
    }

    /// Which of the stored hashes is that of this code. All are compared.
    pub fn find(&self, stored: &[RecoveryHash]) -> Option<usize> {
        let own = self.hash();
        let mut found = None;
        for (at, hash) in stored.iter().enumerate() {
            if bool::from(own.ct_eq(hash)) {
                found = Some(at);
            }
        }
        found
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

fn plain(c: char) -> Option<char> {
    match c.to_ascii_lowercase() {
        '-' | ' ' => None,
        'o' => Some('0'),
        'i' | 'l' => Some('1'),
        other => Some(other),
    }
}

fn encoding() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str(ALPHABET);
    specification.encoding().expect("32 different characters are an encoding")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn codes() -> Vec<RecoveryCode> {
        RecoveryCode::generate(&mut StdRng::seed_from_u64(7))
    }

    #[test]
    fn codes_are_ten_different_ones_that_can_be_read_aloud() {
        let shown: BTreeSet<_> = codes().iter().map(|code| code.expose().to_string()).collect();
        assert_eq!(shown.len(), CODES);
        for code in shown {
            assert_eq!(code.len(), 19);
            assert!(code.split('-').all(|group| group.chars().all(|c| ALPHABET.contains(c))));
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_typed() {
        let codes = codes();
        let stored: Vec<_> = codes.iter().map(RecoveryCode::hash).collect();
        let shown = codes[3].expose();
        let typed = shown.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l");
        assert_eq!(RecoveryCode::parse(&typed).unwrap().find(&stored), Some(3));
        let other = RecoveryCode::parse("0000-0000-0000-0000").unwrap();
        assert_eq!(other.find(&stored), None);
        assert_eq!(codes[3].find(&[]), None);
    }

    #[test]
    fn what_is_not_a_code_is_refused() {
        for bad in [
            "",
            "0000-0000-0000-000",
            "0000-0000-0000-00000",
            "uuuu-uuuu-uuuu-uuuu",
            &"0".repeat(1_000_000),
        ] {
            assert_eq!(RecoveryCode::parse(bad).unwrap_err(), MalformedCode);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = RecoveryCode::parse(&text);
        }
    }
}
