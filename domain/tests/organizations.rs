//! Rules of organisations and their keys.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::DateTime;
use cqrs_es::test::TestFramework;
use domain::{
    ClaimChange, Decide, Timestamp,
    ids::ApiKeyId,
    organizations::{
        MAX_ISSUED_KEYS, Organization, OrganizationCommand, OrganizationError, OrganizationEvent,
        SLUG_CLAIM,
    },
};
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

fn issue(n: u128) -> OrganizationCommand {
    OrganizationCommand::IssueApiKey {
        key_id: key(n),
        name: "ci".into(),
        secret_hash: "ab".into(),
        platform: false,
        now: now(),
    }
}

fn issued(n: u128) -> OrganizationEvent {
    OrganizationEvent::ApiKeyIssued {
        key_id: key(n),
        name: "ci".into(),
        secret_hash: "ab".into(),
        issued_at: now(),
        platform: false,
    }
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
    let command = OrganizationCommand::IssueApiKey {
        key_id: key(1),
        name: "ci".into(),
        secret_hash: "ab".into(),
        platform: true,
        now: now(),
    };
    let event = OrganizationEvent::ApiKeyIssued {
        key_id: key(1),
        name: "ci".into(),
        secret_hash: "ab".into(),
        issued_at: now(),
        platform: true,
    };
    Rules::with(()).given(vec![created()]).when(command.clone()).then_expect_events(vec![event]);
    // A key that was issued without the right does not get it by being issued again.
    Rules::with(()).given(vec![created(), issued(1)]).when(command).then_expect_events(vec![]);
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
