//! A checked policy as a Cedar policy. It is built as a tree; no text of a user is ever parsed.

use std::sync::Arc;

use cedar_policy::{Policy as CedarPolicy, PolicySet, pst};
use pst::{BinaryOp, Clause, Expr, Literal, UnaryOp, Var};

use super::{Audience, Condition, Effect, Policy, Subject, condition::weekday_name};

/// Cedar did not take a tree that was built here. It takes every tree of a checked policy.
#[derive(Debug, thiserror::Error)]
#[error("policy `{id}` could not be built: {reason}")]
pub struct BuildError {
    pub(crate) id: String,
    reason: String,
}

type Tree = Arc<Expr>;
type Built<T> = Result<T, Box<dyn std::error::Error>>;

impl Policy {
    /// The policy under its id, in a set of its own.
    pub(crate) fn build(&self, id: &str) -> Result<PolicySet, BuildError> {
        self.tree(id)
            .and_then(|policy| Ok(PolicySet::from_policies([policy])?))
            .map_err(|reason| BuildError { id: id.to_owned(), reason: reason.to_string() })
    }

    fn tree(&self, id: &str) -> Built<CedarPolicy> {
        let mut clauses = Vec::new();
        clauses.push(Clause::When(audience(&self.audience)?));
        for condition in &self.conditions {
            clauses.push(Clause::When(self.condition(condition)?));
        }
        let actions: Vec<_> = self
            .actions
            .iter()
            .map(|action| entity("Action", action.name()))
            .collect::<Built<_>>()?;
        let template = pst::Template::new(
            id,
            match self.effect() {
                Effect::Allow => pst::Effect::Permit,
                Effect::Deny => pst::Effect::Forbid,
            },
            pst::PrincipalConstraint::Any,
            match <[_; 1]>::try_from(actions) {
                Ok([action]) => pst::ActionConstraint::Eq(action),
                Err(actions) => pst::ActionConstraint::In(actions),
            },
            match self.kind {
                Some(kind) => pst::ResourceConstraint::Is(entity_type(kind.entity_type())?),
                None => pst::ResourceConstraint::Any,
            },
        );
        let policy = pst::StaticPolicy::try_from(template.try_with_clauses(clauses)?)?;
        Ok(CedarPolicy::from_pst(pst::Policy::Static(policy))?)
    }

    /// What is not known keeps an allow from matching, and does not keep a deny from it.
    fn condition(&self, condition: &Condition) -> Built<Tree> {
        let unknown = boolean(self.effect() == Effect::Deny);
        Ok(Arc::new(Expr::IfThenElse {
            cond: is_known(condition)?,
            then_expr: holds(condition)?,
            else_expr: unknown,
        }))
    }
}

/// `principal` is a member, or the key of one, and among those the policy is about.
fn audience(audience: &Audience) -> Built<Tree> {
    let member = has(var(Var::Principal), "role");
    if audience.is_everyone() {
        return Ok(member);
    }
    let mut any = Vec::new();
    if !audience.roles.is_empty() {
        let roles = entities("Role", audience.roles.iter().map(|role| role.name()))?;
        any.push(binary(BinaryOp::Contains, roles, attribute(var(Var::Principal), "role")));
    }
    if !audience.users.is_empty() {
        let users = entities("User", audience.users.iter().map(String::as_str))?;
        let issuer = attribute(var(Var::Principal), "issuer");
        any.push(binary(BinaryOp::In, var(Var::Principal), users.clone()));
        any.push(all([
            is(var(Var::Principal), "ApiKey")?,
            has(var(Var::Principal), "issuer"),
            binary(BinaryOp::In, issuer, users),
        ]));
    }
    if !audience.keys.is_empty() {
        let keys = entities("ApiKey", audience.keys.iter().map(String::as_str))?;
        any.push(binary(BinaryOp::In, var(Var::Principal), keys));
    }
    Ok(all([member, one_of(any)]))
}

fn is_known(condition: &Condition) -> Built<Tree> {
    let context = || var(Var::Context);
    Ok(match condition {
        Condition::Text { subject: Subject::SignedInBy, .. } => has(context(), "signed_in_by"),
        Condition::Text { subject: Subject::Project, .. } => has(context(), "project"),
        Condition::Text { subject: Subject::Environment, .. } => has(context(), "environment"),
        Condition::Text { subject: Subject::Attribute(name), .. } => {
            binary(BinaryOp::HasTag, var(Var::Resource), text(name))
        }
        Condition::Address { .. } => has(context(), "address"),
        Condition::SecondFactor(_) => has(context(), "second_factor"),
        Condition::Between { zone, .. } => has(clock(zone.name())?, "minute"),
        Condition::Weekdays { zone, .. } => has(clock(zone.name())?, "weekday"),
        Condition::From(_) | Condition::Until(_) => has(context(), "time"),
    })
}

