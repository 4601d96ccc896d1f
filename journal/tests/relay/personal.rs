use std::sync::Arc;

use domain::{
    Pii,
    ids::UserId,
    users::{SignUp, User, UserCommand, own_organization},
};
use journal::{Actor, Clock, Context, Journal, SystemClock};
use tokio_util::sync::CancellationToken;
use vault::{Key, KeyRing};

use crate::fixture::{Log, Running, connect, messages, quick, reached};

#[tokio::test]
async fn the_stream_carries_personal_data_sealed_only() {
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let stop = CancellationToken::new();
    let ring = KeyRing::new([Key::from_slice(&[1; 32]).unwrap()]).unwrap();
    let clock = Arc::new(SystemClock);
    let opened = Journal::open_with_keys(log.pool.clone(), clock, ring, stop.clone()).await;
    let (journal, _task) = opened.unwrap();
    let user_id = UserId::from_uuid(SystemClock.new_id());
    let sign_up = SignUp {
        user_id,
        email: Pii::plain("ada.lovelace@example.org".to_owned()),
        email_index: "17".to_owned(),
        name: Some(Pii::plain("Ada Lovelace".to_owned())),
        password_hash: Pii::plain("$argon2id$".to_owned()),
        nonce: "n".to_owned(),
    };
    let command = UserCommand::SignUp(Box::new(sign_up), SystemClock.now());
    let org = own_organization(user_id);
    let context = Context::new(org, Actor::Operator, SystemClock.new_id());
    journal.execute::<User>(&context, &user_id.to_string(), command).await.unwrap();

    let bus = connect(&nats).await;
    let relay = Running::start(&log, &bus, quick());
    reached(&bus, 2).await;
    relay.stop().await;
    for message in messages(&bus, 2).await {
        let text = format!("{:?} {:?}", String::from_utf8_lossy(&message.payload), message.headers);
        for personal in ["ada", "Ada", "ovelace", "argon"] {
            assert!(!text.contains(personal), "{personal} is in {text}");
        }
    }
    stop.cancel();
}
