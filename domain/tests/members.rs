//! Rules of who is in an organisation, and what it shows of itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::DateTime;
use cqrs_es::test::TestFramework;
use domain::{
    ClaimChange, Decide, Pii, Timestamp,
    ids::{ApiKeyId, BillingContactId, UserId},
    organizations::{
        BillingContact, KeyTerms, Organization, OrganizationCommand as Command,
        OrganizationError as Error, OrganizationEvent as Event, Role, SLUG_CLAIM, Settings,
    },
};
use uuid::Uuid;

const ADA: u128 = 1;
const BOB: u128 = 2;
const EVE: u128 = 3;

fn now() -> Timestamp {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

fn created() -> Event {
    Event::Created { name: "Acme".into(), slug: "acme".into(), created_at: now() }
}

fn joined(n: u128, role: Role) -> Event {
    Event::MemberJoined { user_id: user(n), role, permissions: vec![], joined_at: now() }
}

/// Ada's organisation, with what happened in it since.
fn given(
    events: impl IntoIterator<Item = Event>,
) -> cqrs_es::test::AggregateTestExecutor<Organization> {
    let begin = [created(), joined(ADA, Role::Owner)];
    TestFramework::with(()).given(begin.into_iter().chain(events).collect())
}

fn settings(name: &str, slug: &str, logo_url: Option<&str>) -> Settings {
    Settings { name: name.into(), slug: slug.into(), logo_url: logo_url.map(str::to_owned) }
}

fn change(n: u128, role: Role, permissions: &[&str], by: u128) -> Command {
    let permissions = permissions.iter().map(|&name| name.to_owned()).collect();
    Command::ChangeMember { user_id: user(n), role, permissions, by: Some(user(by)), now: now() }
}

fn changed(n: u128, role: Role, permissions: &[&str]) -> Event {
    let permissions = permissions.iter().map(|&name| name.to_owned()).collect();
    Event::MemberChanged { user_id: user(n), role, permissions, changed_at: now() }
}

fn remove(n: u128, by: Option<u128>) -> Command {
    Command::RemoveMember { user_id: user(n), by: by.map(user), now: now() }
}

fn leave(n: u128) -> Command {
    Command::Leave { user_id: user(n), now: now() }
}

fn left(n: u128) -> Event {
    Event::MemberLeft { user_id: user(n), left_at: now() }
}

#[test]
fn whoever_founds_an_organisation_owns_it() {
    let founder = user(ADA);
    let logo = "https://cdn.example.org/a.svg";
    let found =
        |logo| Command::Found { settings: settings("Acme", "acme", logo), founder, now: now() };
    let fresh = || TestFramework::<Organization>::with(()).given_no_previous_events();
    fresh().when(found(None)).then_expect_events(vec![created(), joined(ADA, Role::Owner)]);
    let shown = Event::LogoChanged { logo_url: Some(logo.into()), changed_at: now() };
    fresh().when(found(Some(logo))).then_expect_events(vec![
        created(),
        shown,
        joined(ADA, Role::Owner),
    ]);
    given([]).when(found(None)).then_expect_error(Error::Exists);
}

#[test]
fn the_last_owner_stays_an_owner() {
    given([]).when(leave(ADA)).then_expect_error(Error::LastOwner);
    given([]).when(remove(ADA, None)).then_expect_error(Error::LastOwner);
    given([]).when(change(ADA, Role::Admin, &[], ADA)).then_expect_error(Error::LastOwner);
    given([joined(BOB, Role::Admin)]).when(leave(ADA)).then_expect_error(Error::LastOwner);
    let two = || given([joined(BOB, Role::Owner)]);
    two().when(leave(ADA)).then_expect_events(vec![left(ADA)]);
    two().when(change(ADA, Role::Viewer, &[], ADA)).then_expect_events(vec![changed(
        ADA,
        Role::Viewer,
        &[],
    )]);
    given([joined(BOB, Role::Owner), left(ADA)])
        .when(leave(BOB))
        .then_expect_error(Error::LastOwner);
}

#[test]
fn nobody_gives_or_takes_a_place_above_their_own() {
    let people = || given([joined(BOB, Role::Admin), joined(EVE, Role::Developer)]);
    let promoted = changed(EVE, Role::Admin, &[]);
    people().when(change(EVE, Role::Admin, &[], BOB)).then_expect_events(vec![promoted]);
    for refused in [
        change(EVE, Role::Owner, &[], BOB),
        change(BOB, Role::Owner, &[], BOB),
        change(ADA, Role::Viewer, &[], BOB),
        remove(ADA, Some(BOB)),
        change(EVE, Role::Admin, &[], EVE),
        change(EVE, Role::Developer, &["*"], EVE),
        remove(BOB, Some(EVE)),
        Command::Transfer { to: user(BOB), by: Some(user(BOB)), now: now() },
    ] {
        people().when(refused).then_expect_error(Error::AboveOwnRole);
    }
    // Somebody who is no member has no place at all.
    people().when(change(EVE, Role::Viewer, &[], 9)).then_expect_error(Error::UnknownMember);
    people().when(remove(9, Some(ADA))).then_expect_error(Error::UnknownMember);
}

#[test]
fn extra_permissions_are_kept_once_and_in_one_order() {
    let people = || given([joined(EVE, Role::Viewer), changed(EVE, Role::Viewer, &["a:b", "c:d"])]);
    people()
        .when(change(EVE, Role::Viewer, &["c:d", "a:b", "c:d"], ADA))
        .then_expect_events(vec![]);
    people().when(change(EVE, Role::Viewer, &[], ADA)).then_expect_events(vec![changed(
        EVE,
        Role::Viewer,
        &[],
    )]);
    let many: Vec<_> = (0..65).map(|n| format!("a:{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    people().when(change(EVE, Role::Viewer, &many, ADA)).then_expect_error(Error::Permissions);
}

#[test]
fn an_organisation_is_handed_on() {
    let hand = |by: Option<u128>| Command::Transfer { to: user(BOB), by: by.map(user), now: now() };
    let handed = |from: Option<u128>| Event::Transferred {
        to: user(BOB),
        from: from.map(user),
        transferred_at: now(),
    };
    let people = || given([joined(BOB, Role::Viewer)]);
    people().when(hand(Some(ADA))).then_expect_events(vec![handed(Some(ADA))]);
    people().when(hand(None)).then_expect_events(vec![handed(None)]);
    given([]).when(hand(Some(ADA))).then_expect_error(Error::UnknownMember);
    let after = || given([joined(BOB, Role::Viewer), handed(Some(ADA))]);
    after().when(leave(BOB)).then_expect_error(Error::LastOwner);
    after().when(remove(BOB, Some(ADA))).then_expect_error(Error::AboveOwnRole);
    after().when(leave(ADA)).then_expect_events(vec![left(ADA)]);
}

#[test]
fn an_erased_member_leaves_and_the_only_one_leaves_an_archive() {
    let erase = |n| Command::EraseMember { user_id: user(n), now: now() };
    let archived = Event::Archived { archived_at: now() };
    given([]).when(erase(ADA)).then_expect_events(vec![left(ADA), archived.clone()]);
    given([archived]).when(erase(ADA)).then_expect_events(vec![left(ADA)]);
    given([joined(BOB, Role::Admin)]).when(erase(ADA)).then_expect_error(Error::LastOwner);
    given([joined(BOB, Role::Admin)]).when(erase(BOB)).then_expect_events(vec![left(BOB)]);
    given([]).when(erase(BOB)).then_expect_events(vec![]);
}

#[test]
fn a_key_is_a_members_or_the_owners_and_no_strangers() {
    let issue = |n: u128| Command::IssueApiKey {
        key_id: ApiKeyId::from_uuid(Uuid::from_u128(1)),
        secret_hash: "ab".into(),
        terms: KeyTerms { issuer: Some(user(n)), ..KeyTerms::everything("ci") },
        now: now(),
    };
    given([]).when(issue(9)).then_expect_error(Error::UnknownMember);
    given([joined(BOB, Role::Owner), left(ADA)])
        .when(issue(ADA))
        .then_expect_error(Error::UnknownMember);
}

#[test]
fn an_archived_organisation_is_brought_back_or_left_and_nothing_else() {
    let archive = || Command::Archive { now: now() };
    let archived = || Event::Archived { archived_at: now() };
    let back = || Command::BringBack { now: now() };
    given([]).when(archive()).then_expect_events(vec![archived()]);
    given([]).when(back()).then_expect_events(vec![]);
    let kept = || given([joined(BOB, Role::Viewer), archived()]);
    kept().when(archive()).then_expect_events(vec![]);
    kept().when(back()).then_expect_events(vec![Event::BroughtBack { brought_back_at: now() }]);
    kept().when(leave(BOB)).then_expect_events(vec![left(BOB)]);
    kept().when(remove(BOB, None)).then_expect_error(Error::Archived);
    kept().when(change(BOB, Role::Admin, &[], ADA)).then_expect_error(Error::Archived);
    let again = Command::ChangeSettings { settings: settings("A", "a", None), now: now() };
    kept().when(again).then_expect_error(Error::Archived);
}

#[test]
fn settings_change_one_by_one_and_the_former_slug_is_free() {
    let change = |name, slug, logo| Command::ChangeSettings {
        settings: settings(name, slug, logo),
        now: now(),
    };
    given([]).when(change("Acme", "acme", None)).then_expect_events(vec![]);
    let renamed = Event::Renamed { name: "Acme Ltd".into(), renamed_at: now() };
    given([]).when(change("Acme Ltd", "acme", None)).then_expect_events(vec![renamed]);
    let slug = Event::SlugChanged { slug: "ltd".into(), former: "acme".into(), changed_at: now() };
    given([]).when(change("Acme", "ltd", None)).then_expect_events(vec![slug.clone()]);
    assert_eq!(
        Organization::claims(&slug),
        [
            ClaimChange::Take { kind: SLUG_CLAIM, key: "ltd".into() },
            ClaimChange::Release { kind: SLUG_CLAIM, key: "acme".into() },
        ]
    );
}

#[test]
fn a_logo_leads_to_the_internet_and_carries_nothing() {
    let change = |logo: &str| Command::ChangeSettings {
        settings: settings("Acme", "acme", Some(logo)),
        now: now(),
    };
    for bad in [
        "",
        "acme.svg",
        "http://example.org/a.svg",
        "ftp://example.org/a.svg",
        "javascript:alert(1)",
        "data:image/png;base64,AA",
        "https://ada:secret@example.org/a.svg",
        "https://ada@example.org/a.svg",
        "https://example.org:8443/a.svg",
        "https://example.org/a.svg#x",
        "https://example.org/a b.svg",
        "https://127.0.0.1/a.svg",
        "https://0x7f.1/a.svg",
        "https://2130706433/a.svg",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/a.svg",
        "https://[fd00::1]/a.svg",
        "https://8.8.8.8/a.svg",
        "https://localhost/a.svg",
        "https://LOCALHOST./a.svg",
        "https://db.internal/a.svg",
        "https://printer.local/a.svg",
        "https://intranet/a.svg",
        &format!("https://example.org/{}", "a".repeat(2048)),
    ] {
        given([]).when(change(bad)).then_expect_error(Error::Logo);
    }
    for good in ["https://example.org/a.svg", "https://cdn.bücher.example/a.png?v=2"] {
        let logo_url = Some(good.to_owned());
        let changed = Event::LogoChanged { logo_url, changed_at: now() };
        given([]).when(change(good)).then_expect_events(vec![changed]);
    }
}

#[test]
fn a_billing_contact_takes_the_place_of_the_one_before() {
    let contact = |n| BillingContactId::from_uuid(Uuid::from_u128(n));
    let email = || Pii::plain("bills@example.org".to_owned());
    let set = |n| Event::BillingContactSet {
        contact_id: contact(n),
        email: email(),
        name: None,
        set_at: now(),
    };
    let gone = Event::BillingContactRemoved { contact_id: contact(1), removed_at: now() };
    let command = |n| {
        let contact = BillingContact { contact_id: contact(n), email: email(), name: None };
        Command::SetBillingContact(Box::new(contact), now())
    };
    let remove = || Command::RemoveBillingContact { now: now() };
    given([]).when(command(1)).then_expect_events(vec![set(1)]);
    given([set(1)]).when(command(2)).then_expect_events(vec![gone.clone(), set(2)]);
    given([set(1)]).when(remove()).then_expect_events(vec![gone]);
    given([]).when(remove()).then_expect_events(vec![]);
}
