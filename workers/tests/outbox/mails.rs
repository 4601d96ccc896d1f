use domain::{
    Pii,
    ids::UserId,
    users::{CHANGE_EMAIL_LINK, Join, Linking, NewIdentity, RESET_LINK, UserCommand, VERIFY_LINK},
};
use journal::{Clock, SystemClock};
use workers::outbox;

use crate::world::{World, joined, soon};

#[tokio::test]
async fn who_signs_up_gets_a_link_that_holds() {
    let mut world = World::start().await;
    let (ada, nonce) = world.sign_up("ada@example.org").await;
    let running = world.outbox();
    let mail = soon(world.sink.next()).await;
    assert_eq!(mail.to, ["ada@example.org"]);
    let link = world.link("verify-email", VERIFY_LINK, ada, &nonce);
    let content = joined(&mail.content);
    assert!(content.contains(&link) && content.contains("Hello Ada Lovelace"), "{content}");
    world.until_done().await;
    running.end().await;
}

#[tokio::test]
async fn mails_are_sent_once_by_outboxes_side_by_side_and_after_a_restart() {
    let mut world = World::start().await;
    let first = [world.outbox(), world.outbox()];
    let mut expected = Vec::new();
    for number in 0..10 {
        let email = format!("n{number}@example.org");
        world.sign_up(&email).await;
        expected.push(email);
    }
    let mut arrived = Vec::new();
    for _ in 0..10 {
        arrived.extend(soon(world.sink.next()).await.to);
    }
    world.until_done().await;
    for running in first {
        running.end().await;
    }
    let again = world.outbox();
    let (bob, _) = world.sign_up("zoe@example.org").await;
    // The next to arrive is the newest: nothing of before was sent again.
    assert_eq!(soon(world.sink.next()).await.to, ["zoe@example.org"], "{bob}");
    again.end().await;
    arrived.sort();
    assert_eq!(arrived, expected);
}

#[tokio::test]
async fn a_link_that_was_used_or_replaced_is_not_sent_any_more() {
    let mut world = World::start().await;
    let now = SystemClock.now();
    let (ada, nonce) = world.sign_up("ada@example.org").await;
    world.tell(ada, UserCommand::VerifyEmail { nonce, now }).await;
    let nonce = "of the reset".to_owned();
    world.tell(ada, UserCommand::AskPasswordReset { nonce: nonce.clone(), now }).await;
    let running = world.outbox();
    let content = joined(&soon(world.sink.next()).await.content);
    assert!(content.contains(&world.link("reset-password", RESET_LINK, ada, &nonce)), "{content}");
    world.until_done().await;
    running.end().await;
}

#[tokio::test]
async fn a_repeated_sign_up_tells_the_owner() {
    let mut world = World::start().await;
    let (ada, nonce) = world.sign_up("ada@example.org").await;
    let now = SystemClock.now();
    world.tell(ada, UserCommand::VerifyEmail { nonce, now }).await;
    let later = now + domain::users::MAIL_PAUSE;
    let again = UserCommand::RepeatSignUp { nonce: "n".to_owned(), now: later };
    world.tell(ada, again).await;
    let running = world.outbox();
    let content = joined(&soon(world.sink.next()).await.content);
    assert!(content.contains("account already"), "{content}");
    assert!(content.contains("https://mill.example/app/forgotten-password"), "{content}");
    running.end().await;
}

#[tokio::test]
async fn a_mail_that_fails_holds_up_no_other_and_is_given_up_at_last() {
    let mut world = World::start().await;
    // The server says "later" to one of them for ever, and "never" to the other.
    world.sign_up("451slow@example.org").await;
    world.sign_up("550gone@example.org").await;
    world.sign_up("ada@example.org").await;
    let running = world.outbox();
    assert_eq!(soon(world.sink.next()).await.to, ["ada@example.org"]);
    let dead = world.waiting(|all| all.len() == 2 && all.iter().all(|one| one.dead)).await;
    assert_eq!((dead[0].tries, dead[1].tries), (3, 1));
    for one in &dead {
        let error = one.error.as_deref().unwrap();
        assert!(error.contains("5.1.1") && !error.contains("example.org>"), "{error}");
    }
    // An operator has one tried again and leaves the other.
    let [slow, gone] = [dead[0].position as u64, dead[1].position as u64];
    assert_eq!(outbox::retry(world.journal.pool(), Some(slow)).await.unwrap(), 1);
    world.waiting(|all| all.iter().all(|one| one.dead)).await;
    for position in [slow, gone] {
        assert!(outbox::discard(world.journal.pool(), position).await.unwrap());
    }
    world.until_done().await;
    running.end().await;
}

