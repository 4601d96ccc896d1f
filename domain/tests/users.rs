//! Rules of accounts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;
use domain::{
    ClaimChange, Decide, Pii, Sealed, Timestamp,
    ids::UserId,
    users::{
        EMAIL_CLAIM, IDENTITY_CLAIM, Import, Join, Linking, NewIdentity, SignUp, User, UserCommand,
        UserError, UserEvent, own_organization,
    },
};
use uuid::Uuid;

type Rules = TestFramework<User>;

fn at(minutes: i64) -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn ada() -> UserId {
    UserId::from_uuid(Uuid::from_u128(7))
}

fn plain(text: &str) -> Pii<String> {
    Pii::plain(text.to_owned())
}

fn sign_up(name: Option<&str>) -> UserCommand {
    let sign_up = SignUp {
        user_id: ada(),
        email: plain("ada@example.org"),
        email_index: "17".into(),
        name: name.map(plain),
        password_hash: plain("$argon2id$"),
        nonce: "n1".into(),
    };
    UserCommand::SignUp(Box::new(sign_up), at(0))
}

fn signed_up() -> Vec<UserEvent> {
    let signed_up = UserEvent::SignedUp {
        user_id: ada(),
        email: plain("ada@example.org"),
        email_index: "17".into(),
        name: Some(plain("Ada")),
        password_hash: Some(plain("$argon2id$")),
        signed_up_at: at(0),
    };
    vec![signed_up, verification_asked("n1", 0)]
}

fn verification_asked(nonce: &str, minutes: i64) -> UserEvent {
    UserEvent::EmailVerificationAsked {
        nonce: nonce.into(),
        expires_at: at(minutes + 24 * 60),
        asked_at: at(minutes),
    }
}

fn reset_asked(nonce: &str, minutes: i64) -> UserEvent {
    UserEvent::PasswordResetAsked {
        nonce: nonce.into(),
        expires_at: at(minutes + 60),
        asked_at: at(minutes),
    }
}

fn reset(minutes: i64) -> UserEvent {
    UserEvent::PasswordReset {
        user_id: ada(),
        password_hash: plain("$new$"),
        reset_at: at(minutes),
    }
}

fn erased() -> UserEvent {
    UserEvent::Erased { email_index: "17".into(), identity_indexes: Vec::new(), erased_at: at(9) }
}

fn verify(nonce: &str, minutes: i64) -> UserCommand {
    UserCommand::VerifyEmail { nonce: nonce.into(), now: at(minutes) }
}

fn reset_by(nonce: &str, minutes: i64) -> UserCommand {
    UserCommand::ResetPassword {
        nonce: nonce.into(),
        password_hash: plain("$new$"),
        now: at(minutes),
    }
}

fn then(more: impl IntoIterator<Item = UserEvent>) -> Vec<UserEvent> {
    signed_up().into_iter().chain(more).collect()
}

fn folded(events: Vec<UserEvent>) -> User {
    let mut user = User::default();
    events.iter().for_each(|event| user.evolve(event));
    user
}

#[test]
fn somebody_signs_up_once_and_is_asked_to_confirm_the_address() {
    Rules::with(())
        .given_no_previous_events()
        .when(sign_up(Some("Ada")))
        .then_expect_events(signed_up());
    Rules::with(())
        .given(signed_up())
        .when(sign_up(Some("Ada")))
        .then_expect_error(UserError::Exists);
    for name in ["", "  ", "a\u{7}", &"n".repeat(101)] {
        Rules::with(())
            .given_no_previous_events()
            .when(sign_up(Some(name)))
            .then_expect_error(UserError::Name);
    }
}

#[test]
fn an_account_of_elsewhere_comes_as_it_was_there() {
    let import = |name: &str, password_hash: Option<&str>, email_verified| {
        let import = Import {
            user_id: ada(),
            email: plain("ada@example.org"),
            email_index: "17".into(),
            name: Some(plain(name)),
            password_hash: password_hash.map(plain),
            email_verified,
            nonce: "n1".into(),
        };
        UserCommand::Import(Box::new(import), at(0))
    };
    Rules::with(())
        .given_no_previous_events()
        .when(import("Ada", Some("$argon2id$"), false))
        .then_expect_events(signed_up());
    let mut without = signed_up();
    if let UserEvent::SignedUp { password_hash, .. } = &mut without[0] {
        *password_hash = None;
    }
    without[1] = UserEvent::EmailVerified { verified_at: at(0) };
    Rules::with(())
        .given_no_previous_events()
        .when(import("Ada", None, true))
        .then_expect_events(without);
    Rules::with(())
        .given_no_previous_events()
        .when(import(" ", None, true))
        .then_expect_error(UserError::Name);
    for before in [signed_up(), then([erased()])] {
        Rules::with(())
            .given(before)
            .when(import("Ada", None, true))
            .then_expect_error(UserError::Exists);
    }
}

