use std::fmt;

use rand::CryptoRng;
use secrecy::{ExposeSecret, SecretBox};

/// Bytes of every key here.
pub const KEY_LEN: usize = 32;

/// 256 secret bits.
pub struct Key(SecretBox<[u8; KEY_LEN]>);

impl Key {
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; KEY_LEN]| rng.fill_bytes(bytes)))
    }

    /// `None` when there are not exactly [`KEY_LEN`] bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().filter(|_| bytes.len() == KEY_LEN).map(Self::copied)
    }

    pub(crate) fn copied(bytes: &[u8; KEY_LEN]) -> Self {
        Self(SecretBox::init_with_mut(|own: &mut [u8; KEY_LEN]| own.copy_from_slice(bytes)))
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
