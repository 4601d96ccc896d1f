use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet,
    RestrictedExpression as Value,
};
use chrono_tz::Tz;

use super::{PolicyRef, Request, Rule};
use crate::{
    Action, Circumstances, Principal, Resource, ResourceKind, Role, ServiceKind,
    policy::{Clock, Known},
    resource::Area,
};

/// A question in Cedar's terms, to be put to any number of policies.
pub(crate) struct Court {
    authorizer: Authorizer,
    request: cedar_policy::Request,
    entities: Entities,
}

/// What a set of policies says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Permits(Vec<PolicyRef>),
    Forbids(Vec<PolicyRef>),
    /// None of them matches.
    Silent,
    /// One of them could not be worked out. Cedar would pass over it, and so over a deny.
    Fails,
}

#[derive(Debug, thiserror::Error)]
#[error("the question could not be put: {0}")]
pub(crate) struct Unclear(Box<dyn std::error::Error>);

type Clear<T> = Result<T, Unclear>;

fn unclear(error: impl std::error::Error + 'static) -> Unclear {
    Unclear(Box::new(error))
}

impl Court {
    pub fn open(request: &Request<'_>, known: &Known<'_>, zones: &[Tz]) -> Clear<Self> {
        let names = &*NAMES;
        let principal = principal(request.principal)?;
        let resource = resource(request.action.resource(), request.resource)?;
        let action = names.actions[request.action as usize].clone();
        let question = cedar_policy::Request::new(
            principal.uid(),
            action,
            resource.uid(),
            context(request, known)?,
            None,
        )
        .map_err(unclear)?;
        let mut entities = vec![principal, resource];
        for zone in zones {
            entities.extend(clock(*zone, &known.clock)?);
        }
        let entities = Entities::from_entities(entities, None).map_err(unclear)?;
        Ok(Self { authorizer: Authorizer::new(), request: question, entities })
    }

    /// Puts the question to policies of the house.
    pub fn judge(&self, policies: &PolicySet) -> Verdict {
        self.ask(policies, |id| PolicyRef::BuiltIn(id.to_owned()))
    }

    /// Puts the question to a policy of the organisation.
    pub fn judge_rule(&self, rule: &Rule) -> Verdict {
        self.ask(&rule.alone, |_| PolicyRef::Organization(rule.id.clone()))
    }

    fn ask(&self, policies: &PolicySet, named: impl Fn(&str) -> PolicyRef) -> Verdict {
        let response = self.authorizer.is_authorized(&self.request, policies, &self.entities);
        if response.diagnostics().errors().next().is_some() {
            return Verdict::Fails;
        }
        let mut reasons: Vec<_> =
            response.diagnostics().reason().map(|id| named(id.as_ref())).collect();
        reasons.sort_unstable();
        match response.decision() {
            cedar_policy::Decision::Allow => Verdict::Permits(reasons),
            cedar_policy::Decision::Deny if reasons.is_empty() => Verdict::Silent,
            cedar_policy::Decision::Deny => Verdict::Forbids(reasons),
        }
    }
}

/// Names of the schema, parsed once.
struct Names {
    actions: Vec<EntityUid>,
    kinds: Vec<EntityTypeName>,
    areas: [EntityUid; 4],
    roles: [EntityUid; 4],
    services: [EntityUid; 4],
    guest: EntityTypeName,
    user: EntityTypeName,
    api_key: EntityTypeName,
    service: EntityTypeName,
    operator: EntityTypeName,
    tenant: EntityTypeName,
    zone: EntityTypeName,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    actions: Action::ALL.iter().map(|action| uid(&kind("Action"), action.name())).collect(),
    kinds: ResourceKind::ALL.iter().map(|resource| kind(resource.entity_type())).collect(),
    areas: Area::ALL.map(|area| uid(&kind("Area"), area.name())),
    roles: Role::ALL.map(|role| uid(&kind("Role"), role.name())),
    services: ServiceKind::ALL.map(|service| uid(&kind("ServiceKind"), service.name())),
    guest: kind("Guest"),
    user: kind("User"),
    api_key: kind("ApiKey"),
    service: kind("Service"),
    operator: kind("Operator"),
    tenant: kind("Tenant"),
    zone: kind("Zone"),
});

