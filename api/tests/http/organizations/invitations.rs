use api::limits::{LimitOptions, Quota};
use domain::{
    ids::InvitationId,
    organizations::{INVITATION_LINK, INVITED_EMAIL, Organization, Role},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Made, server};
use crate::{
    accounts::{PASSWORD, Person, server_with},
    support::{Answer, Server, no_limits, send, with_json},
};

const ACCEPT: &str = "/v1/invitations/accept";
const DECLINE: &str = "/v1/invitations/decline";

impl Server {
    async fn invites(&self, person: &Person, made: &Made, email: &str, role: &str) -> Answer {
        let body = json!({ "email": email, "role": role });
        self.tells(person, Method::POST, &invitations(made), &body).await
    }

    async fn organization(&self, made: &Made) -> Organization {
        let state = self.journal.state(made.org, &made.org.to_string()).await;
        state.unwrap().unwrap().0
    }

    /// What the link of the mail ends with.
    async fn invitation_link(&self, made: &Made, invited: &Answer) -> String {
        assert_eq!(invited.status, 202, "{}", invited.text);
        let id: InvitationId = invited.json()["id"].as_str().unwrap().parse().unwrap();
        let state = self.organization(made).await;
        let links = self.journal.secret().unwrap().link_key();
        let token = links.token(INVITATION_LINK, &id.to_string(), &state.invitations[&id].nonce);
        format!("{}.{id}.{}", made.org, token.expose())
    }

    async fn answers(&self, person: &Person, path: &str, token: &str) -> Answer {
        self.tells(person, Method::POST, path, &json!({ "token": token })).await
    }

    /// Everything that the organisation shows of what happened to it.
    async fn events(&self, person: &Person, made: &Made) -> String {
        let asks = self.asks(person, Method::GET, "/v1/events?after=0&limit=100");
        let answer = send(asks.header("millrace-organization", made.org.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    }

    async fn open_invitations(&self, person: &Person, made: &Made) -> Vec<Value> {
        let page = self.fresh_as(&invitations(made), person.access()).await;
        page["invitations"].as_array().unwrap().clone()
    }
}

fn invitations(made: &Made) -> String {
    format!("{}/invitations", made.path)
}

#[tokio::test]
async fn somebody_without_an_account_is_invited_signs_up_and_joins() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let made = server.makes(&ada, "acme").await;
    let invited = server.invites(&ada, &made, "Bob@Example.org", "developer").await;
    let token = server.invitation_link(&made, &invited).await;
    let [open] = server.open_invitations(&ada, &made).await.try_into().unwrap();
    assert_eq!(open["email"], "bob@example.org");
    assert_eq!(
        (&open["role"], &open["inviter"]),
        (&json!("developer"), &json!(ada.id.to_string()))
    );
    let one = server.fresh_as(invited.header("location"), ada.access()).await;
    assert_eq!(one, open);

    let bob = server.person("bob@example.org").await;
    let accepted = server.answers(&bob, ACCEPT, &token).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    assert_eq!(accepted.header("location"), made.path);
    // At once, without waiting for a view.
    assert_eq!(send(server.asks(&bob, Method::GET, &made.path)).await.status, 200);
    assert_eq!(server.organization(&made).await.member(bob.id).unwrap().role, Role::Developer);
    assert!(server.open_invitations(&ada, &made).await.is_empty());
    let again = server.answers(&bob, ACCEPT, &token).await;
    assert_eq!(again.code(), "validation-failed");
    let member = server.invites(&ada, &made, "bob@example.org", "owner").await;
    assert_eq!(member.code(), "conflict");
}

#[tokio::test]
async fn an_invitation_is_for_the_account_of_its_address_alone() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let eve = server.person("eve@example.org").await;
    let made = server.makes(&ada, "acme").await;
    let invited = server.invites(&ada, &made, "bob@example.org", "viewer").await;
    let token = server.invitation_link(&made, &invited).await;
    for path in [ACCEPT, DECLINE] {
        assert_eq!(server.answers(&eve, path, &token).await.code(), "forbidden");
        let bare = server.ask(path, json!({ "token": token })).await;
        assert_eq!(bare.code(), "unauthenticated");
        let made_up = [
            String::new(),
            "x".to_owned(),
            token.replace("org_", "user_"),
            format!("{}.{}", made.org, "x.y"),
            format!("{}x", &token[..token.len() - 1]),
            token[..token.len() - 1].to_owned(),
        ];
        for other in made_up {
            assert_eq!(server.answers(&eve, path, &other).await.code(), "validation-failed");
        }
    }
    let bob = server.person("bob@example.org").await;
    let declined = server.answers(&bob, DECLINE, &token).await;
    assert_eq!(declined.status, 200, "{}", declined.text);
    assert_eq!(server.answers(&bob, ACCEPT, &token).await.code(), "validation-failed");
    assert!(server.organization(&made).await.member(bob.id).is_none());
}

