use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::ids::UserId;
use journal::{Clock, Origin};
use poem::{
    Addr, Request,
    http::{HeaderMap, HeaderValue, header},
    web::RemoteAddr,
};

use super::{headers::REQUEST_ID, proxies::Proxies};
use crate::{cookies, limits::Standing, problem::Problem};

/// Longest request id taken from a client.
const MAX_REQUEST_ID: usize = 128;

/// What is known of a request before anybody looks at it.
#[derive(Debug)]
pub(crate) struct Scope {
    pub request_id: String,
    pub trace: Trace,
    /// Of the client, behind the proxies that are trusted. None when the connection has no such thing.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The operation that is asked for, once that is known.
    pub operation: OnceLock<&'static str>,
    /// Where the caller stands with the limit that is nearest.
    standing: Mutex<Option<Standing>>,
    /// Whether tokens are to be given in cookies.
    pub wants_cookies: bool,
    /// Whether a cookie said who calls.
    by_cookie: AtomicBool,
    /// Those that the answer sets.
    cookies: Mutex<Vec<HeaderValue>>,
}

/// A W3C trace context: of the client when it sent a valid one, else a new one.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    traceparent: String,
}

impl Scope {
    pub fn of(request: &Request, clock: &dyn Clock, proxies: &Proxies) -> Self {
        let request_id = request_id(request.headers(), clock);
        let trace = request
            .header("traceparent")
            .and_then(Trace::parse)
            .unwrap_or_else(|| Trace::fresh(clock));
        let address = match request.remote_addr() {
            RemoteAddr(Addr::SocketAddr(peer)) => {
                Some(proxies.client(peer.ip(), request.headers()))
            }
            RemoteAddr(_) => None,
        };
        let user_agent = request.header(header::USER_AGENT).map(str::to_owned);
        Self {
            request_id,
            trace,
            address,
            user_agent,
            operation: OnceLock::new(),
            standing: Mutex::default(),
            wants_cookies: request.header(&cookies::WANTED) == Some("true"),
            by_cookie: AtomicBool::new(false),
            cookies: Mutex::default(),
        }
    }

    /// What the events of a command that the request gives say of it.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let operation = self.operation.get().map(|id| ("operation".to_owned(), (*id).to_owned()));
        let fixed = [
            ("request_id".to_owned(), self.request_id.clone()),
            ("traceparent".to_owned(), self.trace.traceparent().to_owned()),
        ];
        fixed.into_iter().chain(operation).collect()
    }

    /// Where the request came from. `person` says whose command it is, where the actor does not.
    pub fn origin(&self, person: Option<UserId>) -> Origin {
        Origin { address: self.address, user_agent: self.user_agent.clone(), person }
    }

    /// Remembers where the caller stands; refuses when that is too far.
    pub fn note(&self, standing: Standing) -> Result<(), Problem> {
        let mut nearest = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.refused() || nearest.is_none_or(|other| standing.remaining < other.remaining) {
            *nearest = Some(standing);
        }
        if standing.refused() { Err(standing.problem()) } else { Ok(()) }
    }

    pub fn note_cookie(&self) {
        self.by_cookie.store(true, Ordering::Relaxed);
    }

    pub fn by_cookie(&self) -> bool {
        self.by_cookie.load(Ordering::Relaxed)
    }

    pub fn add_cookie(&self, cookie: HeaderValue) {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).push(cookie);
    }

    pub fn take_cookies(&self) -> Vec<HeaderValue> {
        std::mem::take(&mut *self.cookies.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn standing(&self) -> Option<Standing> {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scope that the frame gave to the request.
    pub fn from_request(request: &Request) -> Option<&Arc<Self>> {
        request.data()
    }
}

impl Trace {
    /// Version 00 of the header: version, trace id, parent id and flags in hexadecimal.
    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let version = parts.next()?;
        let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, len| {
            text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let not_zero = |text: &str| text.bytes().any(|b| b != b'0');
        let fits = hex(version, 2)
            && version != "ff"
            && hex(trace, 32)
            && not_zero(trace)
            && hex(parent, 16)
            && not_zero(parent)
            && hex(flags, 2)
            && (version != "00" || parts.next().is_none());
        fits.then(|| Self { traceparent: format!("00-{trace}-{parent}-{flags}") })
    }

    fn fresh(clock: &dyn Clock) -> Self {
        // The tail of a UUIDv7 is random; its head is the time.
        let (trace, parent) = (clock.new_id().simple().to_string(), clock.new_id().as_u128());
        Self { traceparent: format!("00-{trace}-{:016x}-01", (parent as u64).max(1)) }
    }

    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    pub fn trace_id(&self) -> &str {
        &self.traceparent[3..35]
    }
}

/// The one the client chose if it is one, else a new one.
pub(super) fn request_id(headers: &HeaderMap, clock: &dyn Clock) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    given
        .filter(|id| is_request_id(id))
        .map_or_else(|| clock.new_id().simple().to_string(), str::to_owned)
}

fn is_request_id(text: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use journal::SystemClock;

    use super::*;

    #[test]
    fn a_valid_traceparent_is_kept_and_others_are_replaced() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(Trace::parse(given).unwrap().traceparent(), given);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert!(Trace::parse(bad).is_none(), "{bad} was taken");
        }
        let fresh = Trace::fresh(&SystemClock);
        assert!(Trace::parse(fresh.traceparent()).is_some());
        assert_eq!(fresh.trace_id().len(), 32);
    }

    #[test]
    fn a_request_id_cannot_smuggle_anything_into_a_log_line() {
        assert!(is_request_id("01J9-abc_DEF.2"));
        for bad in ["", "a b", "a\nb", "a\"b", "é", &"x".repeat(129)] {
            assert!(!is_request_id(bad));
        }
    }
}
