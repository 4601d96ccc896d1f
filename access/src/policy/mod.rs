//! The policies that an organisation adds: their form, what is checked of it, and what it becomes.

mod cedar;
mod check;
mod condition;
mod form;
#[cfg(test)]
mod tests;
mod text;

use serde::Serialize;

pub use cedar::BuildError;
pub use condition::Outcome;
pub(crate) use condition::{Clock, Condition, Known, Subject};
pub(crate) use form::plain;
pub use form::{AddressTest, ConditionsForm, Effect, PolicyForm, TextTest, TimeTest};

use crate::{ActionSet, ResourceKind, Role};

/// Policies that an organisation can have at once.
pub const MAX_POLICIES: usize = 1_000;
/// Time zones that the policies of an organisation can name between them.
pub const MAX_ZONES: usize = 16;
/// Longest JSON form of one policy.
pub const MAX_BYTES: usize = 16 * 1024;
const MAX_NAME_CHARS: usize = 100;
/// Values in one list of a condition, and principals of one policy.
const MAX_VALUES: usize = 50;
const MAX_VALUE_CHARS: usize = 128;
const MAX_ATTRIBUTES: usize = 8;

/// What is wrong with a policy, and in which field: `conditions.time.zone`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Fault {
    pub field: String,
    pub reason: String,
}

impl Fault {
    fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// A policy that was checked: whatever it names exists, and nothing in it is too large.
#[derive(Debug, Clone)]
pub struct Policy {
    form: PolicyForm,
    /// `None` for every kind that an organisation's policies can speak of at once.
    kind: Option<ResourceKind>,
    actions: ActionSet,
    audience: Audience,
    conditions: Vec<Condition>,
}

/// Whom a policy is about, within its organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Audience {
    pub roles: Vec<Role>,
    pub users: Vec<String>,
    pub keys: Vec<String>,
}

impl Audience {
    pub fn is_everyone(&self) -> bool {
        self.roles.is_empty() && self.users.is_empty() && self.keys.is_empty()
    }

    /// Users and keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.users.iter().chain(&self.keys).map(String::as_str)
    }
}

impl Policy {
    /// Reads and checks the JSON form. Every fault is told, each with its field.
    pub fn from_json(json: &serde_json::Value) -> Result<Self, Vec<Fault>> {
        PolicyForm::from_json(json)?.check()
    }

    /// As it was written.
    pub const fn form(&self) -> &PolicyForm {
        &self.form
    }

    pub fn name(&self) -> &str {
        &self.form.name
    }

    pub const fn effect(&self) -> Effect {
        self.form.effect
    }

    /// The actions it is about.
    pub const fn actions(&self) -> ActionSet {
        self.actions
    }

    pub(crate) const fn audience(&self) -> &Audience {
        &self.audience
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether it can match what is known: an allow needs every condition to hold, a deny is kept
    /// from matching only by one that fails.
    pub(crate) fn can_match(&self, known: &Known<'_>) -> bool {
        self.conditions.iter().all(|condition| match condition.outcome(known) {
            Outcome::Holds => true,
            Outcome::Fails => false,
            Outcome::Unknown => self.effect() == Effect::Deny,
        })
    }
}
