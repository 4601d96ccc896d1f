#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ring::hmac;

/// The code that an authenticator app shows in the step of this number (RFC 6238), made from the standard
/// and not from our code.
pub fn totp(base32: &str, step: i64) -> String {
    let bits = base32.bytes().fold(String::new(), |bits, letter| {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|own| *own == letter);
        bits + &format!("{:05b}", value.unwrap())
    });
    let bytes = bits.as_bytes().chunks_exact(8);
    let secret: Vec<u8> = bytes
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