#[test]
fn an_address_is_claimed_until_its_account_is_erased() {
    let key = || "17".to_owned();
    assert_eq!(
        User::claims(&signed_up()[0]),
        [ClaimChange::Take { kind: EMAIL_CLAIM, key: key() }]
    );
    assert_eq!(User::claims(&erased()), [ClaimChange::Release { kind: EMAIL_CLAIM, key: key() }]);
    assert_eq!(own_organization(ada()).uuid(), ada().uuid());
}

#[test]
fn the_link_that_confirms_an_address_works_once_and_for_a_day() {
    let verified = |minutes| UserEvent::EmailVerified { verified_at: at(minutes) };
    Rules::with(())
        .given(signed_up())
        .when(verify("n1", 1439))
        .then_expect_events(vec![verified(1439)]);
    Rules::with(())
        .given(signed_up())
        .when(verify("n1", 1440))
        .then_expect_error(UserError::LinkExpired);
    Rules::with(()).given(signed_up()).when(verify("n2", 1)).then_expect_error(UserError::Link);
    Rules::with(())
        .given(then([verified(1)]))
        .when(verify("n1", 2))
        .then_expect_error(UserError::Link);
    // A newer link puts an end to the older one.
    Rules::with(())
        .given(then([verification_asked("n2", 5)]))
        .when(verify("n1", 6))
        .then_expect_error(UserError::Link);
}

#[test]
fn signing_up_again_sends_one_mail_a_minute_at_most() {
    let again = |minutes| UserCommand::RepeatSignUp { nonce: "n2".into(), now: at(minutes) };
    Rules::with(()).given(signed_up()).when(again(0)).then_expect_events(vec![]);
    Rules::with(())
        .given(signed_up())
        .when(again(1))
        .then_expect_events(vec![verification_asked("n2", 1)]);
    let verified = UserEvent::EmailVerified { verified_at: at(0) };
    let repeated = UserEvent::SignUpRepeated { repeated_at: at(1) };
    Rules::with(())
        .given(then([verified.clone()]))
        .when(again(1))
        .then_expect_events(vec![repeated.clone()]);
    Rules::with(()).given(then([verified, repeated])).when(again(1)).then_expect_events(vec![]);
}

#[test]
fn a_password_is_reset_once_by_its_link_which_ends_every_session_and_proves_the_address() {
    let ask = |minutes| UserCommand::AskPasswordReset { nonce: "r1".into(), now: at(minutes) };
    Rules::with(()).given(signed_up()).when(ask(2)).then_expect_events(vec![reset_asked("r1", 2)]);
    Rules::with(()).given(then([reset_asked("r0", 2)])).when(ask(2)).then_expect_events(vec![]);

    let asked = || then([reset_asked("r1", 2)]);
    Rules::with(()).given(asked()).when(reset_by("r1", 61)).then_expect_events(vec![reset(61)]);
    Rules::with(())
        .given(asked())
        .when(reset_by("r1", 62))
        .then_expect_error(UserError::LinkExpired);
    Rules::with(()).given(asked()).when(reset_by("n1", 3)).then_expect_error(UserError::Link);
    Rules::with(())
        .given(then([reset_asked("r1", 2), reset(3)]))
        .when(reset_by("r1", 4))
        .then_expect_error(UserError::Link);

    let user = folded(then([reset_asked("r1", 2), reset(3)]));
    assert_eq!((user.session_epoch, user.email_verified), (1, true));
}

#[test]
fn an_erased_account_is_gone_and_its_state_says_nothing_of_anybody() {
    let erase = UserCommand::Erase { now: at(9) };
    Rules::with(()).given(signed_up()).when(erase.clone()).then_expect_events(vec![erased()]);
    Rules::with(()).given(then([erased()])).when(erase).then_expect_events(vec![]);
    for command in [sign_up(None), verify("n1", 1), reset_by("r1", 1)] {
        let refusal = match command {
            UserCommand::SignUp(..) => UserError::Exists,
            _ => UserError::NotFound,
        };
        Rules::with(()).given(then([erased()])).when(command).then_expect_error(refusal);
    }
    Rules::with(())
        .given_no_previous_events()
        .when(verify("n1", 1))
        .then_expect_error(UserError::NotFound);

    let user = folded(then([erased()]));
    let left = User { id: Some(ada()), session_epoch: 1, erased: true, ..User::default() };
    assert_eq!(user, left);
}

fn identity(index: &str) -> NewIdentity {
    NewIdentity {
        provider: "google".into(),
        issuer: "https://accounts.google.com".into(),
        subject: plain("1017"),
        identity_index: index.into(),
        email: Some(plain("ada@example.org")),
    }
}

fn linked(index: &str, minutes: i64) -> UserEvent {
    UserEvent::IdentityLinked {
        user_id: ada(),
        provider: "google".into(),
        issuer: "https://accounts.google.com".into(),
        subject: plain("1017"),
        identity_index: index.into(),
        email: Some(plain("ada@example.org")),
        linked_at: at(minutes),
    }
}

