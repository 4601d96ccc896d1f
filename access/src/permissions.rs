//! Scopes of API keys and extra permissions of members: both are lists of actions by name.

use std::fmt;

use crate::{Action, ActionSet, ResourceKind};

/// Longest list that is taken.
pub const MAX_PERMISSIONS: usize = 64;

/// Longest text of one that is worth repeating in an error.
const MAX_SHOWN: usize = 64;

/// Actions by name: `scans:read`, `scans:*` for every action on scans, `*` for every action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    names: Vec<String>,
    actions: ActionSet,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    #[error("`{0}` is not an action: write `scans:read`, `scans:*` or `*`")]
    Unknown(String),
    #[error("`{0}` is not an action on what an organisation owns")]
    OutsideOrganization(String),
    #[error("at most {MAX_PERMISSIONS} can be given, these are {0}")]
    TooMany(usize),
}

impl Permissions {
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything that an organisation has a say in: what is left is what the issuer may do.
    pub fn all() -> Self {
        Self { names: vec!["*".to_owned()], actions: governed().collect() }
    }

    /// The scopes of a key or the extra permissions of a member, as someone gives them. Only what
    /// an organisation owns can be named: keys and memberships end there.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, PermissionError> {
        if names.len() > MAX_PERMISSIONS {
            return Err(PermissionError::TooMany(names.len()));
        }
        let mut parsed = Self::none();
        for name in names.iter().map(AsRef::as_ref) {
            let actions = covered(name)
                .ok_or_else(|| PermissionError::Unknown(name.chars().take(MAX_SHOWN).collect()))?;
            if actions.is_empty() {
                return Err(PermissionError::OutsideOrganization(name.to_owned()));
            }
            parsed.add(name, actions);
        }
        Ok(parsed)
    }

    /// What was stored. A name that is no longer known gives nothing.
    pub fn stored<S: AsRef<str>>(names: &[S]) -> Self {
        let mut stored = Self::none();
        for name in names.iter().map(AsRef::as_ref) {
            stored.add(name, covered(name).unwrap_or_default());
        }
        stored
    }

    fn add(&mut self, name: &str, actions: ActionSet) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        self.actions.extend(actions.iter());
    }

    pub const fn cover(&self, action: Action) -> bool {
        self.actions.contains(action)
    }

    /// As they were given, each once.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join(", "))
    }
}

fn governed() -> impl Iterator<Item = Action> {
    Action::ALL.iter().copied().filter(|action| action.is_governed())
}

/// What a name stands for, `None` where it stands for nothing.
fn covered(name: &str) -> Option<ActionSet> {
    if name == "*" {
        return Some(governed().collect());
    }
    if let Some(resource) = name.strip_suffix(":*") {
        let kind = ResourceKind::ALL.iter().find(|kind| kind.name() == resource)?;
        return Some(governed().filter(|action| action.resource() == *kind).collect());
    }
    let action: Action = name.parse().ok()?;
    Some(governed().filter(|governed| *governed == action).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cover_one_action_those_on_a_resource_or_all() {
        let one = Permissions::parse(&["scans:read"]).unwrap();
        assert!(one.cover(Action::ScansRead) && !one.cover(Action::ScansCreate));
        let scans = Permissions::parse(&["scans:*", "scans:*", "keys:read"]).unwrap();
        assert!(scans.cover(Action::ScansCancel) && scans.cover(Action::KeysRead));
        assert!(!scans.cover(Action::FindingsRead) && !scans.cover(Action::KeysCreate));
        assert_eq!(scans.names(), ["scans:*", "keys:read"]);
        assert_eq!(Permissions::parse(&["*"]).unwrap(), Permissions::all());
    }

    #[test]
    fn a_name_that_means_nothing_is_refused_with_the_reason() {
        for bad in ["", "scans", "scans:", ":read", "scans:fly", "**", "Scans:read", "*:read"] {
            let refused = Permissions::parse(&[bad]).unwrap_err();
            assert_eq!(refused, PermissionError::Unknown(bad.to_owned()));
        }
        for foreign in ["admin:*", "projections:read", "users:erase", "organizations:create"] {
            let refused = Permissions::parse(&[foreign]).unwrap_err();
            assert_eq!(refused, PermissionError::OutsideOrganization(foreign.to_owned()));
        }
        let many = vec!["scans:read"; MAX_PERMISSIONS + 1];
        assert!(matches!(Permissions::parse(&many), Err(PermissionError::TooMany(65))));
    }

    #[test]
    fn a_stored_name_that_is_gone_gives_nothing() {
        let stored = Permissions::stored(&["scans:fly", "scans:read"]);
        assert!(stored.cover(Action::ScansRead));
        assert_eq!(Action::ALL.iter().filter(|action| stored.cover(**action)).count(), 1);
    }
}
