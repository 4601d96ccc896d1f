//! Secrets that are handed out and shown to the server again: refresh tokens and API keys.
//!
//! A prefix says what it is, so that scanners find a leaked one; then come 256 random bits and a short
//! checksum, so that a mistyped one is refused without a look-up. Only its SHA-256 is stored: there
//! is nothing to guess, so nothing to slow down.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::CryptoRng;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const RANDOM_LEN: usize = 32;
/// Characters of 32 bytes in base64url.
const RANDOM_CHARS: usize = 43;
/// Six bits each, so one mistyped token in 16 million passes for one.
const CHECK_CHARS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    RefreshToken,
    ApiKey,
}

impl Kind {
    pub fn prefix(self) -> &'static str {
        match self {
            Self::RefreshToken => "mrr_",
            Self::ApiKey => "mrk_",
        }
    }
}

pub struct SecretToken(Zeroizing<String>);

/// SHA-256 of a token's text. Comparing two takes the same time wherever they differ.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash(pub [u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFormError {
    #[error("what was sent is not a token, which begins with `{}`", .0.prefix())]
    NotOne(Kind),
    #[error("the token was cut or mistyped")]
    Checksum,
}

impl SecretToken {
    pub fn generate(kind: Kind, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut random = Zeroizing::new([0; RANDOM_LEN]);
        rng.fill_bytes(random.as_mut());
        let mut text = Zeroizing::new(String::with_capacity(len(kind)));
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(random.as_ref(), &mut text);
        let check = check(&text);
        text.push_str(&check);
        Self(text)
    }

    pub fn parse(kind: Kind, text: &str) -> Result<Self, TokenFormError> {
        let body = text.strip_prefix(kind.prefix()).filter(|_| text.len() == len(kind));
        let random = body.and_then(|body| body.get(..RANDOM_CHARS));
        if random.is_none_or(|random| URL_SAFE_NO_PAD.decode(random).is_err()) {
            return Err(TokenFormError::NotOne(kind));
        }
        let (checked, given) = text.split_at(text.len() - CHECK_CHARS);
        if check(checked) != given {
            return Err(TokenFormError::Checksum);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// For its owner, once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash(sha256(&self.0))
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(..)")
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// In hexadecimal, as events and tables carry it.
impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({self})")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a token has 64 hexadecimal digits")]
pub struct HashFormError;

impl FromStr for TokenHash {
    type Err = HashFormError;

    fn from_str(text: &str) -> Result<Self, HashFormError> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| HashFormError)?;
        bytes.try_into().map(Self).map_err(|_| HashFormError)
    }
}

fn len(kind: Kind) -> usize {
    kind.prefix().len() + RANDOM_CHARS + CHECK_CHARS
}

fn check(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(text)[..3])
}

fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn token(kind: Kind) -> SecretToken {
        SecretToken::generate(kind, &mut StdRng::seed_from_u64(7))
    }

    #[test]
    fn a_token_is_read_again_and_has_one_hash() {
        for (kind, prefix) in [(Kind::RefreshToken, "mrr_"), (Kind::ApiKey, "mrk_")] {
            let token = token(kind);
            assert!(token.expose().starts_with(prefix) && token.expose().len() == 51);
            let again = SecretToken::parse(kind, token.expose()).unwrap();
            assert_eq!(again.hash(), token.hash());
            assert_eq!(token.hash().to_string().parse(), Ok(token.hash()));
        }
        assert_ne!(token(Kind::RefreshToken).hash(), token(Kind::ApiKey).hash());
    }

    #[test]
    fn one_kind_is_not_taken_for_the_other() {
        let given = token(Kind::ApiKey);
        let refused = SecretToken::parse(Kind::RefreshToken, given.expose()).unwrap_err();
        assert_eq!(refused, TokenFormError::NotOne(Kind::RefreshToken));
    }

    #[test]
    fn a_mistyped_or_cut_token_is_refused_without_a_look_up() {
        let text = token(Kind::RefreshToken).expose().to_owned();
        for at in 4..text.len() {
            let mut typed = text.clone().into_bytes();
            typed[at] = if typed[at] == b'x' { b'y' } else { b'x' };
            let typed = String::from_utf8(typed).unwrap();
            assert!(SecretToken::parse(Kind::RefreshToken, &typed).is_err(), "{at}");
            assert!(SecretToken::parse(Kind::RefreshToken, &text[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn the_form_and_the_hash_of_a_token_stay_what_they_are() {
        let text = "mrr_vvuoaungwgeGX34k6DSdTs28iw9GMoQkmaDfpgVo4oorRFa";
        assert_eq!(token(Kind::RefreshToken).expose(), text);
        let hash = "9f519f5a223a0b9b4b541ebd8f71c51f104e11a4f38eade67b42a20cde5c21d2";
        assert_eq!(token(Kind::RefreshToken).hash().to_string(), hash);
        assert_eq!(format!("{:?}", token(Kind::ApiKey)), "SecretToken(..)");
    }

    proptest! {
        #[test]
        fn any_text_is_refused(text in "(mrr_)?\\PC{0,60}") {
            prop_assert!(SecretToken::parse(Kind::RefreshToken, &text).is_err());
            let _ = text.parse::<TokenHash>();
        }
    }
}
