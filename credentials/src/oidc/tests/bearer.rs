use chrono::DateTime;
use ring::hmac;

use super::*;
use crate::jose::{Algorithm, Jwks, TokenError, testing};

const NOW: i64 = 1_800_000_000;

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "sub": "248289761001", "aud": ["other", "https://mill.example"],
        "iat": NOW, "exp": NOW + 300, "amr": ["pwd", "mfa"],
    })
}

fn verify(token: &str) -> Result<BearerClaims, TokenError> {
    let policy = BearerPolicy {
        issuer: Issuer::new("https://id.example"),
        audiences: vec!["https://mill.example".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        leeway_seconds: 5,
    };
    let document = json!({ "keys": [testing::ed25519_jwk("ed")] });
    let keys = Jwks::parse(document.to_string().as_bytes()).unwrap();
    policy.verify(token, &keys, DateTime::from_timestamp(NOW, 0).unwrap())
}

fn with_header(header: Value) -> Result<BearerClaims, TokenError> {
    verify(&testing::token(&header, &claims(), testing::sign_ed25519))
}

fn with(name: &str, value: Value) -> Result<BearerClaims, TokenError> {
    let mut changed = claims();
    changed[name] = value;
    let header = json!({ "alg": "EdDSA", "kid": "ed" });
    verify(&testing::token(&header, &changed, testing::sign_ed25519))
}

#[test]
fn access_tokens_and_id_tokens_that_are_meant_for_us_are_taken() {
    for typ in ["JWT", "at+jwt", "application/at+jwt", "AT+JWT"] {
        let claims = with_header(json!({ "alg": "EdDSA", "kid": "ed", "typ": typ })).unwrap();
        assert_eq!((claims.sub.as_str(), claims.issued_at), ("248289761001", NOW), "{typ}");
        assert_eq!(claims.amr, ["pwd", "mfa"]);
        assert!(!format!("{claims:?}").contains("2482"));
    }
    let logout = with_header(json!({ "alg": "EdDSA", "kid": "ed", "typ": "logout+jwt" }));
    assert_eq!(logout, Err(TokenError::Type));
}

#[test]
fn what_is_meant_for_others_or_out_of_its_time_is_refused() {
    for (name, value, error) in [
        ("aud", json!("other"), TokenError::Audience),
        ("aud", json!([]), TokenError::Audience),
        ("iss", json!("https://id.example/"), TokenError::Issuer),
        ("exp", json!(NOW - 5), TokenError::Expired),
        ("nbf", json!(NOW + 6), TokenError::NotYetValid),
        ("iat", json!(NOW + 6), TokenError::NotYetValid),
        ("sub", json!(null), TokenError::Malformed),
    ] {
        assert_eq!(with(name, value.clone()), Err(error), "{name}: {value}");
    }
}

#[test]
fn neither_no_signature_nor_a_public_key_as_a_secret_passes() {
    let none = testing::token(&json!({ "alg": "none", "kid": "ed" }), &claims(), |_| Vec::new());
    assert_eq!(verify(&none), Err(TokenError::Algorithm));
    let confused = testing::token(&json!({ "alg": "HS256", "kid": "ed" }), &claims(), |message| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &testing::decode(testing::ED25519_X));
        hmac::sign(&key, message).as_ref().to_vec()
    });
    assert_eq!(verify(&confused), Err(TokenError::Algorithm));
}
