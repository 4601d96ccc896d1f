//! Rules of organisations and their keys.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;
use domain::{
    ClaimChange, Decide, Timestamp,
    ids::{ApiKeyId, PolicyId},
    organizations::{
        KeyTerms, MAX_ISSUED_KEYS, MAX_POLICIES, MAX_ZONES, Organization, OrganizationCommand,
        OrganizationError, OrganizationEvent, SLUG_CLAIM,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

type Rules = TestFramework<Organization>;

fn now() -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn key(n: u128) -> ApiKeyId {
    ApiKeyId::from_uuid(Uuid::from_u128(n))
}

fn create(name: &str, slug: &str) -> OrganizationCommand {
    OrganizationCommand::Create { name: name.into(), slug: slug.into(), now: now() }
}

fn created() -> OrganizationEvent {
    OrganizationEvent::Created { name: "Acme".into(), slug: "acme".into(), created_at: now() }
}

fn issue_for(n: u128, terms: KeyTerms) -> OrganizationCommand {
    OrganizationCommand::IssueApiKey { key_id: key(n), secret_hash: "ab".into(), terms, now: now() }
}

fn issue(n: u128) -> OrganizationCommand {
    issue_for(n, KeyTerms::everything("ci"))
}

fn issued_for(n: u128, terms: KeyTerms) -> OrganizationEvent {
    OrganizationEvent::ApiKeyIssued {
        key_id: key(n),
        name: terms.name,
        secret_hash: "ab".into(),
        issued_at: now(),
        platform: terms.platform,
        scopes: terms.scopes,
        expires_at: terms.expires_at,
        requests_per_minute: terms.requests_per_minute,
        issuer: terms.issuer,
        signing_key: terms.signing_key,
    }
}

fn issued(n: u128) -> OrganizationEvent {
    issued_for(n, KeyTerms::everything("ci"))
}

#[test]
fn an_organisation_is_created_once_and_claims_its_slug() {
    Rules::with(())
        .given_no_previous_events()
        .when(create("Acme", "acme"))
        .then_expect_events(vec![created()]);
    Rules::with(())
        .given(vec![created()])
        .when(create("Acme", "acme"))
        .then_expect_error(OrganizationError::Exists);
    assert_eq!(
        Organization::claims(&created()),
        [ClaimChange::Take { kind: SLUG_CLAIM, key: "acme".into() }]
    );
}

#[test]
fn names_and_slugs_that_would_not_show_or_route_are_refused() {
    for slug in ["", "-a", "a-", "Ä", "a b", "UPPER", &"a".repeat(64)] {
        Rules::with(())
            .given_no_previous_events()
            .when(create("Acme", slug))
            .then_expect_error(OrganizationError::Slug);
    }
    for name in ["", "  ", "a\u{7}", &"n".repeat(101)] {
        Rules::with(())
            .given_no_previous_events()
            .when(create(name, "acme"))
            .then_expect_error(OrganizationError::Name);
    }
}

#[test]
fn keys_are_issued_and_revoked_once() {
    let revoke = |n| OrganizationCommand::RevokeApiKey { key_id: key(n), now: now() };
    let revoked = OrganizationEvent::ApiKeyRevoked { key_id: key(1), revoked_at: now() };
    Rules::with(()).given(vec![created()]).when(issue(1)).then_expect_events(vec![issued(1)]);
    Rules::with(()).given(vec![created(), issued(1)]).when(issue(1)).then_expect_events(vec![]);
    Rules::with(())
        .given(vec![created(), issued(1)])
        .when(revoke(1))
        .then_expect_events(vec![revoked.clone()]);
    Rules::with(())
        .given(vec![created(), issued(1), revoked])
        .when(revoke(1))
        .then_expect_events(vec![]);
    Rules::with(())
        .given(vec![created()])
        .when(revoke(9))
        .then_expect_error(OrganizationError::UnknownKey);
    Rules::with(())
        .given_no_previous_events()
        .when(issue(1))
        .then_expect_error(OrganizationError::NotFound);
}

#[test]
fn a_key_of_the_platform_is_issued_as_one_and_says_so_in_its_event() {
    let terms = KeyTerms { platform: true, ..KeyTerms::everything("ci") };
    let (command, event) = (issue_for(1, terms.clone()), issued_for(1, terms));
    Rules::with(()).given(vec![created()]).when(command.clone()).then_expect_events(vec![event]);
    // A key that was issued without the right does not get it by being issued again.
    Rules::with(()).given(vec![created(), issued(1)]).when(command).then_expect_events(vec![]);
}

#[test]
fn a_key_is_issued_for_scopes_a_time_and_a_rate() {
    let terms = KeyTerms {
        scopes: vec!["scans:read".into(), "findings:*".into()],
        expires_at: Some(now() + TimeDelta::days(1)),
        requests_per_minute: Some(60),
        ..KeyTerms::everything("ci")
    };
    Rules::with(())
        .given(vec![created()])
        .when(issue_for(1, terms.clone()))
        .then_expect_events(vec![issued_for(1, terms.clone())]);
    let refused = |terms, error| {
        Rules::with(()).given(vec![created()]).when(issue_for(1, terms)).then_expect_error(error);
    };
    for scopes in [vec![], vec![String::new()], vec!["a b".into()], vec!["a:b".into(); 65]] {
        refused(KeyTerms { scopes, ..terms.clone() }, OrganizationError::Scopes);
    }
    refused(KeyTerms { expires_at: Some(now()), ..terms.clone() }, OrganizationError::Expiry);
    for rate in [0, 1_000_001] {
        let terms = KeyTerms { requests_per_minute: Some(rate), ..terms.clone() };
        refused(terms, OrganizationError::Rate);
    }
}

#[test]
fn a_key_gets_a_new_secret_beside_the_one_before_for_a_while() {
    let rotate = |n, days| OrganizationCommand::RotateApiKey {
        key_id: key(n),
        secret_hash: "cd".into(),
        former_valid_until: now() + TimeDelta::days(days),
        now: now(),
    };
    let rotated = |days| OrganizationEvent::ApiKeyRotated {
        key_id: key(1),
        secret_hash: "cd".into(),
        former_valid_until: now() + TimeDelta::days(days),
        rotated_at: now(),
    };
    let given = || Rules::with(()).given(vec![created(), issued(1)]);
    given().when(rotate(1, 30)).then_expect_events(vec![rotated(30)]);
    // The former secret does not end before it is replaced.
    given().when(rotate(1, -1)).then_expect_events(vec![rotated(0)]);
    given().when(rotate(1, 31)).then_expect_error(OrganizationError::Overlap);
    given().when(rotate(2, 1)).then_expect_error(OrganizationError::UnknownKey);
    let revoked = OrganizationEvent::ApiKeyRevoked { key_id: key(1), revoked_at: now() };
    Rules::with(())
        .given(vec![created(), issued(1), revoked])
        .when(rotate(1, 1))
        .then_expect_error(OrganizationError::RevokedKey);
}

#[test]
fn the_keys_of_an_organisation_are_bounded() {
    let keys = (1..=MAX_ISSUED_KEYS as u128).map(issued);
    let full: Vec<_> = [created()].into_iter().chain(keys).collect();
    Rules::with(())
        .given(full.clone())
        .when(issue(MAX_ISSUED_KEYS as u128 + 1))
        .then_expect_error(OrganizationError::TooManyKeys);
    Rules::with(()).given(full).when(issue(1)).then_expect_events(vec![]);
}

fn policy(n: u128) -> PolicyId {
    PolicyId::from_uuid(Uuid::from_u128(n))
}

fn at_night(zone: usize) -> Value {
    json!({ "name": "x", "conditions": { "time": { "zone": format!("Zone/{zone}") } } })
}

fn add(n: u128, policy_json: Value) -> OrganizationCommand {
    OrganizationCommand::AddPolicy { policy_id: policy(n), policy: policy_json, now: now() }
}

fn added(n: u128, policy_json: Value) -> OrganizationEvent {
    OrganizationEvent::PolicyAdded { policy_id: policy(n), policy: policy_json, added_at: now() }
}

#[test]
fn policies_are_added_changed_and_removed() {
    let given = || Rules::with(()).given(vec![created(), added(1, json!({}))]);
    let change = |n| OrganizationCommand::ChangePolicy {
        policy_id: policy(n),
        policy: at_night(1),
        now: now(),
    };
    let remove = |n| OrganizationCommand::RemovePolicy { policy_id: policy(n), now: now() };
    Rules::with(())
        .given(vec![created()])
        .when(add(1, json!({})))
        .then_expect_events(vec![added(1, json!({}))]);
    given().when(add(1, json!({}))).then_expect_events(vec![]);
    given().when(change(1)).then_expect_events(vec![OrganizationEvent::PolicyChanged {
        policy_id: policy(1),
        policy: at_night(1),
        changed_at: now(),
    }]);
    let removed = OrganizationEvent::PolicyRemoved { policy_id: policy(1), removed_at: now() };
    given().when(remove(1)).then_expect_events(vec![removed.clone()]);
    let gone = || Rules::with(()).given(vec![created(), added(1, json!({})), removed.clone()]);
    gone().when(change(1)).then_expect_error(OrganizationError::UnknownPolicy);
    gone().when(remove(1)).then_expect_error(OrganizationError::UnknownPolicy);
    Rules::with(())
        .given_no_previous_events()
        .when(add(1, json!({})))
        .then_expect_error(OrganizationError::NotFound);
}

#[test]
fn the_policies_of_an_organisation_and_their_time_zones_are_bounded() {
    let policies = (1..=MAX_POLICIES as u128).map(|n| added(n, json!({})));
    let full: Vec<_> = [created()].into_iter().chain(policies).collect();
    Rules::with(())
        .given(full)
        .when(add(0, json!({})))
        .then_expect_error(OrganizationError::TooManyPolicies);
    let zones = (1..=MAX_ZONES).map(|n| added(n as u128, at_night(n)));
    let full: Vec<_> = [created()].into_iter().chain(zones).collect();
    let given = || Rules::with(()).given(full.clone());
    given().when(add(0, at_night(0))).then_expect_error(OrganizationError::TooManyZones);
    given().when(add(0, at_night(7))).then_expect_events(vec![added(0, at_night(7))]);
    let change =
        OrganizationCommand::ChangePolicy { policy_id: policy(3), policy: at_night(0), now: now() };
    given().when(change).then_expect_events(vec![OrganizationEvent::PolicyChanged {
        policy_id: policy(3),
        policy: at_night(0),
        changed_at: now(),
    }]);
}
