use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::*;
use crate::jose::{Jwks, MAX_TOKEN, TokenError, testing};

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn keys() -> SigningKeys {
    SigningKeys::generate(at(NOW), &mut rng())
}

fn claims() -> AccessClaims {
    AccessClaims {
        iss: "https://mill.example".to_owned(),
        aud: "https://mill.example/v1".to_owned(),
        sub: "user_1".to_owned(),
        org: Some("org_1".to_owned()),
        sid: "session_1".to_owned(),
        roles: vec!["owner".to_owned()],
        scope: None,
        act: None,
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        idp: None,
        auth_time: NOW,
        iat: NOW,
        nbf: NOW,
        exp: NOW + 900,
        jti: "t1".to_owned(),
    }
}

fn verifier(keys: &SigningKeys) -> AccessVerifier {
    keys.verifier("https://mill.example", "https://mill.example/v1", 5)
}

fn verify_at(seconds: i64, token: &str) -> Result<AccessClaims, TokenError> {
    verifier(&keys()).verify(token, at(seconds))
}

#[test]
fn a_token_says_what_it_was_signed_with() {
    assert_eq!(verify_at(NOW, &keys().sign(&claims())), Ok(claims()));
}

#[test]
fn a_token_holds_between_its_times_and_a_little_more() {
    let token = keys().sign(&claims());
    let told = |seconds| verify_at(NOW + seconds, &token).map(|_| ());
    assert_eq!(told(-5), Ok(()));
    assert_eq!(told(-6), Err(TokenError::NotYetValid));
    assert_eq!(told(904), Ok(()));
    assert_eq!(told(905), Err(TokenError::Expired));
    let late = keys().sign(&AccessClaims { nbf: NOW + 60, ..claims() });
    assert_eq!(verify_at(NOW, &late), Err(TokenError::NotYetValid));
    let odd = keys().sign(&AccessClaims { exp: i64::MIN, ..claims() });
    assert_eq!(verify_at(NOW, &odd), Err(TokenError::Expired));
}

#[test]
fn a_token_of_another_issuer_or_audience_is_refused() {
    let other = keys().sign(&AccessClaims { iss: "https://mill.example/".to_owned(), ..claims() });
    assert_eq!(verify_at(NOW, &other), Err(TokenError::Issuer));
    let other = keys().sign(&AccessClaims { aud: "https://mill.example".to_owned(), ..claims() });
    assert_eq!(verify_at(NOW, &other), Err(TokenError::Audience));
}

#[test]
fn a_token_of_another_installation_is_refused() {
    let others = SigningKeys::generate(at(NOW), &mut StdRng::seed_from_u64(8));
    assert_eq!(verify_at(NOW, &others.sign(&claims())), Err(TokenError::UnknownKey));
}

#[test]
fn a_tampered_token_is_refused() {
    let token = keys().sign(&claims());
    let parts: Vec<_> = token.split('.').collect();
    let raised = AccessClaims { roles: vec!["admin".to_owned()], ..claims() };
    let payload = testing::encode(json!(raised).to_string());
    let forged = format!("{}.{payload}.{}", parts[0], parts[2]);
    assert_eq!(verify_at(NOW, &forged), Err(TokenError::Signature));
}

/// The header of a real token with some of its values replaced, over a real payload.
fn forged(change: impl FnOnce(&mut Value), signature: &[u8]) -> String {
    let token = keys().sign(&claims());
    let parts: Vec<_> = token.split('.').collect();
    let mut header: Value = serde_json::from_slice(&testing::decode(parts[0])).unwrap();
    change(&mut header);
    format!("{}.{}.{}", testing::encode(header.to_string()), parts[1], testing::encode(signature))
}

#[test]
fn no_other_algorithm_is_accepted() {
    for algorithm in ["none", "HS256", "RS256", "ES256", "PS256", "Ed25519", "EDDSA"] {
        let token = forged(|header| header["alg"] = json!(algorithm), &[0; 64]);
        assert_eq!(verify_at(NOW, &token), Err(TokenError::Algorithm), "{algorithm}");
    }
}

