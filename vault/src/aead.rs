//! XChaCha20-Poly1305: its nonce is long enough to be drawn at random for every message.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::Key;

pub const NONCE_LEN: usize = 24;
pub const TAG_LEN: usize = 16;

/// The nonce, then the ciphertext and its tag. `None` beyond the 256 GiB that the cipher can take.
pub fn seal(
    key: &Key,
    bound: &[u8],
    plain: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let payload = Payload { msg: plain, aad: bound };
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    let ciphertext = cipher.encrypt(&nonce.into(), payload).ok()?;
    Some([nonce.as_slice(), &ciphertext].concat())
}

/// What [`seal`] was given, if the key and what is bound are the same.
pub fn open(key: &Key, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let payload = Payload { msg: ciphertext, aad: bound };
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    cipher.decrypt(nonce.into(), payload).ok().map(Zeroizing::new)
}
