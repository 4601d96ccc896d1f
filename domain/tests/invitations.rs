//! Rules of who is invited by whom, and how invitations end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta};
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use domain::{
    Pii, Timestamp,
    ids::{InvitationId, UserId},
    organizations::{
        InvitationEnd, Invite, MAX_PENDING_INVITATIONS, Organization,
        OrganizationCommand as Command, OrganizationError as Error, OrganizationEvent as Event,
        Role,
    },
};
use uuid::Uuid;

const ADA: u128 = 1;
const BOB: u128 = 2;
const EVE: u128 = 3;
const LIFE: TimeDelta = TimeDelta::days(7);

fn now() -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn later() -> Timestamp {
    now() + TimeDelta::minutes(1)
}

fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

fn id(n: u128) -> InvitationId {
    InvitationId::from_uuid(Uuid::from_u128(n))
}

fn joined(n: u128, role: Role, permissions: &[&str]) -> Event {
    let permissions = permissions.iter().map(|&name| name.to_owned()).collect();
    Event::MemberJoined { user_id: user(n), role, permissions, joined_at: now() }
}

/// Ada's organisation, in which Bob is an admin and Eve a developer, with what happened since.
fn given(events: impl IntoIterator<Item = Event>) -> AggregateTestExecutor<Organization> {
    let begin = [
        Event::Created { name: "Acme".into(), slug: "acme".into(), created_at: now() },
        joined(ADA, Role::Owner, &[]),
        joined(BOB, Role::Admin, &[]),
        joined(EVE, Role::Developer, &[]),
    ];
    TestFramework::with(()).given(begin.into_iter().chain(events).collect())
}

/// The address of an invitation is told by its index alone.
fn made(n: u128, email: &str, role: Role, by: Option<u128>) -> Event {
    made_at(now(), n, email, role, by)
}

fn made_at(at: Timestamp, n: u128, email: &str, role: Role, by: Option<u128>) -> Event {
    Event::InvitationMade {
        invitation_id: id(n),
        email: Pii::plain(email.to_owned()),
        email_index: email.to_owned(),
        role,
        permissions: vec![],
        inviter: by.map(user),
        nonce: format!("n{n}"),
        expires_at: at + LIFE,
        invited_at: at,
    }
}

fn invite_of(n: u128, email: &str, role: Role, by: Option<u128>) -> Invite {
    Invite {
        invitation_id: id(n),
        email: Pii::plain(email.to_owned()),
        email_index: email.to_owned(),
        account: None,
        role,
        permissions: vec![],
        nonce: format!("n{n}"),
        expires_at: now() + LIFE,
        by: by.map(user),
    }
}

fn invite(n: u128, email: &str, role: Role, by: Option<u128>) -> Command {
    invite_at(now(), n, email, role, by)
}

fn invite_at(at: Timestamp, n: u128, email: &str, role: Role, by: Option<u128>) -> Command {
    let invite = Invite { expires_at: at + LIFE, ..invite_of(n, email, role, by) };
    Command::Invite(Box::new(invite), at)
}

fn ended(n: u128, reason: InvitationEnd, ended_at: Timestamp) -> Event {
    Event::InvitationEnded { invitation_id: id(n), reason, ended_at }
}

fn accept(n: u128, nonce: &str, email: &str, at: Timestamp) -> Command {
    Command::AcceptInvitation {
        invitation_id: id(n),
        nonce: nonce.to_owned(),
        user_id: user(9),
        email_index: email.to_owned(),
        now: at,
    }
}

#[test]
fn whoever_accepts_joins_with_what_they_were_invited_to() {
    let open = || given([made(1, "zoe", Role::Developer, Some(BOB))]);
    let accepted =
        Event::InvitationAccepted { invitation_id: id(1), user_id: user(9), accepted_at: now() };
    let joins = joined(9, Role::Developer, &[]);
    let events = vec![accepted.clone(), joins.clone()];
    open().when(accept(1, "n1", "zoe", now())).then_expect_events(events.clone());
    open().when(accept(1, "n2", "zoe", now())).then_expect_error(Error::InvitationLink);
    open().when(accept(2, "n2", "zoe", now())).then_expect_error(Error::InvitationLink);
    open().when(accept(1, "n1", "zoe", now() + LIFE)).then_expect_error(Error::InvitationLink);
    open().when(accept(1, "n1", "mallory", now())).then_expect_error(Error::NotInvited);
    // Once.
    given([made(1, "zoe", Role::Developer, Some(BOB))].into_iter().chain(events))
        .when(accept(1, "n1", "zoe", now()))
        .then_expect_error(Error::InvitationLink);
    given([made(1, "zoe", Role::Viewer, Some(BOB)), joins])
        .when(accept(1, "n1", "zoe", now()))
        .then_expect_error(Error::AlreadyMember);
}

