use poem::http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use super::{
    Policy, Quota,
    bucket::{Draw, Rate},
};
use crate::problem::{Code, Problem};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Where a caller stands with one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub policy: Policy,
    pub quota: Quota,
    /// Requests that would pass now.
    pub remaining: u32,
    /// Until the request that was refused would pass; 0 when it was not refused.
    pub retry_after_s: u64,
    /// Until the bucket is full.
    pub full_in_s: u64,
}

impl Standing {
    pub(super) fn new(policy: Policy, quota: Quota, draw: Draw) -> Self {
        let Rate { interval, depth } = quota.into();
        let remaining = depth.saturating_sub(draw.full_in) / interval;
        Self {
            policy,
            quota,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            retry_after_s: seconds(draw.wait),
            full_in_s: seconds(draw.full_in),
        }
    }

    pub fn refused(&self) -> bool {
        self.retry_after_s > 0
    }

    pub(crate) fn problem(&self) -> Problem {
        let (name, Quota { limit, window, .. }) = (self.policy.name(), self.quota);
        let detail = format!("more than {limit} requests within {window:?} (`{name}`)");
        Problem::new(Code::TooManyRequests, detail).retry_after(self.retry_after_s)
    }

    /// The fields of draft-ietf-httpapi-ratelimit-headers, and `Retry-After` of RFC 9110 where the
    /// request was refused.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let (name, quota) = (self.policy.name(), self.quota);
        let policy = format!("\"{name}\";q={};w={}", quota.limit, quota.window.as_secs());
        let reset_s = if self.refused() { self.retry_after_s } else { self.full_in_s };
        let now = format!("\"{name}\";r={};t={reset_s}", self.remaining);
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, now)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        if self.refused() {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after_s));
        }
    }
}

fn seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000_000_000)
}
