use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::jose::testing;

const CREATED: i64 = 1_618_884_473;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(CREATED + seconds, 0).unwrap()
}

/// The request of RFC 9421, appendix B.2.
const REQUEST: SignedRequest<'static> = SignedRequest {
    method: "POST",
    scheme: "https",
    authority: "example.com",
    path: "/foo",
    query: Some("param=Value&Pet=dog"),
    headers: &[
        ("Host", "example.com"),
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Digest", DIGEST),
        ("Content-Length", "18"),
    ],
};

const DIGEST: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const BODY: &[u8] = br#"{"hello": "world"}"#;

const HMAC_INPUT: &str =
    r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
const HMAC: &str = "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:";
const ED25519_INPUT: &str = r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
const ED25519: &str = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";

fn hmac_key() -> SignatureKey {
    let secret =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    SignatureKey::hmac_sha256(&STANDARD.decode(secret).unwrap())
}

fn ed25519_key() -> SignatureKey {
    let public = testing::decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs");
    SignatureKey::Ed25519(public.try_into().unwrap())
}

fn policy() -> SignaturePolicy {
    SignaturePolicy {
        required: vec![],
        max_age_seconds: 300,
        leeway_seconds: 5,
        nonce_required: false,
    }
}

fn verify(
    input: &str,
    signature: &str,
    key: &SignatureKey,
    request: &SignedRequest<'_>,
) -> Result<(), SignatureError> {
    RequestSignature::parse(input, signature)?.verify(request, key, &policy(), at(0))
}

#[test]
fn the_signatures_of_rfc_9421_hold() {
    assert_eq!(verify(HMAC_INPUT, HMAC, &hmac_key(), &REQUEST), Ok(()));
    assert_eq!(verify(ED25519_INPUT, ED25519, &ed25519_key(), &REQUEST), Ok(()));
    let read = RequestSignature::parse(ED25519_INPUT, ED25519).unwrap();
    assert_eq!(
        (read.keyid.as_str(), read.created, read.expires),
        ("test-key-ed25519", CREATED, None)
    );
}

#[test]
fn whatever_is_covered_cannot_be_changed() {
    let changed = [
        SignedRequest { method: "PUT", ..REQUEST },
        SignedRequest { path: "/bar", ..REQUEST },
        SignedRequest { authority: "example.org", ..REQUEST },
        SignedRequest {
            headers: &[
                ("date", "Tue, 20 Apr 2021 02:07:56 GMT"),
                ("content-type", "application/json"),
                ("content-length", "18"),
            ],
            ..REQUEST
        },
    ];
    for request in changed {
        let refused = verify(ED25519_INPUT, ED25519, &ed25519_key(), &request);
        assert_eq!(refused, Err(SignatureError::Signature), "{request:?}");
    }
    let same = SignedRequest { authority: "EXAMPLE.com:443", query: None, ..REQUEST };
    assert_eq!(verify(ED25519_INPUT, ED25519, &ed25519_key(), &same), Ok(()));
}

/// Signs what the test asks for with a key of its own.
fn signed(components: &str, params: &str, request: &SignedRequest<'_>) -> (String, String) {
    let input = format!("sig=({components});created={CREATED};keyid=\"k\"{params}");
    let unsigned = RequestSignature::parse(&input, "sig=:AA==:").unwrap();
    let signature = testing::sign_ed25519(request.base(&unsigned).unwrap().as_bytes());
    (input, format!("sig=:{}:", STANDARD.encode(signature)))
}

fn own_key() -> SignatureKey {
    SignatureKey::Ed25519(testing::decode(testing::ED25519_X).try_into().unwrap())
}

#[test]
fn derived_components_are_those_of_the_standard() {
    let read = RequestSignature::parse(
        r#"sig=("@method" "@target-uri" "@authority" "@scheme" "@path" "@query" "x-list");created=1;keyid="k""#,
        "sig=:AA==:",
    );
    let request = SignedRequest {
        scheme: "HTTPS",
        authority: "Example.com:8443",
        path: "",
        headers: &[("X-List", " a "), ("other", "x"), ("x-list", "b,\tc")],
        ..REQUEST
    };
    let base = request.base(&read.unwrap()).unwrap();
    let wanted = [
        r#""@method": POST"#,
        r#""@target-uri": https://example.com:8443/?param=Value&Pet=dog"#,
        r#""@authority": example.com:8443"#,
        r#""@scheme": https"#,
        r#""@path": /"#,
        r#""@query": ?param=Value&Pet=dog"#,
        "\"x-list\": a, b,\tc",
        r#""@signature-params": ("@method" "@target-uri" "@authority" "@scheme" "@path" "@query" "x-list");created=1;keyid="k""#,
    ];
    assert_eq!(base, wanted.join("\n"));
}

#[test]
fn what_is_not_known_or_not_there_cannot_be_covered() {
    for name in ["@status", "@request-target", "x-missing", "Date", "@signature-params"] {
        let input = format!("sig=(\"{name}\");created={CREATED};keyid=\"k\"");
        let refused = verify(&input, "sig=:AA==:", &own_key(), &REQUEST);
        assert_eq!(refused, Err(SignatureError::Component(name.to_owned())));
    }
    let split = SignedRequest { headers: &[("x", "a\nb")], ..REQUEST };
    let input = format!("sig=(\"x\");created={CREATED};keyid=\"k\"");
    let refused = verify(&input, "sig=:AA==:", &own_key(), &split);
    assert_eq!(refused, Err(SignatureError::Component("x".to_owned())));
    let parameter = format!("sig=(\"date\";bs);created={CREATED};keyid=\"k\"");
    let refused = verify(&parameter, "sig=:AA==:", &own_key(), &REQUEST);
    assert_eq!(refused, Err(SignatureError::Component("date".to_owned())));
}