#[test]
fn whoever_declines_ends_the_invitation() {
    let decline = |email: &str| Command::DeclineInvitation {
        invitation_id: id(1),
        nonce: "n1".into(),
        email_index: email.to_owned(),
        now: now(),
    };
    let declined = Event::InvitationDeclined { invitation_id: id(1), declined_at: now() };
    let open = || given([made(1, "zoe", Role::Viewer, Some(ADA))]);
    open().when(decline("zoe")).then_expect_events(vec![declined.clone()]);
    open().when(decline("mallory")).then_expect_error(Error::NotInvited);
    given([made(1, "zoe", Role::Viewer, Some(ADA)), declined])
        .when(accept(1, "n1", "zoe", now()))
        .then_expect_error(Error::InvitationLink);
}

#[test]
fn nobody_invites_to_a_place_above_their_own() {
    for (role, by) in [
        (Role::Owner, Some(ADA)),
        (Role::Owner, None),
        (Role::Admin, Some(BOB)),
        (Role::Developer, Some(EVE)),
    ] {
        given([])
            .when(invite(1, "zoe", role, by))
            .then_expect_events(vec![made(1, "zoe", role, by)]);
    }
    for (role, by) in [(Role::Owner, BOB), (Role::Admin, EVE)] {
        given([]).when(invite(1, "zoe", role, Some(by))).then_expect_error(Error::AboveOwnRole);
    }
    given([]).when(invite(1, "zoe", Role::Viewer, Some(8))).then_expect_error(Error::UnknownMember);
    let extra = Invite {
        permissions: vec!["audit:read".into()],
        ..invite_of(1, "zoe", Role::Viewer, Some(EVE))
    };
    given([]).when(Command::Invite(Box::new(extra), now())).then_expect_error(Error::AboveOwnRole);
    let member = Invite { account: Some(user(EVE)), ..invite_of(1, "e", Role::Viewer, Some(ADA)) };
    given([])
        .when(Command::Invite(Box::new(member), now()))
        .then_expect_error(Error::AlreadyMember);
}

#[test]
fn another_invitation_of_an_address_takes_the_place_of_the_one_before() {
    let before = || given([made(1, "zoe", Role::Viewer, Some(ADA))]);
    let again = |role, by| invite_at(later(), 2, "zoe", role, Some(by));
    let replaced = ended(1, InvitationEnd::Replaced, later());
    let next = made_at(later(), 2, "zoe", Role::Admin, Some(BOB));
    before().when(again(Role::Admin, BOB)).then_expect_events(vec![replaced, next]);
    before()
        .when(invite(2, "zoe", Role::Viewer, Some(ADA)))
        .then_expect_error(Error::InvitedTooSoon);
    given([made(1, "zoe", Role::Owner, Some(ADA))])
        .when(again(Role::Viewer, BOB))
        .then_expect_error(Error::AboveOwnRole);
}

#[test]
fn a_resent_invitation_has_another_link() {
    let resend = |by, at| Command::ResendInvitation {
        invitation_id: id(1),
        nonce: "n9".into(),
        expires_at: at + LIFE,
        by: Some(user(by)),
        now: at,
    };
    let resent = Event::InvitationResent {
        invitation_id: id(1),
        nonce: "n9".into(),
        expires_at: later() + LIFE,
        resent_at: later(),
    };
    let open = || given([made(1, "zoe", Role::Admin, Some(ADA))]);
    open().when(resend(BOB, later())).then_expect_events(vec![resent.clone()]);
    open().when(resend(BOB, now())).then_expect_error(Error::InvitedTooSoon);
    open().when(resend(EVE, later())).then_expect_error(Error::AboveOwnRole);
    open().when(resend(BOB, now() + LIFE)).then_expect_error(Error::UnknownInvitation);
    let after = || given([made(1, "zoe", Role::Admin, Some(ADA)), resent.clone()]);
    after().when(accept(1, "n1", "zoe", later())).then_expect_error(Error::InvitationLink);
    let until = now() + LIFE;
    after().when(accept(1, "n9", "zoe", until)).then_expect_events(vec![
        Event::InvitationAccepted { invitation_id: id(1), user_id: user(9), accepted_at: until },
        Event::MemberJoined {
            user_id: user(9),
            role: Role::Admin,
            permissions: vec![],
            joined_at: until,
        },
    ]);
}

