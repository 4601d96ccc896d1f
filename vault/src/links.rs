use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use zeroize::Zeroizing;

use crate::{binding::bind, installation::tag};

/// Makes the tokens of links that work once: confirm an address, choose a new password, accept an
/// invitation.
///
/// A token is computed from what the log holds, `purpose`, `subject` and a random `nonce`, and from a
/// key that the log never holds. So the log and its readers cannot act on a link, while the worker that
/// writes the mail can make it again. That a link works once and not for ever is for the log to keep.
pub struct LinkKey(hmac::Key);

/// 43 characters of base64url.
pub struct LinkToken(Zeroizing<String>);

impl LinkKey {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    pub fn token(&self, purpose: &str, subject: &str, nonce: &str) -> LinkToken {
        let tag = tag(&self.0, &bind(purpose, &[subject, nonce]));
        LinkToken(Zeroizing::new(URL_SAFE_NO_PAD.encode(tag)))
    }

    /// In constant time.
    pub fn verify(&self, purpose: &str, subject: &str, nonce: &str, token: &str) -> bool {
        let mut given = [0; 33];
        let Ok(len) = URL_SAFE_NO_PAD.decode_slice(token, &mut given) else { return false };
        hmac::verify(&self.0, &bind(purpose, &[subject, nonce]), &given[..len]).is_ok()
    }
}

impl LinkToken {
    /// For the link alone: who has it can act.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{InstallationSecret, Key};

    fn key(byte: u8) -> LinkKey {
        InstallationSecret::new(Key::from_slice(&[byte; 32]).unwrap()).link_key()
    }

    #[test]
    fn a_token_is_made_again_from_the_same_event_and_holds() {
        let token = key(1).token("reset", "user_ada", "n1");
        assert_eq!(token.expose(), key(1).token("reset", "user_ada", "n1").expose());
        assert_eq!(token.expose().len(), 43);
        assert!(key(1).verify("reset", "user_ada", "n1", token.expose()));
        assert_eq!(format!("{token:?}"), "LinkToken(..)");
    }

    #[test]
    fn a_token_holds_for_nothing_else() {
        let token = key(1).token("reset", "user_ada", "n1");
        let token = token.expose();
        assert!(!key(2).verify("reset", "user_ada", "n1", token));
        assert!(!key(1).verify("invite", "user_ada", "n1", token));
        assert!(!key(1).verify("reset", "user_bob", "n1", token));
        assert!(!key(1).verify("reset", "user_ada", "n2", token));
        assert!(!key(1).verify("reset", "user_adan", "1", token));
        assert!(!key(1).verify("reset", "user_ada", "n1", &token[..42]));
        assert!(!key(1).verify("reset", "user_ada", "n1", &format!("{token}=")));
        assert!(!key(1).verify("reset", "user_ada", "n1", ""));
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_token(text: String) {
            prop_assert!(!key(1).verify("reset", "user_ada", "n1", &text));
        }
    }
}
