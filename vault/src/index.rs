use std::fmt;

use ring::hmac;

use crate::{NormalEmail, binding::bind, installation::tag};

/// Finds a row by a value that is stored nowhere: HMAC-SHA256 under a key of the installation. Who has
/// only the database can neither read the value nor try likely ones.
pub struct BlindIndex(hmac::Key);

/// The place of a value in a blind index. The same value has the same place always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IndexValue(pub [u8; 32]);

impl BlindIndex {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    pub fn email(&self, email: &NormalEmail) -> IndexValue {
        self.value("email", email.as_str())
    }

    /// The place of a value of another kind, which the caller has brought into its normal form.
    pub fn value(&self, kind: &str, normal: &str) -> IndexValue {
        IndexValue(tag(&self.0, &bind(kind, &[normal])))
    }
}

impl fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndex(..)")
    }
}

impl fmt::Display for IndexValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InstallationSecret, Key};

    fn index(byte: u8) -> BlindIndex {
        InstallationSecret::new(Key::from_slice(&[byte; 32]).unwrap()).blind_index()
    }

    fn email(text: &str) -> NormalEmail {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_found_however_it_was_written() {
        let stored = index(1).email(&email("ada@example.org"));
        assert_eq!(stored, index(1).email(&email(" Ada@EXAMPLE.org ")));
        assert_ne!(stored, index(1).email(&email("bob@example.org")));
    }

    #[test]
    fn places_differ_by_installation_and_by_kind() {
        let stored = index(1).email(&email("ada@example.org"));
        assert_ne!(stored, index(2).email(&email("ada@example.org")));
        assert_ne!(stored, index(1).value("phone", "ada@example.org"));
    }

    #[test]
    fn the_place_of_an_address_never_changes() {
        let place = index(1).email(&email("ada@example.org")).to_string();
        assert_eq!(place, "171c9e3374deff88db0db6e1044ca0864b2212e37c0f0543a009e00dcf78809b");
    }
}
