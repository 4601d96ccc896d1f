//! Policies and conditions in words.

use chrono::{DateTime, SecondsFormat};

use super::{Condition, Effect, Known, Policy, Subject, condition::weekday_name};

impl Policy {
    /// `denies scans:create to viewers, when environment is production`
    pub fn describe(&self) -> String {
        let verb = match self.effect() {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
        };
        let mut text = format!("{verb} {} to {}", self.about(), self.whom());
        let conditions: Vec<_> = self.conditions.iter().map(Condition::describe).collect();
        if !conditions.is_empty() {
            text.push_str(", when ");
            text.push_str(&conditions.join(" and "));
        }
        text
    }

    fn about(&self) -> String {
        if self.form.actions.iter().any(|verb| verb == "*") {
            return format!("{}:*", self.form.resource_type);
        }
        let named = |verb: &String| format!("{}:{verb}", self.form.resource_type);
        self.form.actions.iter().map(named).collect::<Vec<_>>().join(", ")
    }

    fn whom(&self) -> String {
        if self.audience.is_everyone() {
            return "every member".to_owned();
        }
        let roles = self.audience.roles.iter().map(|role| format!("{role}s"));
        let names = self.audience.names().map(str::to_owned);
        roles.chain(names).collect::<Vec<_>>().join(", ")
    }
}

impl Condition {
    /// What it looks at, as the form names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Text { subject: Subject::SignedInBy, .. } => "signed_in_by".to_owned(),
            Self::Text { subject: Subject::Project, .. } => "project".to_owned(),
            Self::Text { subject: Subject::Environment, .. } => "environment".to_owned(),
            Self::Text { subject: Subject::Attribute(name), .. } => format!("attributes.{name}"),
            Self::Address { .. } => "address".to_owned(),
            Self::SecondFactor(_) => "second_factor".to_owned(),
            Self::Between { .. } | Self::Weekdays { .. } | Self::From(_) | Self::Until(_) => {
                "time".to_owned()
            }
        }
    }

    /// `environment is production`
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Text { values, among, .. } => {
                let is = match (values.len(), among) {
                    (1, true) => "is",
                    (1, false) => "is not",
                    (_, true) => "is one of",
                    (_, false) => "is none of",
                };
                format!("{} {is} {}", self.name(), values.join(", "))
            }
            Self::Address { networks, inside } => {
                let is = if *inside { "is in" } else { "is not in" };
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                format!("address {is} {}", networks.join(", "))
            }
            Self::SecondFactor(true) => "a second factor was given".to_owned(),
            Self::SecondFactor(false) => "no second factor was given".to_owned(),
            Self::Between { zone, from, until } => {
                format!("time is from {} to {} in {zone}", clock(*from), clock(*until))
            }
            Self::Weekdays { zone, days } => {
                let days: Vec<_> = days.iter().map(|day| weekday_name(*day)).collect();
                format!("the day is {} in {zone}", days.join(", "))
            }
            Self::From(moment) => format!("time is {} or later", date(*moment)),
            Self::Until(moment) => format!("time is before {}", date(*moment)),
        }
    }

    /// The value that it met, if it is known.
    pub(crate) fn met(&self, known: &Known<'_>) -> Option<String> {
        match self {
            Self::Text { subject, .. } => known.text(subject).map(str::to_owned),
            Self::Address { .. } => known.address().map(|address| address.to_string()),
            Self::SecondFactor(_) => known.circumstances.second_factor.map(|g| g.to_string()),
            Self::Between { zone, .. } => known.clock.local(*zone).map(|now| clock(now.minute)),
            Self::Weekdays { zone, .. } => {
                known.clock.local(*zone).map(|now| weekday_name(now.weekday).to_owned())
            }
            Self::From(_) | Self::Until(_) => known.milliseconds().map(date),
        }
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn date(moment: i64) -> String {
    DateTime::from_timestamp_millis(moment)
        .map_or_else(|| moment.to_string(), |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}