#[test]
fn another_kind_of_token_is_no_access_token() {
    let token = forged(|header| header["typ"] = json!("JWT"), &[0; 64]);
    assert_eq!(verify_at(NOW, &token), Err(TokenError::Type));
    let token = forged(|header| header["crit"] = json!(["x"]), &[0; 64]);
    assert_eq!(verify_at(NOW, &token), Err(TokenError::Critical));
    let token = forged(|header| drop(header.as_object_mut().unwrap().remove("kid")), &[0; 64]);
    assert_eq!(verify_at(NOW, &token), Err(TokenError::UnknownKey));
}

#[test]
fn an_oversized_token_is_refused_unread() {
    let long = AccessClaims { roles: vec!["x".repeat(MAX_TOKEN)], ..claims() };
    assert_eq!(verify_at(NOW, &keys().sign(&long)), Err(TokenError::TooLong));
}

#[test]
fn a_rotated_key_is_known_until_its_last_token_has_expired() {
    let (mut keys, mut rng) = (keys(), rng());
    let old = keys.sign(&claims());
    // Made before the rotation, it knows the next key already.
    let before = verifier(&keys);
    keys.rotate(at(NOW), TimeDelta::seconds(900), &mut StdRng::seed_from_u64(9));
    let new = keys.sign(&claims());
    assert!(before.verify(&new, at(NOW)).is_ok());
    assert!(verifier(&keys).verify(&old, at(NOW)).is_ok());

    let far = i64::from(MAX_LEEWAY_SECONDS) + 900;
    assert_eq!(verifier(&keys).verify(&old, at(NOW + far)), Err(TokenError::UnknownKey));
    keys.forget_expired(at(NOW + far));
    assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 2);
    keys.rotate(at(NOW + far), TimeDelta::seconds(900), &mut rng);
    assert!(keys.rotation_due(at(NOW + far + 60), TimeDelta::seconds(60)));
    assert!(!keys.rotation_due(at(NOW + far + 59), TimeDelta::seconds(60)));
}

#[test]
fn the_published_keys_check_the_tokens() {
    let mut keys = keys();
    let old = keys.sign(&claims());
    keys.rotate(at(NOW), TimeDelta::seconds(900), &mut StdRng::seed_from_u64(9));
    let published = Jwks::parse(keys.jwks().to_string().as_bytes()).unwrap();
    for token in [old, keys.sign(&claims())] {
        let token = crate::jose::Compact::parse(&token).unwrap();
        assert_eq!(published.verify(&token, &crate::jose::Algorithm::ALL), Ok(()));
    }
    let text = keys.jwks().to_string();
    assert!(!text.contains("\"d\""), "{text}");
}

#[test]
fn stored_keys_come_back_whole() {
    let mut keys = keys();
    keys.rotate(at(NOW), TimeDelta::seconds(900), &mut StdRng::seed_from_u64(9));
    let stored = keys.to_secret_bytes();
    let again = SigningKeys::from_secret_bytes(&stored).unwrap();
    assert_eq!(again.jwks(), keys.jwks());
    assert_eq!(again.to_secret_bytes(), stored);
    assert_eq!(again.sign(&claims()), keys.sign(&claims()));
    assert!(!format!("{keys:?}").contains("seed"));
    for len in 0..stored.len() {
        // A whole retired key may be missing; that is a well-formed store, too.
        if len != stored.len() - 40 {
            assert!(SigningKeys::from_secret_bytes(&stored[..len]).is_err(), "{len}");
        }
    }
}

#[test]
fn a_key_id_is_the_thumbprint_of_rfc_8037() {
    let public = testing::decode(testing::ED25519_X).try_into().unwrap();
    assert_eq!(signing_keys::kid(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

proptest! {
    #[test]
    fn any_bytes_are_stored_keys_or_refused(bytes: Vec<u8>) {
        let _ = SigningKeys::from_secret_bytes(&bytes);
    }

    #[test]
    fn any_text_is_refused(token: String) {
        prop_assert!(verify_at(NOW, &token).is_err());
    }
}
