//! Decides. Cedar has the last word on every policy; what is done here is to hand it few of them.

mod court;
mod index;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono_tz::Tz;

pub(crate) use court::{Court, Verdict};
use index::Index;

use crate::{
    Action, Circumstances, Effect, Policy, Principal, Resource,
    builtin::built_ins,
    policy::{BuildError, Known, MAX_POLICIES, MAX_ZONES},
};

/// One question: may `principal` do `action` to `resource` now?
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub principal: &'a Principal,
    pub action: Action,
    pub resource: &'a Resource,
    pub circumstances: &'a Circumstances,
}

/// The policy that an answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyRef {
    /// `viewer/scans:read`, `boundary/scopes`
    BuiltIn(String),
    /// The id that the organisation's policy was compiled under.
    Organization(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A policy allows it and none denies it.
    Allowed,
    /// A policy denies it.
    Denied,
    /// No policy allows it.
    NotAllowed,
    /// A policy could not be worked out, so that nothing is allowed. It is a fault of this program.
    Undecidable,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub reason: Reason,
    /// What made it so: of several policies that did, the first that was found.
    pub determining: Vec<PolicyRef>,
}

/// Why policies cannot be compiled. Whoever cannot compile them allows nothing.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("an organisation has at most {MAX_POLICIES} policies")]
    TooManyPolicies,
    #[error("the policies of an organisation name at most {MAX_ZONES} time zones between them")]
    TooManyZones,
    #[error("there are two policies with the id `{0}`")]
    Twice(String),
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// The policies that hold in an organisation: the built-in ones and its own. Made once for each
/// version of them and shared; nothing in it changes.
pub struct Policies {
    rules: Vec<Rule>,
    index: Index,
    zones: Vec<Tz>,
}

/// A policy of the organisation, ready to be decided by.
pub(crate) struct Rule {
    pub id: Arc<str>,
    pub policy: Policy,
    pub alone: cedar_policy::PolicySet,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

impl Policies {
    /// The built-in policies alone.
    pub fn built_in() -> Self {
        Self { rules: Vec::new(), index: Index::default(), zones: Vec::new() }
    }

    /// The built-in policies and those of an organisation, each under its id.
    pub fn compile(own: impl IntoIterator<Item = (String, Policy)>) -> Result<Self, CompileError> {
        let mut policies = Self::built_in();
        for (id, policy) in own {
            if policies.rules.len() == MAX_POLICIES {
                return Err(CompileError::TooManyPolicies);
            }
            let alone = policy.build(&id)?;
            policies.rules.push(Rule { id: id.into(), policy, alone });
        }
        policies.zones = zones(&policies.rules);
        if policies.zones.len() > MAX_ZONES {
            return Err(CompileError::TooManyZones);
        }
        let mut ids: Vec<_> = policies.rules.iter().map(|rule| &rule.id).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CompileError::Twice(twice[0].to_string()));
        }
        policies.index = Index::of(&policies.rules);
        Ok(policies)
    }

    /// How many policies the organisation has of its own.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The organisation's policy under an id.
    pub fn get(&self, id: &str) -> Option<&Policy> {
        self.rules.iter().find(|rule| &*rule.id == id).map(|rule| &rule.policy)
    }

    /// Deny wins, and what no policy allows is denied.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let known = self.known(request);
        let court = match Court::open(request, &known, self.zones()) {
            Ok(court) => court,
            Err(_) => return Decision::undecidable(),
        };
        let house = court.judge(built_ins().about(request.action));
        if matches!(house, Verdict::Forbids(_) | Verdict::Fails) {
            return house.into();
        }
        for rule in self.candidates(request, &known, Effect::Deny) {
            let verdict = court.judge_rule(rule);
            if verdict != Verdict::Silent {
                return verdict.into();
            }
        }
        if house != Verdict::Silent {
            return house.into();
        }
        self.candidates(request, &known, Effect::Allow)
            .map(|rule| court.judge_rule(rule))
            .find(|verdict| *verdict != Verdict::Silent)
            .unwrap_or(Verdict::Silent)
            .into()
    }

    pub(crate) fn known<'a>(&'a self, request: &Request<'a>) -> Known<'a> {
        Known::new(request.circumstances, request.resource, &self.zones)
    }

    pub(crate) fn zones(&self) -> &[Tz] {
        &self.zones
    }

    /// The organisation's policies that are about the action and the principal.
    pub(crate) fn about<'a>(
        &'a self,
        request: &Request<'a>,
        effect: Effect,
    ) -> impl Iterator<Item = &'a Rule> {
        self.index.about(request, effect).map(|at| &self.rules[at as usize])
    }

    /// Those among them that what is known does not rule out.
    fn candidates<'a>(
        &'a self,
        request: &Request<'a>,
        known: &Known<'_>,
        effect: Effect,
    ) -> impl Iterator<Item = &'a Rule> {
        self.about(request, effect).filter(|rule| rule.policy.can_match(known))
    }
}

/// The time zones that any of the policies looks at.
fn zones(rules: &[Rule]) -> Vec<Tz> {
    let conditions = rules.iter().flat_map(|rule| rule.policy.conditions());
    let mut zones: Vec<_> = conditions.filter_map(|condition| condition.zone()).collect();
    zones.sort_unstable_by_key(|zone| zone.name());
    zones.dedup();
    zones
}

impl Decision {
    const fn undecidable() -> Self {
        Self { allowed: false, reason: Reason::Undecidable, determining: Vec::new() }
    }
}

impl From<Verdict> for Decision {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Permits(determining) => {
                Self { allowed: true, reason: Reason::Allowed, determining }
            }
            Verdict::Forbids(determining) => {
                Self { allowed: false, reason: Reason::Denied, determining }
            }
            Verdict::Silent => {
                Self { allowed: false, reason: Reason::NotAllowed, determining: Vec::new() }
            }
            Verdict::Fails => Self::undecidable(),
        }
    }
}
