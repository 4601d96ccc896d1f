use proptest::prelude::*;
use ring::signature::KeyPair;
use serde_json::{Value, json};

use super::{testing::*, *};

fn jwks(keys: &[Value]) -> Jwks {
    Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn verify(keys: &[Value], token: &str) -> Result<(), TokenError> {
    jwks(keys).verify(&Compact::parse(token)?, &Algorithm::ALL)
}

#[test]
fn the_signature_of_rfc_8037_holds() {
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(verify(&[ed25519_jwk("a")], token), Ok(()));
}

#[test]
fn the_signature_of_rfc_7515_holds() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert_eq!(verify(&[rsa_jwk("a")], token), Ok(()));
    let claims: Value = Compact::parse(token).unwrap().claims().unwrap();
    assert_eq!(claims["iss"], "joe");
}

#[test]
fn each_algorithm_is_checked_by_its_own_kind_of_key_alone() {
    let p256 = p256();
    let keys = [ed25519_jwk("ed"), rsa_jwk("rsa"), p256_jwk("ec", p256.public_key().as_ref())];
    let signed = |algorithm: &str, kid: &str, message: &[u8]| match algorithm {
        "EdDSA" => (kid == "ed", sign_ed25519(message)),
        "ES256" => (kid == "ec", sign_p256(&p256, message)),
        "RS256" => (kid == "rsa", sign_rs256(message)),
        _ => (kid == "rsa", sign_ps256(message)),
    };
    for algorithm in ["EdDSA", "ES256", "RS256", "PS256"] {
        for kid in ["ed", "ec", "rsa"] {
            let header = json!({ "alg": algorithm, "kid": kid });
            let mut fits = false;
            let token = token(&header, &json!({}), |message| {
                let (own, signature) = signed(algorithm, kid, message);
                fits = own;
                signature
            });
            let wanted = if fits { Ok(()) } else { Err(TokenError::Algorithm) };
            assert_eq!(verify(&keys, &token), wanted, "{algorithm} {kid}");
        }
    }
}

#[test]
fn a_key_that_names_its_algorithm_serves_no_other() {
    let mut key = rsa_jwk("rsa");
    key["alg"] = json!("PS256");
    let token = token(&json!({ "alg": "RS256", "kid": "rsa" }), &json!({}), sign_rs256);
    assert_eq!(verify(&[key], &token), Err(TokenError::Algorithm));
}

#[test]
fn a_token_cannot_do_without_a_signature_or_make_a_secret_of_a_public_key() {
    for algorithm in ["none", "None", "nOnE", "HS256", "HS512", "ES384", "", "eddsa"] {
        let header = json!({ "alg": algorithm, "kid": "rsa" });
        let hmac = |message: &[u8]| {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &decode(RSA_N));
            ring::hmac::sign(&key, message).as_ref().to_vec()
        };
        let forged = token(&header, &json!({}), hmac);
        assert_eq!(verify(&[rsa_jwk("rsa")], &forged), Err(TokenError::Algorithm), "{algorithm}");
        let unsigned = token(&header, &json!({}), |_| vec![]);
        assert_eq!(verify(&[rsa_jwk("rsa")], &unsigned), Err(TokenError::Algorithm), "{algorithm}");
    }
}

#[test]
fn keys_and_addresses_inside_a_token_are_not_used() {
    let p256 = p256();
    let own = p256_jwk("ed", p256.public_key().as_ref());
    let header = json!({ "alg": "ES256", "kid": "ed", "jwk": own, "jku": "http://127.0.0.1/keys" });
    let forged = token(&header, &json!({}), |message| sign_p256(&p256, message));
    assert_eq!(verify(&[ed25519_jwk("ed")], &forged), Err(TokenError::Algorithm));
}