fn link(index: &str, linking: Linking) -> UserCommand {
    UserCommand::LinkIdentity { identity: Box::new(identity(index)), linking, now: at(5) }
}

fn by_address(email_index: &str, authoritative: bool) -> Linking {
    Linking::ByAddress { email_index: email_index.into(), authoritative }
}

#[test]
fn whoever_comes_through_a_provider_joins_with_a_confirmed_address_and_without_a_password() {
    let join = |name: Option<&str>| {
        let join = Join {
            user_id: ada(),
            email: plain("ada@example.org"),
            email_index: "17".into(),
            name: name.map(str::to_owned),
            identity: identity("i1"),
        };
        UserCommand::Join(Box::new(join), at(5))
    };
    let joined = |name: Option<&str>| {
        let signed_up = UserEvent::SignedUp {
            user_id: ada(),
            email: plain("ada@example.org"),
            email_index: "17".into(),
            name: name.map(plain),
            password_hash: None,
            signed_up_at: at(5),
        };
        vec![signed_up, UserEvent::EmailVerified { verified_at: at(5) }, linked("i1", 5)]
    };
    for (given, taken) in [
        (Some(" Ada\r\nBcc: eve@example.org"), Some("AdaBcc: eve@example.org")),
        (Some("\u{7} "), None),
        (None, None),
    ] {
        Rules::with(())
            .given_no_previous_events()
            .when(join(given))
            .then_expect_events(joined(taken));
    }
    Rules::with(()).given(joined(None)).when(join(None)).then_expect_error(UserError::Exists);
}

#[test]
fn a_confirmed_address_links_nothing_unless_the_provider_decides_about_addresses() {
    let verified = || then([UserEvent::EmailVerified { verified_at: at(1) }]);
    let linked = || vec![linked("i1", 5)];
    for (linking, outcome) in [
        (Linking::ByOwner, Ok(linked())),
        (by_address("17", true), Ok(linked())),
        (by_address("17", false), Err(UserError::AddressHasAccount)),
        (by_address("18", true), Err(UserError::AddressHasAccount)),
    ] {
        let result = Rules::with(()).given(verified()).when(link("i1", linking));
        match outcome {
            Ok(events) => result.then_expect_events(events),
            Err(error) => result.then_expect_error(error),
        }
    }
}

#[test]
fn an_address_that_nobody_confirmed_is_its_owners_and_the_strangers_password_ends() {
    let expected = vec![
        UserEvent::PasswordRemoved { removed_at: at(5) },
        UserEvent::EmailVerified { verified_at: at(5) },
        linked("i1", 5),
    ];
    Rules::with(())
        .given(signed_up())
        .when(link("i1", by_address("17", false)))
        .then_expect_events(expected.clone());
    let user = folded([signed_up(), expected].concat());
    assert_eq!((user.password_hash, user.email_verified), (None, true));
}

#[test]
fn the_last_way_in_stays() {
    let unlink = || UserCommand::UnlinkIdentity { identity_index: "i1".into(), now: at(6) };
    let unlinked =
        || UserEvent::IdentityUnlinked { identity_index: "i1".into(), unlinked_at: at(6) };
    let removed = || UserEvent::PasswordRemoved { removed_at: at(5) };
    Rules::with(()).given(signed_up()).when(unlink()).then_expect_error(UserError::NoIdentity);
    Rules::with(())
        .given(then([linked("i1", 5)]))
        .when(unlink())
        .then_expect_events(vec![unlinked()]);
    Rules::with(())
        .given(then([removed(), linked("i1", 5)]))
        .when(unlink())
        .then_expect_error(UserError::LastWayIn);
    Rules::with(())
        .given(then([removed(), linked("i1", 5), linked("i2", 5)]))
        .when(unlink())
        .then_expect_events(vec![unlinked()]);
}

#[test]
fn an_identity_is_claimed_while_it_is_linked() {
    let (kind, key) = (IDENTITY_CLAIM, "i1".to_owned());
    let take = ClaimChange::Take { kind, key: key.clone() };
    assert_eq!(User::claims(&linked("i1", 5)), [take]);
    let erase = UserCommand::Erase { now: at(9) };
    let decided = folded(then([linked("i1", 5)])).decide(erase).unwrap();
    let domain::Decision::Accept(events) = decided else { panic!("nothing was erased") };
    let email = ClaimChange::Release { kind: EMAIL_CLAIM, key: "17".into() };
    assert_eq!(User::claims(&events[0]), [ClaimChange::Release { kind, key }, email]);
}

#[test]
fn every_personal_field_is_shown_to_whoever_seals_it() {
    for mut event in then([reset(1), linked("i1", 1)]) {
        User::personal(&mut event, &mut |field| {
            assert_eq!(field.subject, ada().uuid());
            field.value.seal(Sealed { event: Uuid::nil(), text: field.name.to_owned() });
        });
        // A field that was left out would still be plain, and refuse to be written.
        serde_json::to_string(&event).unwrap();
    }
}
