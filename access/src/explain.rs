//! Why someone may or may not do something.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use crate::{
    Decision, Effect, Policies, PolicyRef, Principal, Reason, Request,
    builtin::{BuiltIn, built_ins},
    engine::{Court, Rule, Verdict},
    policy::{Condition, Known, Outcome},
};

/// An answer with everything that was looked at for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// As [`Policies::decide`] answers, but with every policy that made it so.
    pub decision: Decision,
    /// The answer in a sentence.
    pub summary: String,
    /// The policies about the action and the principal, whether they matched or not.
    pub considered: Vec<Considered>,
    /// The facts of the log that the answer rests on.
    pub grounds: BTreeSet<Ground>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    pub policy: PolicyRef,
    /// The name that the organisation gave it.
    pub name: Option<String>,
    pub text: String,
    pub effect: Effect,
    pub matched: bool,
    /// What the organisation's policy asks for. A deny matches on what is not known, too.
    pub conditions: Vec<Tested>,
}

/// A condition and what it met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// `environment`
    pub condition: String,
    /// `environment is production`
    pub text: String,
    pub outcome: Outcome,
    /// The value that it met, where there was one.
    pub met: Option<String>,
}

/// A fact that came about by events of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Ground {
    /// The user's role and extra permissions in the organisation.
    Membership { organization: String, user: String },
    /// The API key and its scopes.
    ApiKey { id: String },
    /// A policy of the organisation.
    Policy { id: String },
}

impl Policies {
    /// Looks at every policy about the action and the principal, also where the first would do.
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        let known = self.known(request);
        let Ok(court) = Court::open(request, &known, self.zones()) else {
            return Explanation::of(request, Vec::new(), true);
        };
        let mut fails = false;
        let mut considered = Vec::new();
        for policy in built_ins().each_about(request.action) {
            let verdict = court.judge(&policy.alone);
            fails |= verdict == Verdict::Fails;
            if verdict != Verdict::Silent || policy.is_about(request.action) {
                considered.push(Considered::built_in(policy, &verdict));
            }
        }
        let mut seen = BTreeSet::new();
        for effect in [Effect::Deny, Effect::Allow] {
            for rule in self.about(request, effect).filter(|rule| seen.insert(rule.id.clone())) {
                let verdict = court.judge_rule(rule);
                fails |= verdict == Verdict::Fails;
                considered.push(Considered::rule(rule, &verdict, &known));
            }
        }
        Explanation::of(request, considered, fails)
    }
}

impl Considered {
    fn built_in(policy: &BuiltIn, verdict: &Verdict) -> Self {
        Self {
            policy: PolicyRef::BuiltIn(policy.id.clone()),
            name: None,
            text: policy.text.clone(),
            effect: policy.effect,
            matched: *verdict != Verdict::Silent,
            conditions: Vec::new(),
        }
    }

    fn rule(rule: &Rule, verdict: &Verdict, known: &Known<'_>) -> Self {
        let tested = |condition: &Condition| Tested {
            condition: condition.name(),
            text: condition.describe(),
            outcome: condition.outcome(known),
            met: condition.met(known),
        };
        Self {
            policy: PolicyRef::Organization(rule.id.clone()),
            name: Some(rule.policy.name().to_owned()),
            text: rule.policy.describe(),
            effect: rule.policy.effect(),
            matched: *verdict != Verdict::Silent,
            conditions: rule.policy.conditions().iter().map(tested).collect(),
        }
    }
}

impl Explanation {
    fn of(request: &Request<'_>, considered: Vec<Considered>, fails: bool) -> Self {
        let matched = |effect| considered.iter().filter(move |c| c.matched && c.effect == effect);
        let reason = match () {
            () if fails => Reason::Undecidable,
            () if matched(Effect::Deny).next().is_some() => Reason::Denied,
            () if matched(Effect::Allow).next().is_some() => Reason::Allowed,
            () => Reason::NotAllowed,
        };
        let determining: Vec<_> = match reason {
            Reason::Denied => matched(Effect::Deny).map(|c| c.policy.clone()).collect(),
            Reason::Allowed => matched(Effect::Allow).map(|c| c.policy.clone()).collect(),
            Reason::NotAllowed | Reason::Undecidable => Vec::new(),
        };
        let grounds = grounds(request.principal, &determining);
        let summary = summary(reason, request, &considered);
        let allowed = reason == Reason::Allowed;
        Self { decision: Decision { allowed, reason, determining }, summary, considered, grounds }
    }
}

fn summary(reason: Reason, request: &Request<'_>, considered: &[Considered]) -> String {
    let action = request.action;
    let because = |effect| considered.iter().find(|c| c.matched && c.effect == effect);
    let told = |policy: Option<&Considered>| match policy {
        Some(Considered { name: Some(name), text, .. }) => format!("the policy `{name}` {text}"),
        Some(Considered { text, .. }) => text.clone(),
        None => String::new(),
    };
    match reason {
        Reason::Allowed => format!("{action} is allowed: {}", told(because(Effect::Allow))),
        Reason::Denied => format!("{action} is denied: {}", told(because(Effect::Deny))),
        Reason::NotAllowed => {
            let others =
                considered.iter().filter(|c| c.effect == Effect::Allow && c.name.is_none());
            let others: Vec<_> = others.map(|policy| policy.text.as_str()).collect();
            format!("{action} is denied: no policy allows it; {}", others.join(", "))
        }
        Reason::Undecidable => {
            format!("{action} is denied: the policies could not be worked out")
        }
    }
}

/// What the answer would have to be asked again for, if it changed.
fn grounds(principal: &Principal, determining: &[PolicyRef]) -> BTreeSet<Ground> {
    let own = |policy: &PolicyRef| match policy {
        PolicyRef::Organization(id) => Some(Ground::Policy { id: Arc::clone(id).to_string() }),
        PolicyRef::BuiltIn(_) => None,
    };
    let mut grounds: BTreeSet<_> = determining.iter().filter_map(own).collect();
    let user = match principal {
        Principal::User { id, .. } => Some(id),
        Principal::ApiKey { id, issuer, .. } => {
            grounds.insert(Ground::ApiKey { id: id.clone() });
            issuer.as_ref()
        }
        Principal::Guest | Principal::Service { .. } | Principal::Operator { .. } => None,
    };
    if let (Some(user), Some(member)) = (user, principal.member()) {
        let organization = member.organization.clone();
        grounds.insert(Ground::Membership { organization, user: user.clone() });
    }
    grounds
}
