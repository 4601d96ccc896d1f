use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::{Member, Permissions, Role};

mod properties;

const HERE: &str = "org_here";

fn user(role: Role) -> Principal {
    let id = format!("user_{:026}", 1);
    Principal::User { id, member: Some(Member::new(HERE, role)) }
}

fn key(role: Role, scopes: &[&str]) -> Principal {
    Principal::ApiKey {
        id: format!("key_{:026}", 1),
        issuer: Some(format!("user_{:026}", 1)),
        member: Member::new(HERE, role),
        scopes: Permissions::parse(scopes).unwrap(),
    }
}

fn policies(forms: &[Value]) -> Policies {
    let own = forms.iter().enumerate();
    let own = own.map(|(at, form)| (format!("pol_{at}"), Policy::from_json(form).unwrap()));
    Policies::compile(own).unwrap()
}

fn policy(effect: &str, conditions: Value) -> Value {
    json!({
        "name": "one", "effect": effect, "resource_type": "scans", "actions": ["create"],
        "conditions": conditions,
    })
}

fn ask(
    policies: &Policies,
    principal: &Principal,
    action: Action,
    circumstances: &Circumstances,
) -> Decision {
    let resource = Resource::of_organization(HERE);
    let request = Request { principal, action, resource: &resource, circumstances };
    let decision = policies.decide(&request);
    let explained = policies.explain(&request).decision;
    assert_eq!((decision.allowed, decision.reason), (explained.allowed, explained.reason));
    assert!(decision.determining.iter().all(|policy| explained.determining.contains(policy)));
    decision
}

fn at(text: &str) -> Circumstances {
    let time = text.parse::<DateTime<Utc>>().unwrap();
    Circumstances { time: Some(time), ..Circumstances::default() }
}

fn from(address: &str) -> Circumstances {
    Circumstances { address: Some(address.parse().unwrap()), ..Circumstances::default() }
}

fn within(project: &str) -> Circumstances {
    Circumstances { project: Some(project.to_owned()), ..Circumstances::default() }
}

/// Whether a viewer is allowed by a policy, and whether a developer is denied by the same one.
fn matches(conditions: Value, circumstances: &Circumstances) -> (bool, bool) {
    let create = Action::ScansCreate;
    let allow = policies(&[policy("allow", conditions.clone())]);
    let deny = policies(&[policy("deny", conditions)]);
    let allowed = ask(&allow, &user(Role::Viewer), create, circumstances).allowed;
    let denied = !ask(&deny, &user(Role::Developer), create, circumstances).allowed;
    (allowed, denied)
}

fn holds(conditions: Value, circumstances: &Circumstances) {
    assert_eq!(matches(conditions, circumstances), (true, true));
}

fn fails(conditions: Value, circumstances: &Circumstances) {
    assert_eq!(matches(conditions, circumstances), (false, false));
}

#[test]
fn what_is_not_known_keeps_an_allow_from_matching_but_not_a_deny() {
    for conditions in [
        json!({"project": {"equals": "a"}}),
        json!({"project": {"not_equals": "a"}}),
        json!({"environment": {"in": ["a"]}}),
        json!({"environment": {"not_in": ["a"]}}),
        json!({"time": {"between": ["09:00", "17:00"], "zone": "UTC"}}),
        json!({"time": {"weekdays": ["mon"], "zone": "UTC"}}),
        json!({"time": {"from": "2026-01-01T00:00:00Z"}}),
        json!({"time": {"until": "2026-01-01T00:00:00Z"}}),
        json!({"address": {"in": ["10.0.0.0/8"]}}),
        json!({"address": {"not_in": ["10.0.0.0/8"]}}),
        json!({"second_factor": true}),
        json!({"second_factor": false}),
        json!({"attributes": {"target_kind": {"equals": "website"}}}),
    ] {
        let matched = matches(conditions.clone(), &Circumstances::default());
        assert_eq!(matched, (false, true), "{conditions}");
    }
}

#[test]
fn a_condition_that_fails_keeps_a_deny_from_matching_whatever_else_is_not_known() {
    let conditions = json!({"project": {"equals": "a"}, "second_factor": false});
    assert_eq!(matches(conditions.clone(), &within("a")), (false, true));
    assert_eq!(matches(conditions, &within("b")), (false, false));
}

