use std::{cell::OnceCell, collections::BTreeMap, net::IpAddr};

use chrono::{Datelike, Timelike, Weekday};
use chrono_tz::Tz;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plain;
use crate::{Circumstances, Resource};

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    SignedInBy,
    Project,
    Environment,
    /// An attribute of the resource.
    Attribute(String),
}

/// One thing that has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The text is among the values, which are sorted, or is not.
    Text {
        subject: Subject,
        values: Vec<String>,
        among: bool,
    },
    /// The address is in one of the networks, or in none.
    Address {
        networks: Vec<IpNet>,
        inside: bool,
    },
    SecondFactor(bool),
    /// Minutes of the local day, from the first to before the second, over midnight if that is less.
    Between {
        zone: Tz,
        from: u16,
        until: u16,
    },
    Weekdays {
        zone: Tz,
        days: Vec<Weekday>,
    },
    /// Milliseconds since 1970.
    From(i64),
    Until(i64),
}

/// Whether a condition holds, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Holds,
    Fails,
    Unknown,
}

/// What a clock on the wall shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Local {
    pub minute: u16,
    pub weekday: Weekday,
}

impl Local {
    pub const fn weekday_name(self) -> &'static str {
        weekday_name(self.weekday)
    }
}

/// The local times of one moment, worked out when one is asked for.
pub(crate) struct Clock<'a> {
    time: Option<chrono::DateTime<chrono::Utc>>,
    zones: &'a [Tz],
    local: OnceCell<Vec<Local>>,
}

impl<'a> Clock<'a> {
    pub const fn new(time: Option<chrono::DateTime<chrono::Utc>>, zones: &'a [Tz]) -> Self {
        Self { time, zones, local: OnceCell::new() }
    }

    pub fn local(&self, zone: Tz) -> Option<Local> {
        let time = self.time?;
        let at = self.zones.iter().position(|known| *known == zone)?;
        let all = self.local.get_or_init(|| {
            let local = |zone: &Tz| {
                let there = time.with_timezone(zone);
                let minute = u16::try_from(there.hour() * 60 + there.minute()).unwrap_or_default();
                Local { minute, weekday: there.weekday() }
            };
            self.zones.iter().map(local).collect()
        });
        all.get(at).copied()
    }
}

/// What is known when a decision is made.
pub(crate) struct Known<'a> {
    pub circumstances: &'a Circumstances,
    pub attributes: &'a BTreeMap<String, String>,
    pub clock: Clock<'a>,
}

impl<'a> Known<'a> {
    pub fn new(circumstances: &'a Circumstances, resource: &'a Resource, zones: &'a [Tz]) -> Self {
        let clock = Clock::new(circumstances.time, zones);
        Self { circumstances, attributes: &resource.attributes, clock }
    }

    pub fn text(&self, subject: &Subject) -> Option<&'a str> {
        match subject {
            Subject::SignedInBy => self.circumstances.signed_in_by.as_deref(),
            Subject::Project => self.circumstances.project.as_deref(),
            Subject::Environment => self.circumstances.environment.as_deref(),
            Subject::Attribute(name) => self.attributes.get(name).map(String::as_str),
        }
    }

    pub fn address(&self) -> Option<IpAddr> {
        self.circumstances.address.map(plain)
    }

    pub fn milliseconds(&self) -> Option<i64> {
        self.circumstances.time.map(|time| time.timestamp_millis())
    }
}

impl Condition {
    /// Works the condition out by itself. The engine leaves out of its way what cannot match, and
    /// an explanation says which condition failed; what decides is the policy in Cedar's hands.
    pub fn outcome(&self, known: &Known<'_>) -> Outcome {
        match self.holds(known) {
            Some(true) => Outcome::Holds,
            Some(false) => Outcome::Fails,
            None => Outcome::Unknown,
        }
    }

    fn holds(&self, known: &Known<'_>) -> Option<bool> {
        Some(match self {
            Self::Text { subject, values, among } => {
                let text = known.text(subject)?;
                values.binary_search_by(|value| value.as_str().cmp(text)).is_ok() == *among
            }
            Self::Address { networks, inside } => {
                let address = known.address()?;
                networks.iter().any(|network| network.contains(&address)) == *inside
            }
            Self::SecondFactor(wanted) => known.circumstances.second_factor? == *wanted,
            Self::Between { zone, from, until } => {
                let minute = known.clock.local(*zone)?.minute;
                match from < until {
                    true => (*from..*until).contains(&minute),
                    false => minute >= *from || minute < *until,
                }
            }
            Self::Weekdays { zone, days } => days.contains(&known.clock.local(*zone)?.weekday),
            Self::From(moment) => known.milliseconds()? >= *moment,
            Self::Until(moment) => known.milliseconds()? < *moment,
        })
    }

    pub const fn zone(&self) -> Option<Tz> {
        match self {
            Self::Between { zone, .. } | Self::Weekdays { zone, .. } => Some(*zone),
            _ => None,
        }
    }
}

/// `mon`, as forms and the schema write it.
pub(crate) const fn weekday_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "mon",
        Weekday::Tue => "tue",
        Weekday::Wed => "wed",
        Weekday::Thu => "thu",
        Weekday::Fri => "fri",
        Weekday::Sat => "sat",
        Weekday::Sun => "sun",
    }
}