/// The condition on what is known.
fn holds(condition: &Condition) -> Built<Tree> {
    let known = |name| attribute(var(Var::Context), name);
    Ok(match condition {
        Condition::Text { subject, values, among } => {
            let subject = match subject {
                Subject::SignedInBy => known("signed_in_by"),
                Subject::Project => known("project"),
                Subject::Environment => known("environment"),
                Subject::Attribute(name) => {
                    binary(BinaryOp::GetTag, var(Var::Resource), text(name))
                }
            };
            let values = Expr::Set(values.iter().map(|value| text(value)).collect());
            unless(!among, binary(BinaryOp::Contains, Arc::new(values), subject))
        }
        Condition::Address { networks, inside } => {
            let within = |network: &ipnet::IpNet| {
                let network = unary(UnaryOp::Ip, text(&network.to_string()));
                binary(BinaryOp::IsInRange, known("address"), network)
            };
            unless(!inside, one_of(networks.iter().map(within).collect()))
        }
        Condition::SecondFactor(wanted) => {
            binary(BinaryOp::Eq, known("second_factor"), boolean(*wanted))
        }
        Condition::Between { zone, from, until } => {
            let minute = attribute(clock(zone.name())?, "minute");
            let after = binary(BinaryOp::GreaterEq, minute.clone(), number((*from).into()));
            let before = binary(BinaryOp::Less, minute, number((*until).into()));
            let over_midnight = from > until;
            binary(if over_midnight { BinaryOp::Or } else { BinaryOp::And }, after, before)
        }
        Condition::Weekdays { zone, days } => {
            let days = Expr::Set(days.iter().map(|day| text(weekday_name(*day))).collect());
            let today = attribute(clock(zone.name())?, "weekday");
            binary(BinaryOp::Contains, Arc::new(days), today)
        }
        Condition::From(moment) => binary(BinaryOp::GreaterEq, known("time"), number(*moment)),
        Condition::Until(moment) => binary(BinaryOp::Less, known("time"), number(*moment)),
    })
}

fn clock(zone: &str) -> Built<Tree> {
    Ok(literal(Literal::EntityUID(entity("Zone", zone)?)))
}

fn entity_type(name: &str) -> Built<pst::EntityType> {
    Ok(pst::EntityType::from_name(pst::Name::unqualified(name)?))
}

fn entity(kind: &str, id: &str) -> Built<pst::EntityUID> {
    Ok(pst::EntityUID { ty: entity_type(kind)?, eid: id.into() })
}

fn entities<'a>(kind: &str, ids: impl Iterator<Item = &'a str>) -> Built<Tree> {
    let literals = ids.map(|id| Ok(literal(Literal::EntityUID(entity(kind, id)?))));
    Ok(Arc::new(Expr::Set(literals.collect::<Built<_>>()?)))
}

fn is(tree: Tree, kind: &str) -> Built<Tree> {
    Ok(Arc::new(Expr::Is { expr: tree, entity_type: entity_type(kind)?, in_expr: None }))
}

fn var(var: Var) -> Tree {
    Arc::new(Expr::Var(var))
}

fn literal(literal: Literal) -> Tree {
    Arc::new(Expr::Literal(literal))
}

fn text(text: &str) -> Tree {
    literal(Literal::String(text.into()))
}

fn number(number: i64) -> Tree {
    literal(Literal::Long(number))
}

fn boolean(value: bool) -> Tree {
    literal(Literal::Bool(value))
}

fn has(tree: Tree, name: &str) -> Tree {
    Arc::new(Expr::HasAttr { expr: tree, attrs: pst::NonEmpty::new(name.into()) })
}

fn attribute(tree: Tree, name: &str) -> Tree {
    Arc::new(Expr::GetAttr { expr: tree, attr: name.into() })
}

fn unary(op: UnaryOp, tree: Tree) -> Tree {
    Arc::new(Expr::UnaryOp { op, expr: tree })
}

fn binary(op: BinaryOp, left: Tree, right: Tree) -> Tree {
    Arc::new(Expr::BinaryOp { op, left, right })
}

fn unless(negate: bool, tree: Tree) -> Tree {
    if negate { unary(UnaryOp::Not, tree) } else { tree }
}

fn all<const N: usize>(trees: [Tree; N]) -> Tree {
    let joined = trees.into_iter().reduce(|left, right| binary(BinaryOp::And, left, right));
    joined.unwrap_or_else(|| boolean(true))
}

fn one_of(trees: Vec<Tree>) -> Tree {
    let joined = trees.into_iter().reduce(|left, right| binary(BinaryOp::Or, left, right));
    joined.unwrap_or_else(|| boolean(false))
}