#[test]
fn texts_are_compared_whole() {
    holds(json!({"project": {"equals": "a"}}), &within("a"));
    fails(json!({"project": {"equals": "a"}}), &within("A"));
    holds(json!({"project": {"in": ["c", "a"]}}), &within("a"));
    fails(json!({"project": {"in": ["c", "a"]}}), &within("b"));
    holds(json!({"project": {"not_in": ["c", "a"]}}), &within("b"));
    fails(json!({"project": {"not_equals": "a"}}), &within("a"));
}

#[test]
fn hours_are_those_of_the_zone_also_when_its_clocks_change() {
    let office = || json!({"time": {"between": ["09:00", "17:00"], "zone": "Europe/Berlin"}});
    holds(office(), &at("2026-01-15T08:00:00Z"));
    fails(office(), &at("2026-01-15T07:59:59Z"));
    fails(office(), &at("2026-01-15T16:00:00Z"));
    holds(office(), &at("2026-07-15T07:00:00Z"));
    fails(office(), &at("2026-07-15T15:00:00Z"));
}

#[test]
fn hours_over_midnight_and_weekdays_are_local() {
    let night = || json!({"time": {"between": ["22:00", "06:00"], "zone": "Asia/Tokyo"}});
    holds(night(), &at("2026-01-15T13:00:00Z"));
    holds(night(), &at("2026-01-15T20:59:00Z"));
    fails(night(), &at("2026-01-15T21:00:00Z"));
    let weekend = || json!({"time": {"weekdays": ["sat", "sun"], "zone": "Asia/Tokyo"}});
    holds(weekend(), &at("2026-01-16T15:00:00Z"));
    fails(weekend(), &at("2026-01-16T14:59:00Z"));
}

#[test]
fn moments_bound_a_policy_in_time() {
    let year =
        || json!({"time": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}});
    fails(year(), &at("2025-12-31T23:59:59Z"));
    holds(year(), &at("2026-01-01T00:00:00Z"));
    fails(year(), &at("2027-01-01T00:00:00Z"));
}

#[test]
fn addresses_are_matched_by_network_in_either_clothing() {
    let office = || json!({"address": {"in": ["10.1.2.3/8", "2001:db8::/32"]}});
    holds(office(), &from("10.200.0.1"));
    holds(office(), &from("::ffff:10.200.0.1"));
    holds(office(), &from("2001:db8:1::9"));
    fails(office(), &from("11.0.0.1"));
    fails(office(), &from("2001:db9::1"));
    fails(json!({"address": {"not_in": ["10.0.0.0/8"]}}), &from("10.0.0.1"));
    holds(json!({"address": {"not_in": ["10.0.0.0/8"]}}), &from("::1"));
}

#[test]
fn attributes_of_the_resource_can_be_asked_for() {
    let policies = policies(&[json!({
        "name": "websites", "effect": "deny", "resource_type": "scans", "actions": ["*"],
        "conditions": {"attributes": {"target_kind": {"equals": "website"}}},
    })]);
    let principal = user(Role::Developer);
    let circumstances = Circumstances::default();
    let allowed = |kind: &str| {
        let resource = Resource::of_organization(HERE).with_attribute("target_kind", kind);
        let action = Action::ScansCreate;
        let request = Request {
            principal: &principal,
            action,
            resource: &resource,
            circumstances: &circumstances,
        };
        policies.decide(&request).allowed
    };
    assert!(allowed("repository") && !allowed("website"));
}

#[test]
fn a_deny_wins_over_every_allow_and_is_named() {
    let both = policies(&[policy("allow", json!({})), policy("deny", json!({}))]);
    let decision = ask(&both, &user(Role::Owner), Action::ScansCreate, &Circumstances::default());
    assert_eq!(decision.reason, Reason::Denied);
    assert_eq!(decision.determining, [PolicyRef::Organization("pol_1".into())]);
}

#[test]
fn a_policy_is_about_the_very_roles_it_names() {
    let mut deny = policy("deny", json!({}));
    deny["roles"] = json!(["developer"]);
    let policies = policies(&[deny]);
    let allowed =
        |role| ask(&policies, &user(role), Action::ScansCreate, &Circumstances::default()).allowed;
    assert!(!allowed(Role::Developer) && allowed(Role::Admin) && allowed(Role::Owner));
}