#[test]
fn what_is_required_must_be_covered() {
    let (input, signature) = signed("\"@method\"", "", &REQUEST);
    let read = RequestSignature::parse(&input, &signature).unwrap();
    let verify = |policy| read.verify(&REQUEST, &own_key(), &policy, at(0));
    assert_eq!(verify(policy()), Ok(()));
    let required = vec!["@method".to_owned(), "content-digest".to_owned()];
    let refused = verify(SignaturePolicy { required, ..policy() });
    assert_eq!(refused, Err(SignatureError::NotCovered("content-digest".to_owned())));
    let refused = verify(SignaturePolicy { nonce_required: true, ..policy() });
    assert_eq!(refused, Err(SignatureError::Missing("nonce")));
}

#[test]
fn a_signature_holds_for_a_while() {
    let verify = |params: &str, seconds: i64| {
        let (input, signature) = signed("\"@method\"", params, &REQUEST);
        let read = RequestSignature::parse(&input, &signature).unwrap();
        read.verify(&REQUEST, &own_key(), &policy(), at(seconds))
    };
    assert_eq!(verify("", -5), Ok(()));
    assert_eq!(verify("", -6), Err(SignatureError::NotYetValid));
    assert_eq!(verify("", 304), Ok(()));
    assert_eq!(verify("", 305), Err(SignatureError::Expired));
    let short = format!(";expires={}", CREATED + 10);
    assert_eq!(verify(&short, 14), Ok(()));
    assert_eq!(verify(&short, 15), Err(SignatureError::Expired));
    let long = format!(";expires={}", CREATED + 9999);
    assert_eq!(verify(&long, 305), Err(SignatureError::Expired));
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let (input, signature) = signed("\"@method\"", ";alg=\"hmac-sha256\"", &REQUEST);
    assert_eq!(verify(&input, &signature, &own_key(), &REQUEST), Err(SignatureError::Algorithm));
    let (input, signature) = signed("\"@method\"", ";alg=\"ed25519\"", &REQUEST);
    assert_eq!(verify(&input, &signature, &own_key(), &REQUEST), Ok(()));
    // The public key as a shared secret.
    let confused = SignatureKey::hmac_sha256(&testing::decode(testing::ED25519_X));
    let (input, signature) = signed("\"@method\"", "", &REQUEST);
    assert_eq!(verify(&input, &signature, &confused, &REQUEST), Err(SignatureError::Signature));
}

#[test]
fn fields_that_are_not_what_they_should_be_are_refused() {
    let refused =
        |input: &str, signature: &str| RequestSignature::parse(input, signature).unwrap_err();
    let input = r#"sig=("@method");created=1;keyid="k""#;
    assert_eq!(refused("", "sig=:AA==:"), SignatureError::Malformed("Signature-Input"));
    assert_eq!(refused("sig=1", "sig=:AA==:"), SignatureError::Malformed("Signature-Input"));
    assert_eq!(refused(input, ""), SignatureError::Malformed("Signature"));
    assert_eq!(refused(input, "other=:AA==:"), SignatureError::Malformed("Signature"));
    assert_eq!(refused(input, "sig=\"AA\""), SignatureError::Malformed("Signature"));
    assert_eq!(
        refused(&format!("{input}, b={}", &input[4..]), "sig=:AA==:"),
        SignatureError::Several
    );
    assert_eq!(
        refused("sig=(\"@method\");created=1", "sig=:AA==:"),
        SignatureError::Missing("keyid")
    );
    assert_eq!(
        refused("sig=(\"@method\");keyid=\"k\"", "sig=:AA==:"),
        SignatureError::Missing("created")
    );
    let twice = r#"sig=("@method" "@method");created=1;keyid="k""#;
    assert_eq!(refused(twice, "sig=:AA==:"), SignatureError::Malformed("Signature-Input"));
    let long = format!("{input};x=\"{}\"", "y".repeat(MAX_FIELD_BYTES));
    assert_eq!(refused(&long, "sig=:AA==:"), SignatureError::Malformed("Signature-Input"));
}

#[test]
fn a_body_is_known_by_its_digest() {
    assert_eq!(check_content_digest(DIGEST, BODY), Ok(()));
    let sha256 = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    assert_eq!(check_content_digest(sha256, BODY), Ok(()));
    assert_eq!(check_content_digest(&format!("md5=:AA==:, {sha256}, {DIGEST}"), BODY), Ok(()));
    assert_eq!(check_content_digest(sha256, b"{}"), Err(SignatureError::Digest));
    assert_eq!(
        check_content_digest(&format!("{sha256}, sha-512=:AA==:"), BODY),
        Err(SignatureError::Digest)
    );
    for bad in ["", "md5=:AA==:", "sha-256=1", "sha-256", "sha-256=(:AA==:)"] {
        let refused = check_content_digest(bad, BODY);
        assert_eq!(refused, Err(SignatureError::Malformed("Content-Digest")), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_fields_are_read_or_refused(input in "(sig=\\()?\\PC{0,80}", signature in "(sig=:)?\\PC{0,80}") {
        let _ = verify(&input, &signature, &own_key(), &REQUEST);
        let _ = check_content_digest(&input, signature.as_bytes());
    }
}