fn kind(name: &str) -> EntityTypeName {
    #[expect(clippy::expect_used, reason = "names of the schema, none of them from outside")]
    name.parse().expect("a name of the schema parses")
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn principal(principal: &Principal) -> Clear<Entity> {
    let names = &*NAMES;
    let (kind, parents) = match principal {
        Principal::Guest => (&names.guest, &[][..]),
        Principal::User { .. } => (&names.user, &[][..]),
        Principal::ApiKey { .. } => (&names.api_key, &[][..]),
        Principal::Service { kind, .. } => {
            (&names.service, std::slice::from_ref(&names.services[*kind as usize]))
        }
        Principal::Operator { .. } => (&names.operator, &[][..]),
    };
    let mut parents: HashSet<_> = parents.iter().cloned().collect();
    let mut attributes = HashMap::new();
    if let Some(member) = principal.member() {
        // Each role may do what the ones before it may.
        parents.extend(names.roles[..=member.role as usize].iter().cloned());
        let role = names.roles[member.role as usize].clone();
        attributes.insert("role".to_owned(), Value::new_entity_uid(role));
        let tenant = uid(&names.tenant, &member.organization);
        attributes.insert("organization".to_owned(), Value::new_entity_uid(tenant));
    }
    if let Principal::ApiKey { issuer: Some(issuer), .. } = principal {
        let issuer = Value::new_entity_uid(uid(&names.user, issuer));
        attributes.insert("issuer".to_owned(), issuer);
    }
    Entity::new(uid(kind, principal.id()), attributes, parents).map_err(unclear)
}

fn resource(kind: ResourceKind, resource: &Resource) -> Clear<Entity> {
    let names = &*NAMES;
    let mut attributes = Vec::with_capacity(2);
    if let Some(organization) = &resource.organization {
        let tenant = Value::new_entity_uid(uid(&names.tenant, organization));
        attributes.push(("organization".to_owned(), tenant));
    }
    if let Some(owner) = &resource.owner {
        attributes.push(("owner".to_owned(), Value::new_entity_uid(uid(&names.user, owner))));
    }
    let tags = resource.attributes.iter();
    Entity::new_with_tags(
        uid(&names.kinds[kind as usize], &resource.id),
        attributes,
        [names.areas[kind.area() as usize].clone()],
        tags.map(|(name, value)| (name.clone(), Value::new_string(value.clone()))),
    )
    .map_err(unclear)
}

/// The clock on the wall of a zone. Where the time is not known there is none.
fn clock(zone: Tz, clock: &Clock<'_>) -> Clear<Option<Entity>> {
    let Some(now) = clock.local(zone) else { return Ok(None) };
    let shown = HashMap::from([
        ("minute".to_owned(), Value::new_long(now.minute.into())),
        ("weekday".to_owned(), Value::new_string(now.weekday_name().to_owned())),
    ]);
    let zone = uid(&NAMES.zone, zone.name());
    Entity::new(zone, shown, HashSet::new()).map(Some).map_err(unclear)
}

fn context(request: &Request<'_>, known: &Known<'_>) -> Clear<Context> {
    let (in_scope, extra) = match request.principal {
        Principal::ApiKey { scopes, member, .. } => {
            (scopes.cover(request.action), member.extra.cover(request.action))
        }
        other => (false, other.member().is_some_and(|member| member.extra.cover(request.action))),
    };
    let Circumstances { second_factor, signed_in_by, project, environment, impersonated, .. } =
        request.circumstances;
    let mut pairs = vec![
        ("in_scope".to_owned(), Value::new_bool(in_scope)),
        ("extra".to_owned(), Value::new_bool(extra)),
        ("impersonated".to_owned(), Value::new_bool(*impersonated)),
    ];
    let mut add = |name: &str, value: Option<Value>| {
        pairs.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("time", known.milliseconds().map(Value::new_long));
    add("address", known.address().map(|address| Value::new_ip(address.to_string())));
    add("second_factor", second_factor.map(Value::new_bool));
    add("signed_in_by", signed_in_by.clone().map(Value::new_string));
    add("project", project.clone().map(Value::new_string));
    add("environment", environment.clone().map(Value::new_string));
    Context::from_pairs(pairs).map_err(unclear)
}
