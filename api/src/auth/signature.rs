//! Signed requests (RFC 9421) of keys that demand them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use credentials::http_signature::{
    RequestSignature, SignatureError, SignatureKey, SignaturePolicy, SignedRequest,
    check_content_digest,
};
use poem::{
    Request, RequestBody,
    http::{HeaderMap, header},
};
use projections::organizations::{ApiKeyRow, take_nonce};
use sha2::{Digest, Sha256};

use crate::{
    problem::{Code, Problem},
    state::App,
};

/// How old a signature may be, and how far clocks may differ.
const MAX_AGE_S: u32 = 300;
const LEEWAY_S: u32 = 5;

const INPUT: &str = "signature-input";
const SIGNATURE: &str = "signature";
const DIGEST: &str = "content-digest";

/// Refuses a request by a key that demands a signature and has none that holds.
pub(super) async fn check(
    app: &App,
    request: &Request,
    body: &mut RequestBody,
    key: &ApiKeyRow,
) -> Result<(), Problem> {
    let Some(signing_key) = key.signing_key.as_deref() else { return Ok(()) };
    let headers = request.headers();
    let (Some(input), Some(signature)) = (one(headers, INPUT)?, one(headers, SIGNATURE)?) else {
        let detail = "the key demands `Signature-Input` and `Signature`";
        return Err(Problem::new(Code::SignatureRequired, detail));
    };
    let signature = RequestSignature::parse(input, signature)?;
    if signature.keyid != key.key_id.to_string() {
        return Err(invalid(format!("`keyid` must be the id of the key, {}", key.key_id)));
    }
    let public = URL_SAFE_NO_PAD.decode(signing_key).ok().and_then(|key| key.try_into().ok());
    let public = public.ok_or_else(|| Problem::new(Code::Internal, "the signing key is none"))?;
    let digested = check_body(headers, body).await?;
    let policy = policy(&signature, digested);
    let now = app.journal.clock().now();
    let named = named(headers);
    let (scheme, authority) = seen_from_outside(app, headers);
    let uri = request.original_uri();
    let signed = SignedRequest {
        method: request.method().as_str(),
        scheme: &scheme,
        authority: &authority,
        path: uri.path(),
        query: uri.query(),
        headers: &named,
    };
    signature.verify(&signed, &SignatureKey::Ed25519(public), &policy, now)?;
    let nonce = Sha256::digest(signature.nonce.as_deref().unwrap_or_default()).into();
    let kept_until = now + TimeDelta::seconds(i64::from(MAX_AGE_S + 2 * LEEWAY_S));
    let fresh = take_nonce(app.journal.pool(), key.key_id, &nonce, kept_until).await;
    match fresh.map_err(|error| Problem::unavailable(&error))? {
        true => Ok(()),
        false => Err(invalid("the nonce was used before; sign each request anew".to_owned())),
    }
}

/// The whole target must be signed, in one of the two ways to say it.
fn policy(signature: &RequestSignature, digested: bool) -> SignaturePolicy {
    let target: &[&str] =
        if signature.covers("@target-uri") { &["@target-uri"] } else { &["@path", "@query"] };
    let digest = digested.then_some(DIGEST);
    let required = ["@method"].into_iter().chain(target.iter().copied()).chain(digest);
    SignaturePolicy {
        required: required.map(str::to_owned).collect(),
        max_age_seconds: MAX_AGE_S,
        leeway_seconds: LEEWAY_S,
        nonce_required: true,
    }
}

/// Whether there is a body, which must be the one that its digest names. It is there for others still.
async fn check_body(headers: &HeaderMap, body: &mut RequestBody) -> Result<bool, Problem> {
    let Ok(taken) = body.take() else { return Ok(false) };
    let bytes = taken.into_bytes().await.map_err(|error| Problem::internal(&error))?;
    *body = RequestBody::new(bytes.clone().into());
    if bytes.is_empty() {
        return Ok(false);
    }
    let digest = one(headers, DIGEST)?;
    let digest = digest.ok_or_else(|| invalid("the body needs a `Content-Digest`".to_owned()))?;
    check_content_digest(digest, &bytes)?;
    Ok(true)
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str()).transpose();
    match (first, values.next()) {
        (Ok(first), None) => Ok(first),
        _ => Err(invalid(format!("`{name}` must be sent once, in ASCII"))),
    }
}

fn named(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let texts = headers.iter();
    texts.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
}

/// Scheme and authority as clients know them: those of the public address, where there is one.
fn seen_from_outside(app: &App, headers: &HeaderMap) -> (String, String) {
    if let Some(url) = &app.options.public_url {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        return (url.scheme().to_owned(), format!("{host}{port}"));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    ("http".to_owned(), host.unwrap_or_default().to_owned())
}

fn invalid(detail: String) -> Problem {
    Problem::new(Code::SignatureInvalid, detail)
}

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        invalid(error.to_string())
    }
}
