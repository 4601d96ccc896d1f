//! Tokens in cookies, for browsers, and what keeps other sites from using them.

use poem::{
    Request,
    http::{HeaderName, HeaderValue, Method, header},
};

use crate::{
    frame::Scope,
    problem::{Code, Problem},
    state::App,
};

/// With `true` tokens are given in cookies.
pub(crate) const WANTED: HeaderName = HeaderName::from_static("millrace-cookies");
/// What a page sends with every request that may change something.
pub(crate) const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
/// Only a page of the same site as the request was made by can have read the token.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a token against forged requests is made for.
const PURPOSE: &str = "csrf";

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Refresh,
    /// The one that pages read, to send it along.
    Csrf,
    /// A sign-in at a provider that has begun.
    Login,
}

impl Kind {
    /// What a browser has that is signed in.
    const OF_SESSION: [Self; 3] = [Self::Access, Self::Refresh, Self::Csrf];

    /// With the prefix a browser takes it from this host alone, and over TLS.
    fn name(self, insecure: bool) -> &'static str {
        match (self, insecure) {
            (Self::Access, false) => "__Host-millrace-access",
            (Self::Refresh, false) => "__Host-millrace-refresh",
            (Self::Csrf, false) => "__Host-millrace-csrf",
            (Self::Login, false) => "__Host-millrace-login",
            (Self::Access, true) => "millrace-access",
            (Self::Refresh, true) => "millrace-refresh",
            (Self::Csrf, true) => "millrace-csrf",
            (Self::Login, true) => "millrace-login",
        }
    }
}

/// The value of the cookie, if the request carries it once.
pub(crate) fn read<'a>(app: &App, request: &'a Request, kind: Kind) -> Option<&'a str> {
    let name = kind.name(app.options.insecure_cookies);
    let lines = request.headers().get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut own = pairs.filter_map(|pair| {
        pair.trim().split_once('=').filter(|(given, _)| *given == name).map(|(_, value)| value)
    });
    let value = own.next().filter(|value| !value.is_empty());
    if own.next().is_some() { None } else { value }
}

/// Lets the browser keep the value for so long.
pub(crate) fn set(app: &App, scope: &Scope, kind: Kind, value: &str, max_age_s: i64) {
    let insecure = app.options.insecure_cookies;
    let secure = if insecure { "" } else { "; Secure" };
    let http_only = if kind == Kind::Csrf { "" } else { "; HttpOnly" };
    // Browsers come back from providers by a link of another site.
    let site = if kind == Kind::Login { "Lax" } else { "Strict" };
    let name = kind.name(insecure);
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={max_age_s}; SameSite={site}{secure}{http_only}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        scope.add_cookie(cookie);
    }
}

/// Lets a browser that signed in by cookies forget all of them.
pub(crate) fn forget(app: &App, scope: &Scope) {
    if scope.by_cookie() {
        Kind::OF_SESSION.into_iter().for_each(|kind| set(app, scope, kind, "", 0));
    }
}

/// The token that a page of the session sends along.
pub(crate) fn csrf_token(links: &vault::LinkKey, session: &str, nonce: &str) -> String {
    format!("{nonce}.{}", links.token(PURPOSE, session, nonce).expose())
}

/// Refuses what another site made a browser send: a browser adds cookies to that as well, but not the
/// token of the session, which another site cannot read, and it says where the request is from.
pub(crate) fn check(
    app: &App,
    links: &vault::LinkKey,
    request: &Request,
    session: &str,
) -> Result<(), Problem> {
    let upgrades = request.headers().contains_key(header::UPGRADE);
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe && !upgrades {
        return Ok(());
    }
    check_origin(app, request)?;
    if safe {
        return Ok(());
    }
    let given = request.header(&CSRF).unwrap_or_default();
    let holds = given
        .split_once('.')
        .is_some_and(|(nonce, token)| links.verify(PURPOSE, session, nonce, token));
    if holds {
        return Ok(());
    }
    let detail = "a request by cookie needs the token of its session in `X-CSRF-Token`";
    Err(Problem::new(Code::CsrfRefused, detail))
}

/// A browser names the origin of whatever may change something.
fn check_origin(app: &App, request: &Request) -> Result<(), Problem> {
    let refused = || Problem::new(Code::CsrfRefused, "the request was made by another site");
    let site = request.header(&FETCH_SITE);
    if site.is_some_and(|site| site == "cross-site") {
        return Err(refused());
    }
    let Some(origin) = request.header(header::ORIGIN) else { return Ok(()) };
    let named = app.options.cors_origins.iter().any(|known| known == origin);
    let own = match &app.options.public_url {
        Some(url) => url.origin().ascii_serialization() == origin,
        None => origin
            .split_once("://")
            .is_some_and(|(_, host)| request.header(header::HOST) == Some(host)),
    };
    if named || own { Ok(()) } else { Err(refused()) }
}
