mod bearer;
mod id_token;

use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::*;

fn document() -> Value {
    json!({
        "issuer": "https://id.example",
        "authorization_endpoint": "https://id.example/authorize?tenant=1",
        "token_endpoint": "https://id.example/token",
        "jwks_uri": "https://keys.example/jwks",
        "code_challenge_methods_supported": ["S256"],
    })
}

fn parse(document: &Value) -> Result<Discovery, DiscoveryError> {
    Discovery::parse(document.to_string().as_bytes(), &Issuer::new("https://id.example"))
}

#[test]
fn a_discovery_document_is_read_as_far_as_it_is_used() {
    let mut full = document();
    full["unknown"] = json!({ "a": [1] });
    full["end_session_endpoint"] = json!("https://id.example/logout");
    let discovery = parse(&full).unwrap();
    assert_eq!(discovery.jwks_uri.as_str(), "https://keys.example/jwks");
    assert_eq!(discovery.code_challenge_methods_supported, ["S256"]);
    assert!(discovery.userinfo_endpoint.is_none() && discovery.end_session_endpoint.is_some());
}

#[test]
fn an_issuer_cannot_speak_for_another() {
    for issuer in ["https://id.example/", "https://other.example", "https://ID.example", ""] {
        let mut other = document();
        other["issuer"] = json!(issuer);
        assert_eq!(parse(&other), Err(DiscoveryError::Issuer(issuer.to_owned())));
    }
}

#[test]
fn addresses_are_https_unless_they_are_on_this_machine() {
    for field in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
        for url in
            ["http://id.example/", "file:///etc/passwd", "javascript:alert(1)", "http://10.0.0.1/"]
        {
            let mut bad = document();
            bad[field] = json!(url);
            assert!(matches!(parse(&bad), Err(DiscoveryError::Insecure(_))), "{field} {url}");
        }
        for url in ["http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/"] {
            let mut local = document();
            local[field] = json!(url);
            assert!(parse(&local).is_ok(), "{field} {url}");
        }
    }
}

#[test]
fn a_discovery_document_that_is_large_or_lacks_something_is_refused() {
    let mut lacking = document();
    lacking.as_object_mut().unwrap().remove("jwks_uri");
    assert!(
        matches!(parse(&lacking), Err(DiscoveryError::Malformed(text)) if text.contains("jwks_uri"))
    );
    let large = vec![b' '; MAX_DISCOVERY_BYTES + 1];
    assert_eq!(
        Discovery::parse(&large, &Issuer::new("https://id.example")),
        Err(DiscoveryError::TooLarge)
    );
}

#[test]
fn the_code_challenge_is_that_of_rfc_7636() {
    let challenge = s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn the_browser_is_sent_with_all_that_the_answer_is_checked_by() {
    let flow = CodeFlow::begin(&mut StdRng::seed_from_u64(7));
    let issuer = parse(&document()).unwrap();
    let url = flow.authorization_url(
        issuer.authorization_endpoint.as_ref().unwrap(),
        "client 1",
        "https://mill.example/cb?x=1",
        &["openid", "email"],
    );
    let given: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let wanted = [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "client 1"),
        ("redirect_uri", "https://mill.example/cb?x=1"),
        ("scope", "openid email"),
        ("state", &flow.state),
        ("nonce", &flow.nonce),
        ("code_challenge", &s256(&flow.verifier)),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(given, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!url.as_str().contains(flow.verifier.as_str()));
    assert_eq!(flow.verifier.len(), 43);
}

#[test]
fn an_answer_to_another_login_is_refused() {
    let flow = CodeFlow::begin(&mut StdRng::seed_from_u64(7));
    let other = CodeFlow::begin(&mut StdRng::seed_from_u64(8));
    assert_eq!(flow.check_state(&flow.state), Ok(()));
    for state in ["", &other.state, &flow.state[1..], &flow.nonce] {
        assert_eq!(flow.check_state(state), Err(CodeFlowError::State));
    }
    assert_eq!(format!("{flow:?}"), "CodeFlow(..)");
}
