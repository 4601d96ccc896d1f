//! Rules of what operators do about people and organisations.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;
use domain::{
    Decide, Pii, Timestamp,
    factors::{FactorCommand, FactorEvent, Factors},
    ids::{ApiKeyId, PasskeyId, UserId},
    organizations::{
        KeyTerms, Organization, OrganizationCommand, OrganizationError, OrganizationEvent,
    },
    sessions::{
        Impersonate, LONGEST_IMPERSONATION, Session, SessionCommand, SessionError, SessionEvent,
    },
    users::{User, UserCommand, UserError, UserEvent},
};
use uuid::Uuid;

fn at(minutes: i64) -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn ada() -> UserId {
    UserId::from_uuid(Uuid::from_u128(7))
}

fn key() -> ApiKeyId {
    ApiKeyId::from_uuid(Uuid::from_u128(1))
}

fn plain(text: &str) -> Pii<String> {
    Pii::plain(text.to_owned())
}

fn signed_up() -> UserEvent {
    UserEvent::SignedUp {
        user_id: ada(),
        email: plain("ada@example.org"),
        email_index: "17".into(),
        name: None,
        password_hash: Some(plain("$argon2id$")),
        signed_up_at: at(0),
    }
}

fn suspended() -> UserEvent {
    UserEvent::Suspended { user_id: ada(), reason: plain("spam"), suspended_at: at(1) }
}

fn suspend(reason: &str) -> UserCommand {
    UserCommand::Suspend { reason: plain(reason), now: at(1) }
}

#[test]
fn a_suspension_ends_every_session_and_is_lifted_once() {
    type Rules = TestFramework<User>;
    Rules::with(())
        .given(vec![signed_up()])
        .when(suspend("spam"))
        .then_expect_events(vec![suspended()]);
    Rules::with(())
        .given(vec![signed_up(), suspended()])
        .when(suspend("again"))
        .then_expect_events(vec![]);
    let lift = || UserCommand::Unsuspend { now: at(2) };
    let lifted = UserEvent::Unsuspended { unsuspended_at: at(2) };
    Rules::with(())
        .given(vec![signed_up(), suspended()])
        .when(lift())
        .then_expect_events(vec![lifted.clone()]);
    Rules::with(()).given(vec![signed_up()]).when(lift()).then_expect_events(vec![]);
    Rules::with(())
        .given_no_previous_events()
        .when(suspend("x"))
        .then_expect_error(UserError::NotFound);
    for bad in ["", " ", "a\nb", &"x".repeat(501)] {
        Rules::with(())
            .given(vec![signed_up()])
            .when(suspend(bad))
            .then_expect_error(UserError::Reason);
    }

    let mut user = User::default();
    user.evolve(&signed_up());
    let before = user.session_epoch;
    user.evolve(&suspended());
    assert!(user.suspended && user.session_epoch == before + 1);
    user.evolve(&lifted);
    // Those that were open stay out.
    assert!(!user.suspended && user.session_epoch == before + 1);
}

fn created() -> OrganizationEvent {
    OrganizationEvent::Created { name: "Acme".into(), slug: "acme".into(), created_at: at(0) }
}

fn issued() -> OrganizationEvent {
    let KeyTerms { name, scopes, .. } = KeyTerms::everything("ci");
    OrganizationEvent::ApiKeyIssued {
        key_id: key(),
        name,
        secret_hash: "ab".into(),
        issued_at: at(0),
        platform: false,
        scopes,
        expires_at: None,
        requests_per_minute: None,
        issuer: None,
        signing_key: None,
    }
}

