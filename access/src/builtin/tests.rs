use std::collections::BTreeSet;

use cedar_policy::{ActionConstraint, PolicySet, Schema, ValidationMode, Validator};

use super::*;
use crate::{Area, Circumstances, Member, Policies, Principal, Request, Resource, ServiceKind};

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let (schema, warnings) = Schema::from_cedarschema_str(&schema_text()).unwrap();
    assert_eq!(warnings.count(), 0);
    Validator::new(schema)
});

/// What Cedar has against the policies under the schema, read strictly.
pub(crate) fn faults(policies: &PolicySet) -> Vec<String> {
    let result = VALIDATOR.validate(policies, ValidationMode::Strict);
    result.validation_errors().map(ToString::to_string).collect()
}

#[test]
fn the_built_in_policies_are_valid_under_the_schema() {
    let all = together(built_ins().all().iter()).unwrap();
    assert_eq!(faults(&all), Vec::<String>::new());
    let warnings = VALIDATOR.validate(&all, ValidationMode::Strict);
    assert_eq!(warnings.validation_warnings().count(), 0);
}

#[test]
fn every_built_in_policy_names_one_action_or_is_about_all_of_them() {
    for policy in built_ins().all() {
        for own in policy.alone.policies() {
            let fine = match own.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(action) => action.id().unescaped().parse::<Action>().is_ok(),
                ActionConstraint::In(_) => false,
            };
            assert!(fine, "{}", policy.id);
        }
    }
}

#[test]
fn every_action_is_allowed_to_someone() {
    let allowed = |action: Action| {
        built_ins().each_about(action).any(|policy| {
            policy.effect == Effect::Allow && policy.id.ends_with(&format!("/{action}"))
        })
    };
    let nobody: Vec<_> = Action::ALL.iter().filter(|action| !allowed(**action)).collect();
    assert!(nobody.is_empty(), "{nobody:?}");
}

/// Everyone there is, in the organisation `org_a` where that says something.
fn cast() -> Vec<(String, Principal)> {
    let member = |role| Principal::User {
        id: "user_me".to_owned(),
        member: Some(Member::new("org_a", role)),
    };
    let services = ServiceKind::ALL
        .map(|kind| (kind.name().to_owned(), Principal::Service { kind, name: "one".to_owned() }));
    let users = Role::ALL.map(|role| (role.name().to_owned(), member(role)));
    let others = [
        ("guest".to_owned(), Principal::Guest),
        ("user".to_owned(), Principal::User { id: "user_me".to_owned(), member: None }),
        ("operator".to_owned(), Principal::Operator { id: "op".to_owned() }),
    ];
    others.into_iter().chain(users).chain(services).collect()
}

/// What stands in the way when it is someone else's.
fn resources(action: Action) -> [Resource; 2] {
    match action.resource().area() {
        Area::Organization => {
            [Resource::of_organization("org_a"), Resource::of_organization("org_b")]
        }
        Area::Account => [Resource::of_user("user_me"), Resource::of_user("user_other")],
        Area::Public | Area::Platform => [Resource::platform(), Resource::platform()],
    }
}

fn allowed(principal: &Principal, action: Action, resource: &Resource) -> bool {
    let circumstances = Circumstances::default();
    let request = Request { principal, action, resource, circumstances: &circumstances };
    Policies::built_in().decide(&request).allowed
}

#[test]
fn nobody_reaches_what_is_another_organisations_or_another_users() {
    let open = [Action::OrganizationsCreate, Action::InvitationsAnswer];
    for (name, principal) in cast() {
        for action in Action::ALL.iter().copied().filter(|action| !open.contains(action)) {
            let [_, other] = resources(action);
            let area = action.resource().area();
            if matches!(area, Area::Organization | Area::Account) {
                assert!(!allowed(&principal, action, &other), "{name} may {action} elsewhere");
                let nobodys = Resource::platform();
                assert!(!allowed(&principal, action, &nobodys), "{name} may {action} of nobody");
            }
        }
    }
}

/// The whole of who may do what, so that a change of a policy shows what it changes.
#[test]
fn the_roles_may_do_what_the_table_says() {
    let mut table = String::new();
    for action in Action::ALL.iter().copied() {
        let [here, _] = resources(action);
        let able = |resource: &Resource| {
            let able = cast().into_iter().filter(|(_, who)| allowed(who, action, resource));
            able.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
        };
        let _ = writeln!(table, "{action}: {}", able(&here));
        let own = here.clone().owned_by("user_me");
        if able(&own) != able(&here) {
            let _ = writeln!(table, "{action} of their own: {}", able(&own));
        }
    }
    let expected = include_str!("roles.txt");
    assert_eq!(table, expected, "who may do what has changed: builtin/roles.txt says otherwise");
}

#[test]
fn a_role_may_do_what_the_roles_before_it_may() {
    for action in Action::ALL.iter().copied() {
        let [own, _] = resources(action);
        let able: Vec<_> = Role::ALL
            .iter()
            .map(|role| Principal::User {
                id: "user_me".to_owned(),
                member: Some(Member::new("org_a", *role)),
            })
            .map(|principal| allowed(&principal, action, &own))
            .collect();
        assert!(able.is_sorted(), "{action}: {able:?}");
        if let Some(least) = least_role(action) {
            let first = able.iter().position(|able| *able).map(|at| Role::ALL[at]);
            assert_eq!(first, Some(least), "{action}");
        }
    }
}

#[test]
fn ids_of_built_in_policies_are_their_own() {
    let ids: BTreeSet<_> = built_ins().all().iter().map(|policy| &policy.id).collect();
    assert_eq!(ids.len(), built_ins().all().len());
}

#[test]
fn a_set_of_nothing_allows_nothing() {
    let principal = Principal::Operator { id: "op".to_owned() };
    let resource = Resource::platform();
    let circumstances = Circumstances::default();
    let request = Request {
        principal: &principal,
        action: Action::ProjectionsRead,
        resource: &resource,
        circumstances: &circumstances,
    };
    let policies = Policies::built_in();
    let known = policies.known(&request);
    let court = crate::engine::Court::open(&request, &known, &[]).unwrap();
    assert_eq!(court.judge(&PolicySet::new()), crate::engine::Verdict::Silent);
}