#[tokio::test]
async fn whoever_invites_learns_nothing_about_accounts() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let _known = server.person("bob@example.org").await;
    let made = server.makes(&ada, "acme").await;
    let shape = |answer: &Answer| {
        let body = answer.json();
        let fields: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        (answer.status, fields)
    };
    let known = server.invites(&ada, &made, "bob@example.org", "viewer").await;
    let unknown = server.invites(&ada, &made, "kim@example.org", "viewer").await;
    assert_eq!(shape(&known), shape(&unknown));
    let events = server.events(&ada, &made).await;
    assert!(events.contains("organization.invitation_made"), "{events}");
    assert!(!events.contains("bob@") && !events.contains("kim@"), "{events}");
    let bad = server.invites(&ada, &made, "no address", "viewer").await;
    assert_eq!(bad.code(), "validation-failed");
}

#[tokio::test]
async fn nobody_invites_to_a_place_above_their_own() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let eve = server.person("eve@example.org").await;
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Admin).await;
    server.joins(&made, &eve, Role::Developer).await;
    assert_eq!(server.invites(&eve, &made, "kim@example.org", "viewer").await.code(), "forbidden");
    assert_eq!(server.invites(&bob, &made, "kim@example.org", "owner").await.code(), "forbidden");
    let kim = server.invites(&ada, &made, "kim@example.org", "owner").await;
    let of_kim = kim.header("location").to_owned();
    assert_eq!(send(server.asks(&bob, Method::DELETE, &of_kim)).await.code(), "forbidden");
    let body = json!({ "email": "lou@example.org", "role": "viewer", "permissions": ["fly:high"] });
    let strange = server.tells(&ada, Method::POST, &invitations(&made), &body).await;
    assert_eq!(strange.code(), "validation-failed");

    // A key gives no more than its scopes.
    let key = json!({ "name": "k", "scopes": ["members:invite", "scans:read"] });
    let asks = server.asks(&ada, Method::POST, "/v1/keys");
    let issued = send(with_json(asks, &key)).await.json();
    server.settled(&made).await;
    let body = json!({ "email": "lou@example.org", "role": "developer" });
    let asks = server.bare(Method::POST, &invitations(&made));
    let asks = asks.bearer_auth(issued["secret"].as_str().unwrap());
    assert_eq!(send(with_json(asks, &body)).await.code(), "forbidden");

    // What Bob gave ends when he is no admin any more.
    let lou = server.invites(&bob, &made, "lou@example.org", "admin").await;
    let of_lou = server.invitation_link(&made, &lou).await;
    let member = format!("{}/members/{}", made.path, bob.id);
    let viewer = json!({ "role": "viewer" });
    assert_eq!(server.tells(&ada, Method::PUT, &member, &viewer).await.status, 202);
    let lou = server.person("lou@example.org").await;
    assert_eq!(server.answers(&lou, ACCEPT, &of_lou).await.code(), "validation-failed");
}