#[test]
fn an_invitation_is_taken_back_by_whoever_could_give_it() {
    let revoke =
        |n, by| Command::RevokeInvitation { invitation_id: id(n), by: Some(user(by)), now: now() };
    let open = || given([made(1, "zoe", Role::Admin, Some(ADA))]);
    let revoked = ended(1, InvitationEnd::Revoked, now());
    open().when(revoke(1, BOB)).then_expect_events(vec![revoked]);
    open().when(revoke(1, EVE)).then_expect_error(Error::AboveOwnRole);
    open().when(revoke(2, BOB)).then_expect_error(Error::UnknownInvitation);
}

#[test]
fn an_invitation_ends_when_its_inviter_could_not_give_it_any_more() {
    let of_bob = || {
        given([
            made(1, "zoe", Role::Admin, Some(BOB)),
            made(2, "kim", Role::Viewer, Some(BOB)),
            made(3, "lou", Role::Admin, Some(ADA)),
        ])
    };
    let gone = |n| ended(n, InvitationEnd::Inviter, now());
    let demoted = Event::MemberChanged {
        user_id: user(BOB),
        role: Role::Developer,
        permissions: vec![],
        changed_at: now(),
    };
    let demote = Command::ChangeMember {
        user_id: user(BOB),
        role: Role::Developer,
        permissions: vec![],
        by: Some(user(ADA)),
        now: now(),
    };
    of_bob().when(demote).then_expect_events(vec![demoted, gone(1)]);
    let removed = Event::MemberRemoved { user_id: user(BOB), removed_at: now() };
    of_bob()
        .when(Command::RemoveMember { user_id: user(BOB), by: Some(user(ADA)), now: now() })
        .then_expect_events(vec![removed, gone(1), gone(2)]);
    let left = Event::MemberLeft { user_id: user(BOB), left_at: now() };
    for command in [
        Command::Leave { user_id: user(BOB), now: now() },
        Command::EraseMember { user_id: user(BOB), now: now() },
    ] {
        of_bob().when(command).then_expect_events(vec![left.clone(), gone(1), gone(2)]);
    }
    let handed = Event::Transferred { to: user(BOB), from: Some(user(ADA)), transferred_at: now() };
    let hand = Command::Transfer { to: user(BOB), by: Some(user(ADA)), now: now() };
    given([made(1, "zoe", Role::Owner, Some(ADA)), made(2, "kim", Role::Admin, Some(ADA))])
        .when(hand)
        .then_expect_events(vec![handed, gone(1)]);
}

#[test]
fn invitations_end_with_the_organisation_with_time_and_with_the_account_of_the_address() {
    let open =
        || given([made(1, "zoe", Role::Admin, Some(BOB)), made(2, "kim", Role::Viewer, None)]);
    open().when(Command::Archive { now: now() }).then_expect_events(vec![
        ended(1, InvitationEnd::Archived, now()),
        ended(2, InvitationEnd::Archived, now()),
        Event::Archived { archived_at: now() },
    ]);
    let forget = |email: &str| Command::ForgetInvited { email_index: email.into(), now: now() };
    open().when(forget("kim")).then_expect_events(vec![ended(2, InvitationEnd::Erased, now())]);
    open().when(forget("bob")).then_expect_events(vec![]);
    let end = now() + LIFE;
    open().when(Command::ExpireInvitations { now: end }).then_expect_events(vec![
        ended(1, InvitationEnd::Expired, end),
        ended(2, InvitationEnd::Expired, end),
    ]);
    open().when(Command::ExpireInvitations { now: later() }).then_expect_events(vec![]);
}

#[test]
fn so_many_wait_at_the_same_time() {
    let many = || {
        (0..MAX_PENDING_INVITATIONS as u128).map(|n| made(n, &n.to_string(), Role::Viewer, None))
    };
    given(many())
        .when(invite(500, "zoe", Role::Viewer, None))
        .then_expect_error(Error::TooManyInvitations);
    // Those that expired make room, and so does the one whose place is taken.
    let at = now() + LIFE;
    let mut expected: Vec<_> = (0..MAX_PENDING_INVITATIONS as u128)
        .map(|n| ended(n, InvitationEnd::Expired, at))
        .collect();
    expected.push(made_at(at, 500, "zoe", Role::Viewer, None));
    given(many()).when(invite_at(at, 500, "zoe", Role::Viewer, None)).then_expect_events(expected);
    given(many()).when(invite_at(later(), 500, "7", Role::Viewer, None)).then_expect_events(vec![
        ended(7, InvitationEnd::Replaced, later()),
        made_at(later(), 500, "7", Role::Viewer, None),
    ]);
}
