use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn secret() -> TotpSecret {
    TotpSecret::from_slice(b"12345678901234567890").unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// The last six digits of the codes in appendix B of RFC 6238, which have eight.
const VECTORS: [(i64, &str); 6] = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
    (20_000_000_000, "353130"),
];

#[test]
fn codes_are_those_of_rfc_6238() {
    for (seconds, code) in VECTORS {
        assert_eq!(secret().verify(code, at(seconds), None), Ok(seconds / 30), "{seconds}");
    }
}

#[test]
fn a_code_holds_one_step_before_and_after_its_own() {
    let (seconds, code) = (1_234_567_890, "005924");
    let step = seconds / 30;
    for (shift, verdict) in
        [(-60, Err(TotpError::Wrong)), (-30, Ok(step)), (30, Ok(step)), (60, Err(TotpError::Wrong))]
    {
        assert_eq!(secret().verify(code, at(seconds + shift), None), verdict, "{shift}");
    }
}

#[test]
fn a_code_works_once_and_no_earlier_one_after_it() {
    let (now, step) = (at(1_111_111_111), 37_037_037);
    assert_eq!(secret().verify("050471", now, Some(step - 1)), Ok(step));
    assert_eq!(secret().verify("050471", now, Some(step)), Err(TotpError::Used));
    assert_eq!(secret().verify("081804", now, Some(step)), Err(TotpError::Used));
}

#[test]
fn a_code_may_be_typed_in_groups() {
    assert!(secret().verify("050 471", at(1_111_111_111), None).is_ok());
    for bad in ["", "05047", "0504711", "o50471", "٠٥٠٤٧١", "-50471", "+50471"] {
        assert_eq!(
            secret().verify(bad, at(1_111_111_111), None),
            Err(TotpError::Malformed),
            "{bad}"
        );
    }
}

#[test]
fn the_uri_is_what_apps_read() {
    let uri = secret().uri("Mill & Race", "ada@example.org");
    let wanted = "otpauth://totp/Mill%20%26%20Race:ada%40example%2Eorg?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Mill%20%26%20Race&algorithm=SHA1&digits=6&period=30";
    assert_eq!(uri.expose_secret(), wanted);
}

#[test]
fn a_secret_comes_back_from_its_bytes_and_is_never_shown() {
    let made = TotpSecret::generate(&mut StdRng::seed_from_u64(7));
    let again = TotpSecret::from_slice(made.expose()).unwrap();
    assert_eq!(again.expose(), made.expose());
    assert_eq!(format!("{made:?}"), "TotpSecret(..)");
    assert!(TotpSecret::from_slice(&[0; 19]).is_none());
}

proptest! {
    #[test]
    fn any_text_is_checked_at_any_time(code: String, seconds in -8_000_000_000_000_i64..8_000_000_000_000) {
        let _ = secret().verify(&code, at(seconds), None);
    }
}
