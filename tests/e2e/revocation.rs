//! Two processes on one log: what ends in one has ended in the other in under a second, and so have the
//! streams that are open there.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use testkit::MailSink;

use crate::person::{PASSWORD, Person, with_mailbox};

const LIMIT: Duration = Duration::from_secs(1);
const EVENTS: &str = "/v1/events/stream";

#[tokio::test]
async fn what_ends_in_one_process_has_ended_in_the_other_in_under_a_second() {
    let (database, nats, mut mailbox) =
        tokio::join!(testkit::database(), testkit::nats(), MailSink::plain());
    let mut millrace = with_mailbox(&mailbox);
    millrace.set("DATABASE_URL", database.url());
    millrace.set("NATS_URL", nats.url());
    millrace.ok(&["migrate"]);
    millrace.start(&["serve", "--roles", "api,projector,relay,outbox"]);
    let _first = millrace.beside();
    let mut ada = Person::new(&millrace, "ada@example.org");
    let mut bob = Person::new(&millrace, "bob@example.org");
    ada.arrives(&mut mailbox).await;
    bob.arrives(&mut mailbox).await;
    let organization = work_together(&mut ada, &mut bob, &mut mailbox).await;
    millrace.start(&["serve", "--roles", "api"]);
    let there = bob.at(&millrace.base);

    let other = bob.signs_in(PASSWORD).await.is(200);
    let (session, access) = (&other["session_id"], text(&other["access_token"]));
    let open = stream(&there, &access).await;
    let path = format!("/v1/users/me/sessions/{}", text(session));
    bob.asks(Method::DELETE, &path, Value::Null).await.is(200);
    ended("a session", &there, &access, "/v1/users/me", 401, open).await;

    let issued = bob.post("/v1/keys", json!({ "name": "ci", "scopes": ["*"] })).await.is(202);
    let key = text(&issued["secret"]);
    known(&there, &key).await;
    let open = stream(&there, &key).await;
    let path = format!("/v1/keys/{}", text(&issued["id"]));
    bob.asks(Method::DELETE, &path, Value::Null).await.is(202);
    ended("a key", &there, &key, "/v1/scans", 401, open).await;

    let issued = bob.post("/v1/keys", json!({ "name": "ci", "scopes": ["*"] })).await.is(202);
    let key = text(&issued["secret"]);
    known(&there, &key).await;
    let [by_key, by_session] = [stream(&there, &key).await, stream(&there, there.token()).await];
    let me = bob.get("/v1/users/me").await.is(200);
    let member = format!("{organization}/members/{}", text(&me["id"]));
    ada.asks(Method::DELETE, &member, Value::Null).await.is(202);
    let of_member = ended("a member", &there, there.token(), &organization, 404, by_session);
    let of_key = ended("a member's key", &there, &key, "/v1/scans", 401, by_key);
    tokio::join!(of_member, of_key);

    assert_eq!(millrace.end("TERM"), Some(0));
}

/// Gives the path of the organisation.
async fn work_together(ada: &mut Person, bob: &mut Person, mailbox: &mut MailSink) -> String {
    let acme = json!({ "name": "Acme", "slug": "acme" });
    let id = text(&ada.post("/v1/organizations", acme).await.is(202)["id"]);
    let path = format!("/v1/organizations/{id}");
    let invite = json!({ "email": bob.email, "role": "developer" });
    ada.post(&format!("{path}/invitations"), invite).await.is(202);
    let token = bob.mailed(mailbox, "invitation").await;
    bob.post("/v1/invitations/accept", json!({ "token": token })).await.is(202);
    (ada.organization, bob.organization) = (Some(id.clone()), Some(id));
    path
}

/// A stream that says that it is open.
async fn stream(person: &Person, token: &str) -> Response {
    let mut response = person.request(token, Method::GET, EVENTS).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.chunk().await.unwrap().unwrap();
    response
}

async fn known(person: &Person, key: &str) {
    while status(person, key, "/v1/scans").await != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn status(person: &Person, token: &str, path: &str) -> u16 {
    person.asks_with(token, Method::GET, path, Value::Null).await.status
}

/// From the answer of the first process until the second refuses and has ended the stream.
async fn ended(
    what: &str,
    there: &Person,
    token: &str,
    path: &str,
    refused: u16,
    mut open: Response,
) {
    let since = Instant::now();
    let asked = async {
        while status(there, token, path).await != refused {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        since.elapsed()
    };
    let streamed = async {
        while let Ok(Some(_)) = open.chunk().await {}
        since.elapsed()
    };
    let both = tokio::time::timeout(LIMIT, async { tokio::join!(asked, streamed) });
    let (asked, streamed) =
        both.await.unwrap_or_else(|_| panic!("{what} has not ended after {LIMIT:?}"));
    println!(
        "{what} has ended in the other process after {asked:?}, its stream after {streamed:?}"
    );
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
