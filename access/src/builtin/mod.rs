//! What every organisation starts from: the roles, everyone's own things, the platform's staff, and
//! the boundaries that no policy of an organisation reaches past.

#[cfg(test)]
pub(crate) mod tests;

use std::{fmt::Write, str::FromStr, sync::LazyLock};

use cedar_policy::{ActionConstraint, PolicyId, PolicySet};

use crate::{Action, Effect, ResourceKind, Role};

/// Each file, and the words for those whom its policies are about.
const FILES: [(&str, &str, &str); 10] = [
    ("boundary", include_str!("boundary.cedar"), ""),
    ("viewer", include_str!("viewer.cedar"), "members of every role"),
    ("developer", include_str!("developer.cedar"), "developers, admins and owners"),
    ("admin", include_str!("admin.cedar"), "admins and owners"),
    ("owner", include_str!("owner.cedar"), "owners"),
    ("member", include_str!("member.cedar"), ""),
    ("user", include_str!("user.cedar"), "users"),
    ("anyone", include_str!("anyone.cedar"), "everyone"),
    ("operator", include_str!("operator.cedar"), "operators"),
    ("service", include_str!("service.cedar"), ""),
];

/// A policy of the house.
pub(crate) struct BuiltIn {
    /// `viewer/scans:read`, `boundary/scopes`
    pub id: String,
    pub text: String,
    pub effect: Effect,
    /// The one action that it is about, else all of them.
    action: Option<Action>,
    /// Alone, so that an explanation can ask it by itself.
    pub alone: PolicySet,
}

impl BuiltIn {
    /// Whether it is about this very action, and not about all of them.
    pub fn is_about(&self, action: Action) -> bool {
        self.action == Some(action)
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("{file}.cedar does not parse")]
    Parse {
        file: &'static str,
        #[source]
        source: Box<cedar_policy::ParseErrors>,
    },
    #[error("a policy of {0}.cedar has no id, or no text")]
    Nameless(&'static str),
    #[error("{0} is there twice")]
    Twice(String),
}

pub(crate) struct BuiltIns {
    all: Vec<BuiltIn>,
    /// By action: those that are about it, together and as places in `all`.
    by_action: Vec<(PolicySet, Vec<usize>)>,
}

static BUILT_INS: LazyLock<BuiltIns> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a test loads them, so bad ones cannot ship")]
    BuiltIns::load().expect("the built-in policies load")
});

pub(crate) fn built_ins() -> &'static BuiltIns {
    &BUILT_INS
}

impl BuiltIns {
    fn load() -> Result<Self, LoadError> {
        let mut all: Vec<BuiltIn> = Vec::new();
        for (file, source, whom) in FILES {
            let parsed = PolicySet::from_str(source)
                .map_err(|source| LoadError::Parse { file, source: Box::new(source) })?;
            for policy in parsed.policies() {
                let action = match policy.action_constraint() {
                    ActionConstraint::Eq(action) => action.id().unescaped().parse::<Action>().ok(),
                    ActionConstraint::Any | ActionConstraint::In(_) => None,
                };
                let name = policy.annotation("id").or(action.map(Action::name));
                let name = name.ok_or(LoadError::Nameless(file))?;
                let text = match (policy.annotation("text"), action) {
                    (Some(text), _) => text.to_owned(),
                    (None, Some(action)) if !whom.is_empty() => {
                        format!("{whom} may {}", action.about())
                    }
                    (None, _) => return Err(LoadError::Nameless(file)),
                };
                let id = format!("{file}/{name}");
                let alone = PolicySet::from_policies([policy.new_id(PolicyId::new(&id))])
                    .map_err(|_| LoadError::Twice(id.clone()))?;
                let effect = match policy.effect() {
                    cedar_policy::Effect::Permit => Effect::Allow,
                    cedar_policy::Effect::Forbid => Effect::Deny,
                };
                all.push(BuiltIn { id, text, effect, action, alone });
            }
        }
        let by_action = Action::ALL
            .iter()
            .map(|action| {
                let is_about = |at: &usize| all[*at].action.is_none_or(|own| own == *action);
                let places: Vec<_> = (0..all.len()).filter(is_about).collect();
                let alone = places.iter().map(|at| &all[*at]);
                Ok((together(alone)?, places))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { all, by_action })
    }

    /// Those that are about the action, in one set.
    pub fn about(&self, action: Action) -> &PolicySet {
        &self.by_action[action as usize].0
    }

    /// Those that are about the action, one by one.
    pub fn each_about(&self, action: Action) -> impl Iterator<Item = &BuiltIn> {
        self.by_action[action as usize].1.iter().map(|at| &self.all[*at])
    }

    #[cfg(test)]
    pub fn all(&self) -> &[BuiltIn] {
        &self.all
    }
}

fn together<'a>(each: impl Iterator<Item = &'a BuiltIn>) -> Result<PolicySet, LoadError> {
    let mut set = PolicySet::new();
    for policy in each {
        for own in policy.alone.policies() {
            set.add(own.clone()).map_err(|_| LoadError::Twice(policy.id.clone()))?;
        }
    }
    Ok(set)
}

/// The Cedar schema that every policy, built in or an organisation's, is valid under.
pub fn schema_text() -> String {
    let mut text = include_str!("entities.cedarschema").to_owned();
    for kind in ResourceKind::ALL {
        let name = kind.entity_type();
        let _ = write!(
            text,
            "\nentity {name} in [Area] = {{ organization?: Tenant, owner?: User }} tags String;"
        );
    }
    text.push('\n');
    for action in Action::ALL {
        let resource = action.resource().entity_type();
        let _ = write!(
            text,
            "\naction \"{action}\" appliesTo {{\n  principal: [Guest, User, ApiKey, Service, Operator],\n  \
             resource: [{resource}],\n  context: Circumstances,\n}};"
        );
    }
    text.push('\n');
    text
}

/// The least role that may do this by its role alone. `None` where no role alone is enough.
pub fn least_role(action: Action) -> Option<Role> {
    Role::ALL.into_iter().find(|role| {
        let id = format!("{role}/{action}");
        built_ins().each_about(action).any(|policy| policy.id == id)
    })
}
