use domain::users::{EMAIL, User, UserCommand, own_organization};
use journal::{Clock, Personal, SystemClock};

use crate::world::World;

#[tokio::test]
async fn an_erasure_is_completed_whoever_asked_for_it_is_gone() {
    let world = World::start().await;
    let (ada, _) = world.sign_up("ada@example.org").await;
    let state = world.journal.state::<User>(own_organization(ada), &ada.to_string()).await;
    let email = state.unwrap().unwrap().0.email.unwrap();
    // Only the event was written: the process died before it destroyed the key.
    world.tell(ada, UserCommand::Erase { now: SystemClock.now() }).await;
    assert!(!world.journal.is_erased(ada.uuid()).await.unwrap());

    let running = world.outbox();
    world.until_done().await;
    assert!(world.journal.is_erased(ada.uuid()).await.unwrap());
    let opened = world.journal.open_personal(ada.uuid(), EMAIL, &email).await.unwrap();
    assert_eq!(opened, Personal::Erased);
    running.end().await;
}
