//! Rules of sessions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;
use domain::{
    Decide, Pii, Sealed, Timestamp,
    ids::UserId,
    sessions::{
        EndReason, IDLE_LIFE, Proof, REMEMBERED_TOKENS, Session, SessionCommand, SessionError,
        SessionEvent, StartSession,
    },
};
use uuid::Uuid;

type Rules = TestFramework<Session>;

fn at(minutes: i64) -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn ada() -> UserId {
    UserId::from_uuid(Uuid::from_u128(7))
}

fn client() -> Option<Pii<String>> {
    Some(Pii::plain("a browser".to_owned()))
}

fn start() -> SessionCommand {
    let start = StartSession {
        user_id: ada(),
        epoch: 2,
        token_hash: "t1".into(),
        proofs: vec![Proof::Password],
        provider: None,
        client: client(),
        address: None,
    };
    SessionCommand::Start(Box::new(start), at(0))
}

fn started() -> SessionEvent {
    SessionEvent::Started {
        user_id: ada(),
        epoch: 2,
        token_hash: "t1".into(),
        proofs: vec![Proof::Password],
        provider: None,
        client: client(),
        address: None,
        started_at: at(0),
        expires_at: at(0) + IDLE_LIFE,
    }
}

fn refreshed(generation: u32, minutes: i64) -> SessionEvent {
    SessionEvent::Refreshed {
        generation,
        token_hash: format!("t{generation}"),
        refreshed_at: at(minutes),
        expires_at: at(minutes) + IDLE_LIFE,
    }
}

fn ended(reason: EndReason) -> SessionEvent {
    SessionEvent::Ended { reason, ended_at: at(5) }
}

fn refresh(token: &str, minutes: i64) -> SessionCommand {
    SessionCommand::Refresh { token_hash: token.into(), next_hash: "t2".into(), now: at(minutes) }
}

#[test]
fn a_session_starts_once() {
    Rules::with(()).given_no_previous_events().when(start()).then_expect_events(vec![started()]);
    Rules::with(()).given(vec![started()]).when(start()).then_expect_error(SessionError::Exists);
}

#[test]
fn the_newest_token_refreshes_the_session() {
    Rules::with(())
        .given(vec![started()])
        .when(refresh("t1", 5))
        .then_expect_events(vec![refreshed(2, 5)]);
    Rules::with(())
        .given(vec![started()])
        .when(refresh("t9", 5))
        .then_expect_error(SessionError::UnknownToken);
    Rules::with(())
        .given_no_previous_events()
        .when(refresh("t1", 5))
        .then_expect_error(SessionError::NotFound);
}

#[test]
fn a_token_that_is_used_twice_ends_the_session_for_both_who_have_it() {
    let given = || vec![started(), refreshed(2, 1), refreshed(3, 2)];
    for used in ["t1", "t2"] {
        Rules::with(())
            .given(given())
            .when(refresh(used, 5))
            .then_expect_events(vec![ended(EndReason::TokenReused)]);
    }
    let over = given().into_iter().chain([ended(EndReason::TokenReused)]).collect();
    Rules::with(()).given(over).when(refresh("t3", 6)).then_expect_error(SessionError::Over);
}

#[test]
fn a_session_that_nobody_refreshes_is_over() {
    let month = IDLE_LIFE.num_minutes();
    Rules::with(())
        .given(vec![started()])
        .when(refresh("t1", month))
        .then_expect_error(SessionError::Over);
    Rules::with(())
        .given(vec![started(), refreshed(2, 1)])
        .when(SessionCommand::Refresh {
            token_hash: "t2".into(),
            next_hash: "t3".into(),
            now: at(month),
        })
        .then_expect_events(vec![refreshed(3, month)]);
}

#[test]
fn a_session_is_ended_once() {
    let end = || SessionCommand::End { now: at(5) };
    let out = ended(EndReason::LoggedOut);
    Rules::with(()).given(vec![started()]).when(end()).then_expect_events(vec![out.clone()]);
    Rules::with(()).given(vec![started(), out]).when(end()).then_expect_events(vec![]);
    Rules::with(())
        .given_no_previous_events()
        .when(end())
        .then_expect_error(SessionError::NotFound);
}

#[test]
fn what_a_session_remembers_is_bounded() {
    let mut session = Session::default();
    session.evolve(&started());
    for generation in 2..1000 {
        session.evolve(&refreshed(generation, 1));
    }
    assert_eq!(session.used_hashes.len(), REMEMBERED_TOKENS);
    assert_eq!(session.used_hashes.back().unwrap(), "t998");
}

#[test]
fn a_provider_is_one_factor_unless_it_is_believed_that_there_were_two() {
    use Proof::{Password, Provider, ProviderWithSecondFactor, Totp};
    for (proofs, two) in [
        (vec![Provider], false),
        (vec![Provider, Password], false),
        (vec![Provider, Totp], true),
        (vec![ProviderWithSecondFactor], true),
        (vec![Totp], false),
        (vec![], false),
    ] {
        assert_eq!(Proof::are_two(&proofs), two, "{proofs:?}");
    }
}

#[test]
fn every_personal_field_is_shown_to_whoever_seals_it() {
    let mut event = started();
    Session::personal(&mut event, &mut |field| {
        field.value.seal(Sealed { event: Uuid::nil(), text: field.name.to_owned() });
    });
    serde_json::to_string(&event).unwrap();
}
