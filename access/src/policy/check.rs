use chrono::Weekday;
use chrono_tz::Tz;
use ipnet::IpNet;

use super::{
    AddressTest, Audience, Condition, Effect, Fault, MAX_ATTRIBUTES, MAX_NAME_CHARS,
    MAX_VALUE_CHARS, MAX_VALUES, Policy, PolicyForm, Subject, TextTest, TimeTest,
    condition::weekday_name, plain,
};
use crate::{Action, ActionSet, ResourceKind, Role, resource::Area};

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

impl PolicyForm {
    /// Checks everything that the form names. Every fault is told, each with its field.
    pub fn check(self) -> Result<Policy, Vec<Fault>> {
        let mut check = Check::default();
        check.name(&self.name);
        let (kind, actions) = check.actions(&self);
        let audience = check.audience(&self);
        check.owners_keep_their_policies(&self, kind);
        let conditions = check.conditions(&self);
        match check.0.is_empty() {
            true => Ok(Policy { form: self, kind, actions, audience, conditions }),
            false => Err(check.0),
        }
    }
}

#[derive(Default)]
struct Check(Vec<Fault>);

impl Check {
    fn fault(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.0.push(Fault::new(field, reason));
    }

    fn name(&mut self, name: &str) {
        let chars = name.chars().count();
        if name.trim().is_empty() || chars > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            let reason =
                format!("has 1 to {MAX_NAME_CHARS} characters, none of them a control character");
            self.fault("name", reason);
        }
    }

    fn actions(&mut self, form: &PolicyForm) -> (Option<ResourceKind>, ActionSet) {
        let kind = match form.resource_type.as_str() {
            "*" => None,
            name => match governed().find(|kind| kind.name() == name) {
                Some(kind) => Some(kind),
                None => {
                    let known: Vec<_> = governed().map(ResourceKind::name).collect();
                    self.fault("resource_type", format!("is `*` or one of {}", known.join(", ")));
                    return (None, ActionSet::default());
                }
            },
        };
        let reachable: Vec<_> = Action::ALL
            .iter()
            .copied()
            .filter(|action| action.is_governed())
            .filter(|action| match kind {
                Some(kind) => action.resource() == kind,
                // Whoever denies everything would deny mending it, too.
                None => action.resource() != ResourceKind::Policy,
            })
            .collect();
        if form.actions.is_empty() {
            self.fault("actions", "names at least one action, or `*`");
        }
        let mut actions = ActionSet::default();
        for (at, verb) in form.actions.iter().enumerate().take(Action::ALL.len()) {
            let named = reachable.iter().copied().filter(|a| verb == "*" || a.verb() == verb);
            let before = actions;
            actions.extend(named.clone());
            if named.count() == 0 {
                let mut known: Vec<_> = reachable.iter().map(|action| action.verb()).collect();
                known.sort_unstable();
                known.dedup();
                let reason = format!("is `*` or one of {}", known.join(", "));
                self.fault(format!("actions[{at}]"), reason);
            } else if before == actions {
                self.fault(format!("actions[{at}]"), "was named before");
            }
        }
        (kind, actions)
    }

    fn audience(&mut self, form: &PolicyForm) -> Audience {
        let mut audience = Audience { roles: form.roles.clone(), ..Audience::default() };
        audience.roles.sort_unstable();
        audience.roles.dedup();
        if form.principals.len() > MAX_VALUES {
            self.fault("principals", format!("names at most {MAX_VALUES}"));
        }
        for (at, principal) in form.principals.iter().enumerate().take(MAX_VALUES) {
            let field = format!("principals[{at}]");
            match principal.split_once('_') {
                Some(("user", suffix)) if is_suffix(suffix) => {
                    audience.users.push(principal.clone())
                }
                Some(("key", suffix)) if is_suffix(suffix) => match form.effect {
                    Effect::Deny => audience.keys.push(principal.clone()),
                    Effect::Allow => self.fault(
                        field,
                        "an API key cannot be allowed more than its issuer; allow the user instead",
                    ),
                },
                _ => self.fault(field, "is the id of a user (`user_..`) or an API key (`key_..`)"),
            }
        }
        audience.users.sort_unstable();
        audience.keys.sort_unstable();
        audience
    }

    /// An organisation that denies its owners the policies could never change them again.
    fn owners_keep_their_policies(&mut self, form: &PolicyForm, kind: Option<ResourceKind>) {
        let denies_policies = form.effect == Effect::Deny && kind == Some(ResourceKind::Policy);
        let spares_owners = !form.roles.is_empty()
            && !form.roles.contains(&Role::Owner)
            && form.principals.iter().all(|principal| !principal.starts_with("user_"));
        if denies_policies && !spares_owners {
            self.fault(
                "roles",
                "owners keep access to the policies: to deny it to others, name their roles and no user",
            );
        }
    }

    fn conditions(&mut self, form: &PolicyForm) -> Vec<Condition> {
        let forms = &form.conditions;
        let mut conditions = Vec::new();
        conditions.extend(forms.second_factor.map(Condition::SecondFactor));
        for (subject, field, test) in [
            (Subject::SignedInBy, "signed_in_by", &forms.signed_in_by),
            (Subject::Project, "project", &forms.project),
            (Subject::Environment, "environment", &forms.environment),
        ] {
            let field = format!("conditions.{field}");
            conditions.extend(test.as_ref().and_then(|test| self.text(&field, subject, test)));
        }
        if forms.attributes.len() > MAX_ATTRIBUTES {
            self.fault("conditions.attributes", format!("names at most {MAX_ATTRIBUTES}"));
        }
        for (name, test) in forms.attributes.iter().take(MAX_ATTRIBUTES) {
            let shown: String = name.chars().take(MAX_VALUE_CHARS).collect();
            let field = format!("conditions.attributes.{shown}");
            if !is_value(name) {
                self.fault(&field, format!("a name has 1 to {MAX_VALUE_CHARS} characters"));
            }
            conditions.extend(self.text(&field, Subject::Attribute(name.clone()), test));
        }
        if let Some(test) = &forms.time {
            self.time(test, &mut conditions);
        }
        conditions.extend(forms.address.as_ref().and_then(|test| self.address(test)));
        conditions
    }

    fn text(&mut self, field: &str, subject: Subject, test: &TextTest) -> Option<Condition> {
        let (values, among) = match test {
            TextTest::Equals(value) => (std::slice::from_ref(value), true),
            TextTest::NotEquals(value) => (std::slice::from_ref(value), false),
            TextTest::In(values) => (values.as_slice(), true),
            TextTest::NotIn(values) => (values.as_slice(), false),
        };
        self.count(field, values.len())?;
        if !values.iter().all(|value| is_value(value)) {
            self.fault(field, format!("a value has 1 to {MAX_VALUE_CHARS} characters"));
            return None;
        }
        let mut values = values.to_vec();
        values.sort_unstable();
        values.dedup();
        Some(Condition::Text { subject, values, among })
    }

    fn address(&mut self, test: &AddressTest) -> Option<Condition> {
        let (AddressTest::In(texts) | AddressTest::NotIn(texts)) = test;
        self.count("conditions.address", texts.len())?;
        let mut networks = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            match network(text) {
                Some(network) => networks.push(network),
                None => self.fault(
                    format!("conditions.address[{at}]"),
                    "is an address or a network such as `10.0.0.0/8` or `2001:db8::/32`",
                ),
            }
        }
        Some(Condition::Address { networks, inside: matches!(test, AddressTest::In(_)) })
    }

    fn time(&mut self, test: &TimeTest, conditions: &mut Vec<Condition>) {
        let is_local = test.between.is_some() || test.weekdays.is_some();
        let zone = self.zone(test.zone.as_deref(), is_local);
        if let (Some(zone), Some((from, until))) = (zone, &test.between) {
            conditions.extend(self.between(zone, from, until));
        }
        if let (Some(zone), Some(names)) = (zone, &test.weekdays) {
            conditions.extend(self.weekdays(zone, names));
        }
        if let (Some(from), Some(until)) = (test.from, test.until)
            && from >= until
        {
            self.fault("conditions.time.until", "is after `from`");
        }
        conditions.extend(test.from.map(|moment| Condition::From(moment.timestamp_millis())));
        conditions.extend(test.until.map(|moment| Condition::Until(moment.timestamp_millis())));
        if !is_local && test.from.is_none() && test.until.is_none() {
            self.fault("conditions.time", "asks for `between`, `weekdays`, `from` or `until`");
        }
    }

    fn zone(&mut self, name: Option<&str>, is_local: bool) -> Option<Tz> {
        let field = "conditions.time.zone";
        match (name.map(str::parse::<Tz>), is_local) {
            (Some(Ok(zone)), true) => return Some(zone),
            (Some(Err(_)), _) => self.fault(field, "is a name such as `Europe/Berlin` or `UTC`"),
            (Some(Ok(_)), false) => self.fault(field, "goes with `between` or `weekdays`"),
            (None, true) => self.fault(field, "is missing; `between` and `weekdays` need it"),
            (None, false) => {}
        }
        None
    }

    fn between(&mut self, zone: Tz, from: &str, until: &str) -> Option<Condition> {
        match (minute(from), minute(until)) {
            (Some(from), Some(until)) if from != until => {
                Some(Condition::Between { zone, from, until })
            }
            _ => {
                let reason = "are two different times of day such as `09:00` and `17:30`";
                self.fault("conditions.time.between", reason);
                None
            }
        }
    }

    fn weekdays(&mut self, zone: Tz, names: &[String]) -> Option<Condition> {
        let named = |day: &Weekday| names.iter().any(|name| name == weekday_name(*day));
        let days: Vec<_> = WEEK.into_iter().filter(named).collect();
        if days.is_empty() || days.len() != names.len() {
            let reason = "are some of mon, tue, wed, thu, fri, sat, sun, each once";
            self.fault("conditions.time.weekdays", reason);
            return None;
        }
        Some(Condition::Weekdays { zone, days })
    }

    fn count(&mut self, field: &str, values: usize) -> Option<()> {
        if (1..=MAX_VALUES).contains(&values) {
            return Some(());
        }
        self.fault(field, format!("lists 1 to {MAX_VALUES} values"));
        None
    }
}

/// The kinds that policies of an organisation can speak of.
fn governed() -> impl Iterator<Item = ResourceKind> {
    ResourceKind::ALL.iter().copied().filter(|kind| kind.area() == Area::Organization)
}

fn is_value(text: &str) -> bool {
    (1..=MAX_VALUE_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The 26 characters of an id behind its prefix.
fn is_suffix(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(plain(text.parse().ok()?)),
    };
    Some(network.trunc())
}

/// Minutes since midnight of `09:30`.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, below: u16| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| digits && *number < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}