#[tokio::test]
async fn an_invitation_is_taken_back_and_ends_with_the_organisation() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    let invited = server.invites(&ada, &made, "bob@example.org", "viewer").await;
    let token = server.invitation_link(&made, &invited).await;
    let location = invited.header("location").to_owned();
    let again = server.invites(&ada, &made, "bob@example.org", "admin").await;
    assert_eq!((again.code(), again.header("retry-after")), ("too-many-requests".into(), "60"));
    let resent = send(server.asks(&ada, Method::POST, &format!("{location}/resend"))).await;
    assert_eq!(resent.code(), "too-many-requests");
    assert_eq!(send(server.asks(&ada, Method::DELETE, &location)).await.status, 202);
    assert_eq!(send(server.asks(&ada, Method::DELETE, &location)).await.code(), "not-found");
    assert_eq!(server.answers(&bob, ACCEPT, &token).await.code(), "validation-failed");

    let invited = server.invites(&ada, &made, "bob@example.org", "viewer").await;
    let token = server.invitation_link(&made, &invited).await;
    let archive = format!("{}/archive", made.path);
    assert_eq!(send(server.asks(&ada, Method::POST, &archive)).await.status, 202);
    assert_eq!(server.answers(&bob, ACCEPT, &token).await.code(), "validation-failed");
    let unarchive = format!("{}/unarchive", made.path);
    assert_eq!(send(server.asks(&ada, Method::POST, &unarchive)).await.status, 202);
    assert_eq!(server.answers(&bob, ACCEPT, &token).await.code(), "validation-failed");
}

#[tokio::test]
async fn the_address_of_an_invitation_ends_with_the_account() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    let invited = server.invites(&ada, &made, "bob@example.org", "viewer").await;
    let id: InvitationId = invited.json()["id"].as_str().unwrap().parse().unwrap();
    let sealed = server.organization(&made).await.invitations[&id].email.clone();
    let opened = server.journal.open_personal(id.uuid(), INVITED_EMAIL, &sealed).await.unwrap();
    assert_eq!(opened.known().as_deref(), Some("bob@example.org"));
    let erase = json!({ "password": PASSWORD });
    let erased = server.tells(&bob, Method::POST, "/v1/users/me/erase", &erase).await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    assert!(server.organization(&made).await.invitations.is_empty());
    let opened = server.journal.open_personal(id.uuid(), INVITED_EMAIL, &sealed).await.unwrap();
    assert_eq!(opened.known(), None);
    // Nothing says whose it was.
    let events = server.events(&ada, &made).await;
    assert!(events.contains("organization.invitation_ended"), "{events}");
    assert!(!events.contains(&bob.id.to_string()), "{events}");
}

#[tokio::test]
async fn nobody_is_flooded_with_invitations() {
    let three = Quota::new(3, std::time::Duration::from_secs(3600), 3);
    let server = server_with(LimitOptions { invite: three, ..no_limits() }).await;
    let mut people = Vec::new();
    for name in ["ada", "eve"] {
        let person = server.person(&format!("{name}@example.org")).await;
        let made = server.makes(&person, name).await;
        people.push((person, made));
    }
    let (ada, made) = &people[0];
    for email in ["a@example.org", "b@example.org", "bob@example.org"] {
        assert_eq!(server.invites(ada, made, email, "viewer").await.status, 202);
    }
    let spent = server.invites(ada, made, "c@example.org", "viewer").await;
    assert_eq!(spent.code(), "too-many-requests");
    // Those of others are counted for the address too.
    let (eve, made) = &people[1];
    for _ in 0..2 {
        let invited = server.invites(eve, made, "bob@example.org", "viewer").await;
        assert_eq!(invited.status, 202, "{}", invited.text);
        let location = invited.header("location").to_owned();
        assert_eq!(send(server.asks(eve, Method::DELETE, &location)).await.status, 202);
    }
    let spent = server.invites(eve, made, "bob@example.org", "viewer").await;
    assert_eq!(spent.code(), "too-many-requests");
}
