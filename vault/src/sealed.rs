use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{Key, aead, binding::bind};

/// Begins the text of every sealed value; the digit is the version of the form.
const PREFIX: &str = "sealed1.";

/// Bytes of a single value that can be sealed. Values are names and addresses, not documents.
pub const MAX_PLAIN: usize = 64 * 1024;

/// Where a value stands. It can be opened there and nowhere else, so that nobody who can write to the
/// database moves one person's data to another or into another field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub subject: &'a str,
    pub event: &'a str,
    pub field: &'a str,
}

impl Place<'_> {
    fn bound(&self) -> Vec<u8> {
        bind("sealed field", &[self.subject, self.event, self.field])
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("a value has {0} bytes; at most {MAX_PLAIN} can be sealed")]
    TooLong(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("the text is not a sealed value, which begins with `{PREFIX}`")]
    Malformed,
    #[error("the sealed value was changed, or belongs to another person, event or field")]
    Refused,
}

/// What opening a value gave.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened {
    Plain(Zeroizing<Vec<u8>>),
    /// The person's key was erased, and with it the value.
    Erased,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(..)",
            Self::Erased => "Erased",
        })
    }
}

/// The key under which the data of one person is sealed.
#[derive(Debug)]
pub struct DataKey(Key);

impl DataKey {
    pub fn new(key: Key) -> Self {
        Self(key)
    }

    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(Key::generate(rng))
    }

    pub fn key(&self) -> &Key {
        &self.0
    }

    /// A text of letters, digits, `.`, `-` and `_`.
    pub fn seal(
        &self,
        place: &Place<'_>,
        plain: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<String, SealError> {
        let too_long = || SealError::TooLong(plain.len());
        if plain.len() > MAX_PLAIN {
            return Err(too_long());
        }
        let sealed = aead::seal(&self.0, &place.bound(), plain, rng).ok_or_else(too_long)?;
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    pub fn open(&self, place: &Place<'_>, text: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        aead::open(&self.0, &place.bound(), &decode(text)?).ok_or(OpenError::Refused)
    }
}

/// What is left of a person's key.
#[derive(Debug)]
pub enum Access {
    Key(DataKey),
    Erased,
}

impl Access {
    pub fn open(&self, place: &Place<'_>, text: &str) -> Result<Opened, OpenError> {
        match self {
            Self::Key(key) => key.open(place, text).map(Opened::Plain),
            Self::Erased => decode(text).map(|_| Opened::Erased),
        }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, OpenError> {
    let longest = (aead::NONCE_LEN + MAX_PLAIN + aead::TAG_LEN).div_ceil(3) * 4;
    text.strip_prefix(PREFIX)
        .filter(|body| body.len() <= longest)
        .and_then(|body| URL_SAFE_NO_PAD.decode(body).ok())
        .filter(|bytes| bytes.len() >= aead::NONCE_LEN + aead::TAG_LEN)
        .ok_or(OpenError::Malformed)
}

#[cfg(test)]
mod tests;