#[test]
fn in_a_suspended_organisation_secrets_are_stopped_and_nothing_else_is_done() {
    type Rules = TestFramework<Organization>;
    let suspended =
        || OrganizationEvent::Suspended { reason: "unpaid".into(), suspended_at: at(1) };
    let given = || Rules::with(()).given(vec![created(), issued(), suspended()]);
    let now = at(2);
    let issue = OrganizationCommand::IssueApiKey {
        key_id: ApiKeyId::from_uuid(Uuid::from_u128(2)),
        secret_hash: "cd".into(),
        terms: KeyTerms::everything("ci"),
        now,
    };
    given().when(issue).then_expect_error(OrganizationError::Suspended);
    let contact = OrganizationCommand::RemoveBillingContact { now };
    given().when(contact).then_expect_error(OrganizationError::Suspended);
    given().when(OrganizationCommand::RevokeApiKey { key_id: key(), now }).then_expect_events(
        vec![OrganizationEvent::ApiKeyRevoked { key_id: key(), revoked_at: now }],
    );
    given()
        .when(OrganizationCommand::Unsuspend { now })
        .then_expect_events(vec![OrganizationEvent::Unsuspended { unsuspended_at: now }]);
}

#[test]
fn a_leaked_key_is_revoked_and_said_to_have_leaked_once() {
    type Rules = TestFramework<Organization>;
    let now = at(2);
    let found_at = Some("https://example.org/a".to_owned());
    let report =
        || OrganizationCommand::ReportLeakedKey { key_id: key(), found_at: found_at.clone(), now };
    let leaked = OrganizationEvent::ApiKeyLeaked {
        key_id: key(),
        found_at: found_at.clone(),
        reported_at: now,
    };
    let revoked = OrganizationEvent::ApiKeyRevoked { key_id: key(), revoked_at: now };
    Rules::with(())
        .given(vec![created(), issued()])
        .when(report())
        .then_expect_events(vec![leaked.clone(), revoked.clone()]);
    Rules::with(())
        .given(vec![created(), issued(), leaked, revoked])
        .when(report())
        .then_expect_events(vec![]);
}

#[test]
fn an_impersonation_is_bounded_and_knows_no_refresh_token() {
    type Rules = TestFramework<Session>;
    let begin = |reason: &str, expires_at| {
        let impersonate = Impersonate {
            user_id: ada(),
            epoch: 2,
            operator: "api_key:key_1".into(),
            reason: plain(reason),
            expires_at,
        };
        SessionCommand::Impersonate(Box::new(impersonate), at(0))
    };
    let last = at(0) + LONGEST_IMPERSONATION;
    let started = SessionEvent::ImpersonationStarted {
        user_id: ada(),
        epoch: 2,
        operator: "api_key:key_1".into(),
        reason: plain("help"),
        started_at: at(0),
        expires_at: last,
    };
    Rules::with(())
        .given_no_previous_events()
        .when(begin("help", last))
        .then_expect_events(vec![started.clone()]);
    for (reason, expires_at, refused) in [
        ("help", last + TimeDelta::seconds(1), SessionError::Life),
        ("help", at(0), SessionError::Life),
        (" ", last, SessionError::Reason),
    ] {
        let command = begin(reason, expires_at);
        Rules::with(()).given_no_previous_events().when(command).then_expect_error(refused);
    }
    for guess in ["", "t1"] {
        let (token_hash, next_hash) = (guess.to_owned(), "t2".to_owned());
        let refresh = SessionCommand::Refresh { token_hash, next_hash, now: at(1) };
        Rules::with(())
            .given(vec![started.clone()])
            .when(refresh)
            .then_expect_error(SessionError::UnknownToken);
    }
}

#[test]
fn every_second_factor_of_somebody_goes_at_once() {
    type Rules = TestFramework<Factors>;
    let passkey_id = PasskeyId::from_uuid(Uuid::from_u128(3));
    let given = vec![
        FactorEvent::TotpAdded { user_id: ada(), secret: plain("S"), step: 1, added_at: at(0) },
        FactorEvent::PasskeyAdded {
            user_id: ada(),
            passkey_id,
            credential_hash: "h".into(),
            record: plain("{}"),
            name: plain("laptop"),
            sign_count: 0,
            added_at: at(0),
        },
    ];
    let remove = || FactorCommand::RemoveAll { now: at(1) };
    let credential_hash = "h".to_owned();
    Rules::with(()).given(given).when(remove()).then_expect_events(vec![
        FactorEvent::TotpRemoved { removed_at: at(1) },
        FactorEvent::PasskeyRemoved { passkey_id, credential_hash, removed_at: at(1) },
    ]);
    Rules::with(()).given_no_previous_events().when(remove()).then_expect_events(vec![]);
}
