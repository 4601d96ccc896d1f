use std::{fmt, str::FromStr};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Octets of an address and of its local part (RFC 5321).
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;

/// An e-mail address in the form in which two of them are compared.
///
/// White space around it is left out. The domain becomes that of the DNS: small letters, other scripts
/// in their `xn--` form. The local part becomes small letters in NFC: RFC 5321 would let a server tell
/// `Ada` from `ada`, but no account may be taken by someone who only writes it differently. Dots and
/// `+tags` mean something else to each provider and are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct NormalEmail(Zeroizing<String>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    #[error("an e-mail address has the form `name@domain`, without spaces")]
    Form,
    #[error("the domain of the e-mail address is not one of the internet")]
    Domain,
    #[error(
        "an e-mail address has at most {MAX_ADDRESS} bytes, {MAX_LOCAL} of them before the `@`"
    )]
    TooLong,
}

impl NormalEmail {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NormalEmail {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        // Before anything walks over it.
        if text.len() > MAX_ADDRESS {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Form)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        if local.is_empty() || local.contains(odd) {
            return Err(EmailError::Form);
        }
        let local: Zeroizing<String> =
            Zeroizing::new(local.nfc().flat_map(char::to_lowercase).nfc().collect());
        let domain = normal_domain(domain)?;
        if local.len() > MAX_LOCAL || local.len() + 1 + domain.len() > MAX_ADDRESS {
            return Err(EmailError::TooLong);
        }
        Ok(Self(Zeroizing::new(format!("{}@{domain}", *local))))
    }
}

fn normal_domain(domain: &str) -> Result<String, EmailError> {
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Domain)?;
    let named = ascii.split('.').count() > 1 && ascii.split('.').all(|label| !label.is_empty());
    let numbers =
        ascii.rsplit('.').next().is_some_and(|top| top.bytes().all(|b| b.is_ascii_digit()));
    if named && !numbers { Ok(ascii) } else { Err(EmailError::Domain) }
}

/// Personal data, so never shown.
impl fmt::Debug for NormalEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NormalEmail(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> Result<String, EmailError> {
        text.parse().map(|email: NormalEmail| email.as_str().to_owned())
    }

    #[test]
    fn addresses_of_one_mailbox_have_one_form() {
        let same = [
            ("\t Ada.Lovelace+x@Example.ORG ", "ada.lovelace+x@example.org"),
            ("JOSE\u{301}@example.org", "jos\u{e9}@example.org"),
            ("jos\u{e9}@example.org", "jos\u{e9}@example.org"),
            ("ada@M\u{dc}NCHEN.example", "ada@xn--mnchen-3ya.example"),
            ("ada@xn--mnchen-3ya.example", "ada@xn--mnchen-3ya.example"),
        ];
        for (text, wanted) in same {
            assert_eq!(normal(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_told_apart() {
        let long = format!("{}@example.org", "x".repeat(65));
        let bad = [
            ("", EmailError::Form),
            ("ada", EmailError::Form),
            ("@example.org", EmailError::Form),
            ("a da@example.org", EmailError::Form),
            ("ada@bob@example.org", EmailError::Form),
            ("ada\r\nBcc:x@example.org", EmailError::Form),
            ("ada@", EmailError::Domain),
            ("ada@localhost", EmailError::Domain),
            ("ada@example..org", EmailError::Domain),
            ("ada@example.org.", EmailError::Domain),
            ("ada@127.0.0.1", EmailError::Domain),
            ("ada@exa mple.org", EmailError::Domain),
            (&long, EmailError::TooLong),
            (&"x".repeat(10_000_000), EmailError::TooLong),
        ];
        for (text, wanted) in bad {
            assert_eq!(normal(text), Err(wanted), "{}", text.chars().take(80).collect::<String>());
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_of_a_normal_form_is_itself(text in "\\PC{1,20}@[a-zA-Z]{1,9}\\.[a-z]{2,4}") {
            if let Ok(once) = normal(&text) {
                prop_assert_eq!(normal(&once), Ok(once.clone()));
            }
        }

        #[test]
        fn any_text_is_normalised_or_refused(text: String) {
            let _ = normal(&text);
        }
    }
}
