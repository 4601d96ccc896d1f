//! Rules of second factors.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;
use domain::{
    ClaimChange, Decide, Pii, Timestamp,
    factors::{
        AddPasskey, FREE_TRIES, FactorCommand, FactorError, FactorEvent, Factors, MAX_PASSKEYS,
        PASSKEY_CLAIM,
    },
    ids::{PasskeyId, UserId},
};
use uuid::Uuid;

type Rules = TestFramework<Factors>;

fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

fn ada() -> UserId {
    UserId::from_uuid(Uuid::from_u128(7))
}

fn passkey(number: u128) -> PasskeyId {
    PasskeyId::from_uuid(Uuid::from_u128(number))
}

fn plain(text: &str) -> Pii<String> {
    Pii::plain(text.to_owned())
}

fn codes() -> Vec<String> {
    vec!["c1".to_owned(), "c2".to_owned()]
}

fn totp_added() -> FactorEvent {
    FactorEvent::TotpAdded { user_id: ada(), secret: plain("S"), step: 10, added_at: at(0) }
}

fn codes_issued() -> FactorEvent {
    FactorEvent::RecoveryCodesIssued { code_hashes: codes(), issued_at: at(0) }
}

fn add_passkey(number: u128) -> FactorCommand {
    let add = AddPasskey {
        user_id: ada(),
        passkey_id: passkey(number),
        credential_hash: format!("h{number}"),
        record: plain("{}"),
        name: plain("key"),
        sign_count: 4,
        recovery_hashes: codes(),
    };
    FactorCommand::AddPasskey(Box::new(add), at(0))
}

fn passkey_added(number: u128) -> FactorEvent {
    FactorEvent::PasskeyAdded {
        user_id: ada(),
        passkey_id: passkey(number),
        credential_hash: format!("h{number}"),
        record: plain("{}"),
        name: plain("key"),
        sign_count: 4,
        added_at: at(0),
    }
}

fn refused(seconds: i64) -> FactorEvent {
    FactorEvent::Refused { refused_at: at(seconds) }
}

#[test]
fn recovery_codes_come_with_the_first_factor_and_go_with_the_last() {
    let add = FactorCommand::AddTotp {
        user_id: ada(),
        secret: plain("S"),
        step: 10,
        recovery_hashes: codes(),
        now: at(0),
    };
    Rules::with(())
        .given_no_previous_events()
        .when(add.clone())
        .then_expect_events(vec![totp_added(), codes_issued()]);
    Rules::with(())
        .given(vec![passkey_added(1), codes_issued()])
        .when(add)
        .then_expect_events(vec![totp_added()]);
    let mut factors = Factors::default();
    let gone = FactorEvent::PasskeyRemoved {
        passkey_id: passkey(1),
        credential_hash: "h1".into(),
        removed_at: at(1),
    };
    for event in [passkey_added(1), codes_issued(), totp_added(), gone] {
        factors.evolve(&event);
    }
    assert_eq!(factors.recovery_hashes.len(), 2);
    factors.evolve(&FactorEvent::TotpRemoved { removed_at: at(2) });
    assert!(!factors.any() && factors.recovery_hashes.is_empty());
}

#[test]
fn a_code_works_once_and_none_of_before_it_does() {
    let use_step = |step| FactorCommand::UseTotp { step, now: at(1) };
    let used = FactorEvent::TotpUsed { step: 12, used_at: at(1) };
    Rules::with(())
        .given(vec![totp_added(), codes_issued()])
        .when(use_step(12))
        .then_expect_events(vec![used.clone()]);
    for step in [9, 10, 11, 12] {
        Rules::with(())
            .given(vec![totp_added(), codes_issued(), used.clone()])
            .when(use_step(step))
            .then_expect_error(FactorError::CodeUsed);
    }
}

#[test]
fn a_recovery_code_is_used_up() {
    let spend = |hash: &str| FactorCommand::UseRecoveryCode { hash: hash.to_owned(), now: at(1) };
    let used = FactorEvent::RecoveryCodeUsed { number: 1, used_at: at(1) };
    Rules::with(())
        .given(vec![totp_added(), codes_issued()])
        .when(spend("c2"))
        .then_expect_events(vec![used.clone()]);
    for hash in ["c2", "c3", ""] {
        Rules::with(())
            .given(vec![totp_added(), codes_issued(), used.clone()])
            .when(spend(hash))
            .then_expect_error(FactorError::UnknownCode);
    }
}

#[test]
fn wrong_answers_make_everybody_wait_longer_and_longer() {
    let mut given = vec![totp_added(), codes_issued()];
    given.extend((0..=FREE_TRIES).map(|_| refused(0)));
    let right = |now| FactorCommand::UseTotp { step: 12, now };
    let mut later = given.clone();
    later.push(refused(40));
    for (given, now, seconds) in [(&given, 10, 20), (&later, 50, 50)] {
        for command in [right(at(now)), FactorCommand::Refuse { now: at(now) }] {
            Rules::with(())
                .given(given.clone())
                .when(command)
                .then_expect_error(FactorError::TryLater { seconds });
        }
    }
    let used = FactorEvent::TotpUsed { step: 12, used_at: at(100) };
    Rules::with(()).given(later.clone()).when(right(at(100))).then_expect_events(vec![used]);
    // However many there were, nobody waits for more than an hour.
    later.extend((0..1000).map(|_| refused(40)));
    let now = at(40 + 3600);
    let refused = vec![FactorEvent::Refused { refused_at: now }];
    Rules::with(()).given(later).when(FactorCommand::Refuse { now }).then_expect_events(refused);
}

#[test]
fn a_passkey_whose_counter_stands_still_may_be_a_copy() {
    let touch =
        |sign_count| FactorCommand::UsePasskey { passkey_id: passkey(1), sign_count, now: at(1) };
    let given = vec![passkey_added(1), codes_issued()];
    Rules::with(()).given(given.clone()).when(touch(4)).then_expect_error(FactorError::CodeUsed);
    let used = |sign_count| FactorEvent::PasskeyUsed {
        passkey_id: passkey(1),
        sign_count,
        used_at: at(1),
    };
    Rules::with(()).given(given).when(touch(5)).then_expect_events(vec![used(5)]);
}

#[test]
fn a_passkey_is_claimed_while_it_is_there_and_nobody_has_too_many() {
    let claim = |key: &str| (PASSKEY_CLAIM, key.to_owned());
    let (kind, key) = claim("h1");
    assert_eq!(Factors::claims(&passkey_added(1)), [ClaimChange::Take { kind, key }]);
    let removed = FactorEvent::PasskeyRemoved {
        passkey_id: passkey(1),
        credential_hash: "h1".into(),
        removed_at: at(1),
    };
    let (kind, key) = claim("h1");
    assert_eq!(Factors::claims(&removed), [ClaimChange::Release { kind, key }]);
    let given = (0..MAX_PASSKEYS as u128).map(passkey_added).collect();
    Rules::with(())
        .given(given)
        .when(add_passkey(99))
        .then_expect_error(FactorError::TooManyPasskeys);
}