#[test]
fn critical_extensions_are_refused() {
    let header = json!({ "alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false });
    let token = token(&header, &json!({}), sign_ed25519);
    assert_eq!(verify(&[ed25519_jwk("ed")], &token), Err(TokenError::Critical));
}

#[test]
fn an_unknown_key_id_is_told_from_a_wrong_signature() {
    let signed =
        |kid: &str| token(&json!({ "alg": "EdDSA", "kid": kid }), &json!({}), sign_ed25519);
    assert_eq!(verify(&[ed25519_jwk("ed")], &signed("other")), Err(TokenError::UnknownKey));
    let mut tampered = signed("ed");
    tampered.replace_range(tampered.len() - 20..tampered.len() - 19, "_");
    assert_eq!(verify(&[ed25519_jwk("ed")], &tampered), Err(TokenError::Signature));
}

#[test]
fn without_a_key_id_only_a_single_fitting_key_is_tried() {
    let signed = token(&json!({ "alg": "EdDSA" }), &json!({}), sign_ed25519);
    assert_eq!(verify(&[ed25519_jwk("a"), rsa_jwk("b")], &signed), Ok(()));
    let two = [ed25519_jwk("a"), ed25519_jwk("b")];
    assert_eq!(verify(&two, &signed), Err(TokenError::UnknownKey));
}

#[test]
fn what_is_not_a_token_is_refused_in_every_form() {
    let good = token(&json!({ "alg": "EdDSA" }), &json!({}), sign_ed25519);
    let parts: Vec<_> = good.split('.').collect();
    let bad = [
        String::new(),
        "..".to_owned(),
        parts[..2].join("."),
        format!("{good}."),
        format!("{good}="),
        format!("{good}.{}", parts[2]),
        format!(" {good}"),
        format!("e30.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", encode(r#"{"alg":"EdDSA","alg":"none"}"#), parts[1], parts[2]),
        format!("{}.{}.{}", encode("[]"), parts[1], parts[2]),
    ];
    for bad in bad {
        assert_eq!(verify(&[ed25519_jwk("a")], &bad), Err(TokenError::Malformed), "{bad}");
    }
    let long = format!("{good}{}", "A".repeat(MAX_TOKEN));
    assert_eq!(verify(&[ed25519_jwk("a")], &long), Err(TokenError::TooLong));
}

#[test]
fn key_sets_are_bounded_and_read_as_far_as_they_are_understood() {
    let mut encryption = rsa_jwk("enc");
    encryption["use"] = json!("enc");
    let odd = json!({ "kty": "EC", "crv": "P-521", "kid": "odd", "x": "AA", "y": "AA" });
    let secret = json!({ "kty": "oct", "kid": "secret", "k": "AAAA" });
    let set = jwks(&[odd.clone(), json!(7), secret, encryption, ed25519_jwk("ed")]);
    assert!(set.knows(Some("ed")));
    for kid in ["odd", "secret", "enc"] {
        assert!(!set.knows(Some(kid)), "{kid}");
    }
    let parse = |text: &str| Jwks::parse(text.as_bytes());
    assert_eq!(parse(&json!({ "keys": [odd] }).to_string()), Err(JwksError::Empty));
    assert_eq!(parse("{}"), Err(JwksError::Malformed));
    assert_eq!(parse(&" ".repeat(MAX_JWKS_BYTES + 1)), Err(JwksError::TooLarge));
}

#[test]
fn weak_rsa_keys_check_nothing() {
    let mut short = rsa_jwk("rsa");
    short["n"] = json!(&RSA_N[..168]);
    let token = token(&json!({ "alg": "RS256", "kid": "rsa" }), &json!({}), sign_rs256);
    assert_eq!(verify(&[short], &token), Err(TokenError::Signature));
}

proptest! {
    #[test]
    fn any_text_is_refused(text in "[A-Za-z0-9_.-]{0,200}|\\PC{0,40}", header in "\\PC{0,40}") {
        let built = format!("{}.{}.{}", encode(&header), encode(&text), encode(&text));
        prop_assert!(verify(&[ed25519_jwk("a")], &text).is_err());
        prop_assert!(verify(&[ed25519_jwk("a")], &built).is_err());
        let _ = Jwks::parse(text.as_bytes());
    }

    #[test]
    fn a_token_with_one_changed_byte_is_refused(at in 0_usize..100, byte in "[A-Za-z0-9_.-]") {
        let mut changed = token(&json!({ "alg": "EdDSA", "kid": "ed" }), &json!({ "sub": "ada" }), sign_ed25519);
        let at = at % changed.len();
        let same = changed[at..=at] == byte;
        changed.replace_range(at..=at, &byte);
        prop_assert_eq!(verify(&[ed25519_jwk("ed")], &changed).is_ok(), same);
    }
}

#[test]
fn what_a_token_claims_to_be_can_be_read_before_it_is_checked() {
    let claims = json!({ "iss": "https://id.example" });
    let token = token(&json!({ "alg": "none", "kid": "a" }), &claims, |_| vec![]);
    let read = Unverified::read(&token).unwrap();
    assert_eq!(read.kid.as_deref(), Some("a"));
    assert_eq!(read.issuer.as_deref(), Some("https://id.example"));
    assert_eq!(Unverified::read("x"), Err(TokenError::Malformed));
}