#[test]
fn a_policy_about_a_user_is_about_the_users_keys_too() {
    let mut deny = policy("deny", json!({}));
    deny["principals"] = json!([format!("user_{:026}", 1)]);
    let deny = policies(&[deny]);
    let nowhere = Circumstances::default();
    assert!(!ask(&deny, &user(Role::Owner), Action::ScansCreate, &nowhere).allowed);
    assert!(!ask(&deny, &key(Role::Owner, &["*"]), Action::ScansCreate, &nowhere).allowed);
    let mut one_key = policy("deny", json!({}));
    one_key["principals"] = json!([format!("key_{:026}", 1)]);
    let one_key = policies(&[one_key]);
    assert!(ask(&one_key, &user(Role::Owner), Action::ScansCreate, &nowhere).allowed);
    assert!(!ask(&one_key, &key(Role::Owner, &["*"]), Action::ScansCreate, &nowhere).allowed);
}

#[test]
fn a_key_does_no_more_than_its_scopes_and_its_issuer() {
    let built_in = Policies::built_in();
    let nowhere = Circumstances::default();
    let allowed =
        |principal: &Principal, action| ask(&built_in, principal, action, &nowhere).allowed;
    let reader = key(Role::Owner, &["scans:read"]);
    assert!(allowed(&reader, Action::ScansRead) && !allowed(&reader, Action::ScansCreate));
    let scans = key(Role::Viewer, &["scans:*"]);
    assert!(allowed(&scans, Action::ScansRead) && !allowed(&scans, Action::ScansCreate));
    let all = key(Role::Owner, &["*"]);
    assert!(allowed(&all, Action::AuditExport) && allowed(&all, Action::KeysCreate));
    assert!(!allowed(&key(Role::Viewer, &["*"]), Action::KeysCreate));
    assert!(allowed(&reader, Action::HealthRead));
}

#[test]
fn extra_permissions_add_to_the_role_within_the_organisation() {
    let mut member = Member::new(HERE, Role::Viewer);
    member.extra = Permissions::parse(&["scans:create", "organizations:*"]).unwrap();
    let principal = Principal::User { id: format!("user_{:026}", 1), member: Some(member) };
    let allowed =
        |action| ask(&Policies::built_in(), &principal, action, &Circumstances::default()).allowed;
    assert!(allowed(Action::ScansCreate) && allowed(Action::OrganizationsUpdate));
    assert!(!allowed(Action::ScansCancel), "it was not given");
    assert!(!allowed(Action::OrganizationsTransfer), "it is an owner's");
}

#[test]
fn an_operator_who_acts_as_a_user_leaves_the_credentials_alone() {
    let nowhere = Circumstances::default();
    let acting = Circumstances { impersonated: true, ..Circumstances::default() };
    let built_in = Policies::built_in();
    for action in [
        Action::KeysCreate,
        Action::OrganizationsArchive,
        Action::OrganizationsTransfer,
        Action::InvitationsAnswer,
    ] {
        assert!(ask(&built_in, &user(Role::Owner), action, &nowhere).allowed);
        assert!(!ask(&built_in, &user(Role::Owner), action, &acting).allowed, "{action}");
    }
    assert!(ask(&built_in, &user(Role::Owner), Action::ScansCreate, &acting).allowed);
}

#[test]
fn policies_that_are_too_many_or_not_apart_do_not_compile() {
    let one = Policy::from_json(&policy("allow", json!({}))).unwrap();
    let twice = [("a".to_owned(), one.clone()), ("a".to_owned(), one.clone())];
    assert!(matches!(Policies::compile(twice), Err(CompileError::Twice(id)) if id == "a"));
    let many = (0..=MAX_POLICIES).map(|at| (at.to_string(), one.clone()));
    assert!(matches!(Policies::compile(many), Err(CompileError::TooManyPolicies)));
    let zones = chrono_tz::TZ_VARIANTS.iter().take(MAX_ZONES + 1).map(|zone| {
        let test = json!({"time": {"weekdays": ["mon"], "zone": zone.name()}});
        (zone.name().to_owned(), Policy::from_json(&policy("allow", test)).unwrap())
    });
    assert!(matches!(Policies::compile(zones), Err(CompileError::TooManyZones)));
}
