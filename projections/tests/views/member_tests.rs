use cqrs_es::DomainEvent;
use domain::{
    ids::UserId,
    organizations::{self, OrganizationEvent as Event, Role},
};
use projections::organizations as view_of;
use uuid::Uuid;

use crate::world::*;

fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

fn joined(n: u128, role: Role) -> Event {
    Event::MemberJoined { user_id: user(n), role, permissions: vec![], joined_at: at(1) }
}

fn changed(n: u128, role: Role, permissions: &[&str]) -> Event {
    let permissions = permissions.iter().map(|&name| name.to_owned()).collect();
    Event::MemberChanged { user_id: user(n), role, permissions, changed_at: at(2) }
}

fn left(n: u128) -> Event {
    Event::MemberLeft { user_id: user(n), left_at: at(3) }
}

/// Everything that can happen to members, and some of it twice.
fn history() -> Vec<Event> {
    vec![
        Event::Created { name: "Acme".into(), slug: "acme".into(), created_at: at(0) },
        joined(1, Role::Owner),
        joined(2, Role::Viewer),
        changed(2, Role::Developer, &["audit:read"]),
        joined(3, Role::Admin),
        left(3),
        joined(4, Role::Viewer),
        left(4),
        joined(4, Role::Developer),
        Event::Transferred { to: user(2), from: Some(user(1)), transferred_at: at(4) },
        Event::SlugChanged { slug: "ltd".into(), former: "acme".into(), changed_at: at(5) },
        Event::LogoChanged { logo_url: Some("https://a.example/b".into()), changed_at: at(5) },
        Event::Archived { archived_at: at(6) },
        Event::BroughtBack { brought_back_at: at(7) },
        Event::Renamed { name: "Acme Ltd".into(), renamed_at: at(8) },
    ]
}

/// In one batch and one by one.
#[tokio::test]
async fn members_are_found_by_organisation_and_by_user_however_the_events_came() {
    let (world, _projector) = World::projected().await;
    let written = |event: &Event| (event.event_type(), serde_json::to_string(event).unwrap());
    let events: Vec<_> = history().iter().map(written).collect();
    let [whole, parts] = [1, 2].map(|n| org(n).to_string());
    world.append_raw(org(1), organizations::TYPE, &whole, 0, &events).await;
    let mut position = 0;
    for (version, event) in (0..).zip(events.chunks(1)) {
        position = world.append_raw(org(2), organizations::TYPE, &parts, version, event).await;
        world.view(view_of::NAME, position).await;
    }
    let view = world.view(view_of::NAME, position).await;
    let slice = projections::Slice { limit: 10, cursor: None };
    for n in [1, 2] {
        let page = view_of::members(scope(n), &view, slice).await.unwrap();
        let found: Vec<_> = page.items.iter().map(|row| (row.user, row.standing.role)).collect();
        let expected = [(user(1), Role::Admin), (user(2), Role::Owner), (user(4), Role::Developer)];
        assert_eq!(found, expected, "{n}");
        assert_eq!(page.items[1].standing.permissions, ["audit:read"]);
        let row = view_of::get(scope(n), &view).await.unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.slug.as_str()), ("Acme Ltd", "ltd"));
        assert!(row.logo_url.is_some() && row.archived_at.is_none());
        assert_eq!(view_of::member(scope(n), &view, user(3)).await.unwrap(), None);
    }
    let first = projections::Slice { limit: 2, cursor: None };
    let first = view_of::members(scope(1), &view, first).await.unwrap();
    let next = projections::Slice { limit: 2, cursor: first.next_cursor.as_deref() };
    let next = view_of::members(scope(1), &view, next).await.unwrap();
    assert_eq!((next.items.len(), next.items[0].user), (1, user(4)));

    let own = view_of::memberships(&view, user(2), 10).await.unwrap();
    let own: Vec<_> = own.iter().map(|own| (own.organization.org, own.member.user)).collect();
    assert_eq!(own.len(), 2);
    assert!(own.contains(&(org(1), user(2))) && own.contains(&(org(2), user(2))));
    assert!(view_of::memberships(&view, user(3), 10).await.unwrap().is_empty());
}
