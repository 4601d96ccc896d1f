use cqrs_es::DomainEvent;
use domain::{
    Pii, Sealed,
    ids::{SessionId, UserId},
    sessions::{self, EndReason, IDLE_LIFE, SessionEvent},
    users::{self, UserEvent},
};
use projections::{sessions as session_view, users as user_view};
use serde::Serialize;
use uuid::Uuid;

use crate::world::*;

const ADA: u128 = 7;

fn sealed(text: &str) -> Pii<String> {
    Pii::sealed(Sealed { event: Uuid::nil(), text: format!("sealed1.{text}") })
}

fn session(n: u128) -> SessionId {
    SessionId::from_uuid(Uuid::from_u128(n))
}

pub fn written<E: DomainEvent + Serialize>(events: &[E]) -> Vec<(String, String)> {
    events.iter().map(|e| (e.event_type(), serde_json::to_string(e).unwrap())).collect()
}

impl World {
    async fn of_ada(&self, version: u64, events: &[UserEvent]) -> u64 {
        let id = UserId::from_uuid(Uuid::from_u128(ADA)).to_string();
        self.append_raw(org(ADA), users::TYPE, &id, version, &written(events)).await
    }

    async fn of_session(&self, n: u128, version: u64, events: &[SessionEvent]) -> u64 {
        let id = session(n).to_string();
        self.append_raw(org(ADA), sessions::TYPE, &id, version, &written(events)).await
    }

    async fn is_alive(&self, position: u64, n: u128, seconds: i64) -> bool {
        let view = self.view(session_view::NAME, position).await;
        let alive = session_view::is_alive(scope(ADA), &view, session(n), at(seconds)).await;
        // To another person there is no such session.
        assert!(!session_view::is_alive(scope(9), &view, session(n), at(seconds)).await.unwrap());
        alive.unwrap()
    }
}

fn signed_up() -> UserEvent {
    UserEvent::SignedUp {
        user_id: UserId::from_uuid(Uuid::from_u128(ADA)),
        email: sealed("email"),
        email_index: "17".to_owned(),
        name: Some(sealed("name")),
        password_hash: Some(sealed("hash")),
        signed_up_at: at(0),
    }
}

fn erased() -> UserEvent {
    UserEvent::Erased {
        email_index: "17".to_owned(),
        identity_indexes: Vec::new(),
        erased_at: at(9),
    }
}

fn session_started(epoch: u32) -> SessionEvent {
    SessionEvent::Started {
        user_id: UserId::from_uuid(Uuid::from_u128(ADA)),
        epoch,
        token_hash: "t1".to_owned(),
        proofs: Vec::new(),
        provider: None,
        client: Some(sealed("client")),
        address: None,
        started_at: at(0),
        expires_at: at(0) + IDLE_LIFE,
    }
}

#[tokio::test]
async fn an_account_is_shown_sealed_to_its_owner_alone_until_it_is_erased() {
    let (world, _projector) = World::projected().await;
    let verified = UserEvent::EmailVerified { verified_at: at(1) };
    let position = world.of_ada(0, &[signed_up(), verified]).await;
    let view = world.view(user_view::NAME, position).await;
    let row = user_view::get(scope(ADA), &view).await.unwrap().unwrap();
    assert_eq!((row.email, row.name), (Some(sealed("email")), Some(sealed("name"))));
    assert!(row.email_verified && row.erased_at.is_none());
    assert_eq!(user_view::get(scope(9), &view).await.unwrap(), None);

    let position = world.of_ada(2, &[erased()]).await;
    let view = world.view(user_view::NAME, position).await;
    let row = user_view::get(scope(ADA), &view).await.unwrap().unwrap();
    assert_eq!((row.email, row.name, row.erased_at), (None, None, Some(at(9))));
}

#[tokio::test]
async fn a_session_is_alive_until_it_ends_or_expires() {
    let (world, _projector) = World::projected().await;
    let month = IDLE_LIFE.num_seconds();
    let position = world.of_session(1, 0, &[session_started(0)]).await;
    assert!(world.is_alive(position, 1, month - 1).await);
    assert!(!world.is_alive(position, 1, month).await);
    let refreshed = SessionEvent::Refreshed {
        generation: 2,
        token_hash: "t2".to_owned(),
        refreshed_at: at(5),
        expires_at: at(5) + IDLE_LIFE,
    };
    let position = world.of_session(1, 1, &[refreshed]).await;
    assert!(world.is_alive(position, 1, month).await);
    let ended = SessionEvent::Ended { reason: EndReason::LoggedOut, ended_at: at(6) };
    let position = world.of_session(1, 2, &[ended]).await;
    assert!(!world.is_alive(position, 1, 7).await);
}

#[tokio::test]
async fn every_session_of_an_earlier_epoch_is_over() {
    let (world, _projector) = World::projected().await;
    world.of_ada(0, &[signed_up()]).await;
    world.of_session(1, 0, &[session_started(0)]).await;
    world.of_ada(1, &[UserEvent::SessionsEndedEverywhere { ended_at: at(1) }]).await;
    let position = world.of_session(2, 0, &[session_started(1)]).await;
    assert!(!world.is_alive(position, 1, 2).await);
    assert!(world.is_alive(position, 2, 2).await);
    let view = world.view(session_view::NAME, position).await;
    let list = session_view::list(scope(ADA), &view, at(2), 10).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].session, &list[0].client), (session(2), &Some(sealed("client"))));

    let position = world.of_ada(2, &[erased()]).await;
    assert!(!world.is_alive(position, 2, 10).await);
}
