use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use ring::signature::KeyPair;

use super::*;
use crate::jose::{Algorithm, Jwks, TokenError, testing};

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn policy() -> IdTokenPolicy {
    IdTokenPolicy {
        issuer: Issuer::new("https://id.example"),
        client_id: "mill".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        leeway_seconds: 5,
        max_login_age: None,
    }
}

fn keys() -> Jwks {
    let document = json!({ "keys": [testing::rsa_jwk("rsa"), testing::ed25519_jwk("ed")] });
    Jwks::parse(document.to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "sub": "248289761001", "aud": "mill", "nonce": "n-0S6",
        "iat": NOW, "exp": NOW + 300, "auth_time": NOW - 60, "email": "ada@example.org",
        "email_verified": true, "name": "Ada", "groups": ["engineers"],
    })
}

fn token(claims: &Value) -> String {
    testing::token(
        &json!({ "alg": "EdDSA", "kid": "ed", "typ": "JWT" }),
        claims,
        testing::sign_ed25519,
    )
}

fn verify(claims: &Value) -> Result<IdClaims, TokenError> {
    policy().verify(&token(claims), &keys(), Some("n-0S6"), at(NOW))
}

fn with(name: &str, value: Value) -> Result<IdClaims, TokenError> {
    let mut changed = claims();
    changed[name] = value;
    verify(&changed)
}

#[test]
fn an_id_token_says_who_logged_in() {
    let claims = verify(&claims()).unwrap();
    assert_eq!(
        (claims.sub.as_str(), claims.email.as_deref()),
        ("248289761001", Some("ada@example.org"))
    );
    assert!(claims.email_verified);
    assert_eq!(claims.auth_time, Some(NOW - 60));
    assert_eq!(claims.others["groups"], json!(["engineers"]));
    assert!(!format!("{claims:?}").contains("ada@"));
}

#[test]
fn tokens_of_every_accepted_algorithm_are_verified() {
    let p256 = testing::p256();
    let public = testing::p256_jwk("ec", p256.public_key().as_ref());
    let document = json!({ "keys": [testing::rsa_jwk("rsa"), public] });
    let keys = Jwks::parse(document.to_string().as_bytes()).unwrap();
    let signed = [
        testing::token(&json!({ "alg": "RS256", "kid": "rsa" }), &claims(), testing::sign_rs256),
        testing::token(&json!({ "alg": "PS256", "kid": "rsa" }), &claims(), testing::sign_ps256),
        testing::token(&json!({ "alg": "ES256", "kid": "ec" }), &claims(), |m| {
            testing::sign_p256(&p256, m)
        }),
    ];
    for token in &signed {
        assert!(policy().verify(token, &keys, None, at(NOW)).is_ok(), "{token}");
    }
    let narrow = IdTokenPolicy { algorithms: vec![Algorithm::ES256], ..policy() };
    let refused = narrow.verify(&signed[0], &keys, None, at(NOW));
    assert_eq!(refused, Err(TokenError::Algorithm));
}

#[test]
fn a_token_for_someone_else_is_refused() {
    assert_eq!(with("iss", json!("https://id.example/")), Err(TokenError::Issuer));
    assert_eq!(with("aud", json!("other")), Err(TokenError::Audience));
    assert_eq!(with("aud", json!([])), Err(TokenError::Audience));
    assert_eq!(with("azp", json!("other")), Err(TokenError::Audience));
    assert_eq!(with("aud", json!(["mill", "other"])), Err(TokenError::Audience));
    let mut several = claims();
    several["aud"] = json!(["other", "mill"]);
    several["azp"] = json!("mill");
    assert!(verify(&several).is_ok());
    assert!(with("aud", json!(["mill"])).is_ok());
}

#[test]
fn a_token_out_of_its_time_is_refused() {
    assert_eq!(with("exp", json!(NOW - 5)), Err(TokenError::Expired));
    assert!(with("exp", json!(NOW - 4)).is_ok());
    assert_eq!(with("nbf", json!(NOW + 6)), Err(TokenError::NotYetValid));
    assert_eq!(with("iat", json!(NOW + 6)), Err(TokenError::NotYetValid));
    assert!(with("exp", json!(NOW as f64 + 300.5)).is_ok());
    for odd in [json!(null), json!("tomorrow"), json!([])] {
        assert_eq!(with("exp", odd), Err(TokenError::Malformed));
    }
    for far in [json!(1e300), json!(u64::MAX)] {
        assert!(with("exp", far).is_ok());
    }
}

#[test]
fn a_token_of_another_login_is_refused() {
    assert_eq!(with("nonce", json!("other")), Err(TokenError::Nonce));
    assert_eq!(with("nonce", json!(null)), Err(TokenError::Nonce));
    assert!(policy().verify(&token(&claims()), &keys(), None, at(NOW)).is_ok());
}

#[test]
fn a_login_long_ago_is_refused_where_a_recent_one_was_asked_for() {
    let strict = IdTokenPolicy { max_login_age: Some(TimeDelta::seconds(60)), ..policy() };
    let verify = |claims: &Value| strict.verify(&token(claims), &keys(), None, at(NOW)).map(|_| ());
    assert_eq!(verify(&claims()), Ok(()));
    for time in [json!(NOW - 66), json!(null)] {
        let mut older = claims();
        older["auth_time"] = time;
        assert_eq!(verify(&older), Err(TokenError::LoginTooOld));
    }
}

#[test]
fn an_address_counts_only_when_the_issuer_verified_it() {
    for (told, verified) in [
        (json!("true"), true),
        (json!("false"), false),
        (json!(false), false),
        (json!(1), false),
        (json!(null), false),
    ] {
        assert_eq!(with("email_verified", told).unwrap().email_verified, verified);
    }
}

#[test]
fn an_access_token_is_no_id_token() {
    let header = json!({ "alg": "EdDSA", "kid": "ed", "typ": "at+jwt" });
    let token = testing::token(&header, &claims(), testing::sign_ed25519);
    assert_eq!(policy().verify(&token, &keys(), None, at(NOW)), Err(TokenError::Type));
}

proptest! {
    #[test]
    fn any_claims_are_read_or_refused(name in "iss|sub|aud|azp|exp|iat|nbf|nonce|auth_time|amr", text: String, number: i64) {
        let _ = with(&name, json!(text));
        let _ = with(&name, json!(number));
        let _ = with(&name, json!([number, text]));
    }
}