#[tokio::test]
async fn mails_wait_for_a_server_that_is_away() {
    let mut world = World::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.sign_up("ada@example.org").await;
    let without = world.outbox_at(nobody.port());
    let waiting = world.waiting(|all| all.first().is_some_and(|one| one.tries > 0)).await;
    assert_eq!(waiting.len(), 1);
    without.end().await;
    outbox::retry(world.journal.pool(), Some(waiting[0].position as u64)).await.unwrap();
    let running = world.outbox();
    assert_eq!(soon(world.sink.next()).await.to, ["ada@example.org"]);
    running.end().await;
}

#[tokio::test]
async fn a_change_of_address_is_mailed_to_the_new_one_and_told_to_the_former() {
    let mut world = World::start().await;
    let (ada, nonce) = world.sign_up("ada@example.org").await;
    let now = SystemClock.now();
    world.tell(ada, UserCommand::VerifyEmail { nonce, now }).await;
    let ask = |email: &str, nonce: &str, now| UserCommand::AskEmailChange {
        email: Pii::plain(email.to_owned()),
        email_index: email.to_owned(),
        nonce: nonce.to_owned(),
        now,
    };
    world.tell(ada, ask("ada@king.example", "n1", now)).await;
    let running = world.outbox();
    let mail = soon(world.sink.next()).await;
    assert_eq!(mail.to, ["ada@king.example"]);
    let link = world.link("change-email", CHANGE_EMAIL_LINK, ada, "n1");
    assert!(joined(&mail.content).contains(&link), "{}", mail.content);

    // Each notice goes to whoever had the account until then.
    let later = now + domain::users::MAIL_PAUSE;
    for (nonce, former, next) in
        [("n1", "ada@example.org", Some("ada@third.example")), ("n2", "ada@king.example", None)]
    {
        world.tell(ada, UserCommand::ChangeEmail { nonce: nonce.to_owned(), now }).await;
        let notice = soon(world.sink.next()).await;
        assert_eq!(notice.to, [former]);
        if let Some(next) = next {
            world.tell(ada, ask(next, "n2", later)).await;
            assert_eq!(soon(world.sink.next()).await.to, [next]);
        }
    }
    running.end().await;
}

#[tokio::test]
async fn the_owner_is_told_of_each_identity_that_is_linked_or_unlinked() {
    let mut world = World::start().await;
    let now = SystemClock.now();
    let identity = |index: &str| NewIdentity {
        provider: "okta".to_owned(),
        issuer: "https://id.example".to_owned(),
        subject: Pii::plain(index.to_owned()),
        identity_index: index.to_owned(),
        email: None,
    };
    // Whose account came with the identity knows.
    let bob = UserId::from_uuid(SystemClock.new_id());
    let join = Join {
        user_id: bob,
        email: Pii::plain("bob@example.org".to_owned()),
        email_index: "bob".to_owned(),
        name: None,
        identity: identity("bob"),
    };
    world.tell(bob, UserCommand::Join(Box::new(join), now)).await;
    let (ada, nonce) = world.sign_up("ada@example.org").await;
    world.tell(ada, UserCommand::VerifyEmail { nonce, now }).await;
    let (identity, linking) = (Box::new(identity("ada")), Linking::ByOwner);
    world.tell(ada, UserCommand::LinkIdentity { identity, linking, now }).await;
    let running = world.outbox();
    let unlink = UserCommand::UnlinkIdentity { identity_index: "ada".to_owned(), now };
    world.tell(ada, unlink).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let mail = soon(world.sink.next()).await;
        assert_eq!(mail.to, ["ada@example.org"]);
        let content = joined(&mail.content);
        assert!(content.contains("https://mill.example/app/security"), "{content}");
        told.push(content);
    }
    for what in ["through okta was added on", "through okta was removed on"] {
        assert_eq!(told.iter().filter(|mail| mail.contains(what)).count(), 1, "{told:?}");
    }
    world.until_done().await;
    running.end().await;
}
