use std::fmt;

use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::{BlindIndex, DataKey, KEY_LEN, Key, LinkKey, binding::bind};

/// The secret that an installation is given once and keeps, whatever master key wraps it: changing it
/// makes every blind index and every open one-time link worthless.
#[derive(Debug)]
pub struct InstallationSecret(Key);

impl InstallationSecret {
    pub fn new(key: Key) -> Self {
        Self(key)
    }

    pub fn key(&self) -> &Key {
        &self.0
    }

    pub fn blind_index(&self) -> BlindIndex {
        BlindIndex::new(self.mac("blind index"))
    }

    pub fn link_key(&self) -> LinkKey {
        LinkKey::new(self.mac("one-time link"))
    }

    /// A key for message authentication of another kind, such as that of cursors.
    pub fn mac_key(&self, label: &str) -> MacKey {
        MacKey(mac(&derive(&self.0, "mac", label)))
    }

    /// A key that seals what belongs to the installation and to no person, such as signing keys.
    pub fn data_key(&self, label: &str) -> DataKey {
        DataKey::new(derive(&self.0, "data", label))
    }

    fn mac(&self, purpose: &str) -> hmac::Key {
        mac(&derive(&self.0, purpose, ""))
    }
}

/// HMAC-SHA256 under a derived key.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        tag(&self.0, message)
    }

    /// In constant time.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

pub(crate) fn tag(key: &hmac::Key, message: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    tag.copy_from_slice(hmac::sign(key, message).as_ref());
    tag
}

fn mac(key: &Key) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose())
}

/// HKDF-SHA256 (RFC 5869) with purpose and label as its info.
pub(crate) fn derive(key: &Key, purpose: &str, label: &str) -> Key {
    Key::copied(&hkdf_sha256(b"millrace vault 1", key.expose(), &bind(purpose, &[label])))
}

fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; KEY_LEN]> {
    let mut out = Zeroizing::new([0; KEY_LEN]);
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let parts = [info];
    pseudorandom
        .expand(&parts, hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(out.as_mut()))
        .expect("32 bytes are what HKDF-SHA256 gives in one step");
    out
}

#[cfg(test)]
mod tests;
