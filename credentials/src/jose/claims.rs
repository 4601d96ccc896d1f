use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

use super::TokenError;

/// Seconds since 1970. The standard allows fractions, which are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(pub i64);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64));
        seconds.map(Self).ok_or_else(|| serde::de::Error::custom("not a time in seconds"))
    }
}

/// One value or a list of them, as `aud` has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// When a token holds.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub issued_at: Option<i64>,
    pub not_before: Option<i64>,
    pub expires_at: i64,
}

impl Times {
    /// `leeway` is in seconds and is granted to clocks that differ.
    pub fn check(self, now: DateTime<Utc>, leeway: u32) -> Result<(), TokenError> {
        let (now, leeway) = (now.timestamp(), i64::from(leeway));
        if self.expires_at.saturating_add(leeway) <= now {
            return Err(TokenError::Expired);
        }
        let latest_start = self.issued_at.max(self.not_before);
        if latest_start.is_some_and(|start| start > now.saturating_add(leeway)) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}
