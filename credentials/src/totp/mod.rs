//! One-time codes from an authenticator app (RFC 6238): HMAC-SHA-1, six digits, a new one every 30 s.
//! Those are the only values that every app knows.

use std::fmt;

use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::CryptoRng;
use ring::hmac;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use subtle::ConstantTimeEq;

const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;
/// Steps before and after the present one whose codes hold too, for clocks that differ.
const WINDOW: i64 = 1;
const SECRET_LEN: usize = 20;

/// What app and server share.
pub struct TotpSecret(SecretBox<[u8; SECRET_LEN]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TotpError {
    #[error("a code has {DIGITS} digits")]
    Malformed,
    #[error("the code is wrong, or too old")]
    Wrong,
    #[error("the code was used already; wait for the next one")]
    Used,
}

impl TotpSecret {
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; SECRET_LEN]| rng.fill_bytes(bytes)))
    }

    /// `None` when it is not a secret that was made here.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SECRET_LEN] = bytes.try_into().ok()?;
        Some(Self(SecretBox::init_with_mut(|own: &mut [u8; SECRET_LEN]| *own = *bytes)))
    }

    /// What [`Self::base32`] gave.
    pub fn from_base32(text: &str) -> Option<Self> {
        let bytes = zeroize::Zeroizing::new(BASE32_NOPAD.decode(text.as_bytes()).ok()?);
        Self::from_slice(&bytes)
    }

    /// The bytes to seal and store.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// For those who type it in.
    pub fn base32(&self) -> SecretString {
        BASE32_NOPAD.encode(self.expose()).into()
    }

    /// What the QR code says.
    pub fn uri(&self, issuer: &str, account: &str) -> SecretString {
        let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            issuer = escaped(issuer),
            account = escaped(account),
            secret = self.base32().expose_secret(),
        )
        .into()
    }

    /// The step of the code. Store it as the last one used, and pass it from then on: a code, once
    /// used, is refused, and so is every earlier one.
    pub fn verify(
        &self,
        code: &str,
        now: DateTime<Utc>,
        last_used: Option<i64>,
    ) -> Result<i64, TotpError> {
        let given = digits(code).ok_or(TotpError::Malformed)?;
        let present = now.timestamp().div_euclid(STEP_SECONDS);
        let mut matched = None;
        // All are compared, whichever matches.
        for step in present - WINDOW..=present + WINDOW {
            if bool::from(self.code(step).ct_eq(&given)) {
                matched = Some(step);
            }
        }
        let step = matched.ok_or(TotpError::Wrong)?;
        if last_used.is_some_and(|last| step <= last) { Err(TotpError::Used) } else { Ok(step) }
    }

    /// The code of a step as ASCII digits (RFC 4226, section 5.3).
    fn code(&self, step: i64) -> [u8; DIGITS] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.expose());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[tag.len() - 1] & 0xf);
        let mut rest =
            tag[offset..offset + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        rest &= 0x7fff_ffff;
        let mut code = [b'0'; DIGITS];
        for digit in code.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        code
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

/// Apps show a code in two groups, and people type the space.
fn digits(code: &str) -> Option<[u8; DIGITS]> {
    let mut digits = [0; DIGITS];
    let mut given = code.bytes().filter(|byte| *byte != b' ');
    for digit in &mut digits {
        *digit = given.next().filter(u8::is_ascii_digit)?;
    }
    given.next().is_none().then_some(digits)
}

#[cfg(test)]
mod tests;
