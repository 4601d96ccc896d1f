use domain::organizations::Role;
use reqwest::Method;
use serde_json::json;

use super::server;
use crate::support::{send, website, with_json};

#[tokio::test]
async fn whoever_makes_an_organisation_acts_in_it_at_once() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let made = server.makes(&ada, "acme").await;
    // By its id and by its slug, without waiting for a view.
    for name in [made.org.to_string(), "acme".to_owned()] {
        let scan =
            server.asks(&ada, Method::POST, "/v1/scans").header("millrace-organization", name);
        let answer = send(with_json(scan, &website())).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let event = server.journal.at(answer.position()).await.unwrap().unwrap();
        assert_eq!((event.actor, event.org), (format!("user:{}", ada.id), made.org));
    }
    let own = server.fresh_as("/v1/organizations", ada.access()).await;
    assert_eq!(own["organizations"][0]["organization"]["slug"], "acme");
    assert_eq!(own["organizations"][0]["role"], "owner");
    let taken = json!({ "name": "Other", "slug": "acme" });
    let again = server.tells(&ada, Method::POST, "/v1/organizations", &taken).await;
    assert_eq!(again.code(), "conflict");
}

#[tokio::test]
async fn a_member_of_several_says_which_one_is_meant() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let first = server.makes(&ada, "first").await;
    server.settled(&first).await;
    server.soon_gets(200, || server.asks(&ada, Method::GET, "/v1/scans")).await;
    let second = server.makes(&ada, "second").await;
    server.settled(&second).await;
    server.soon_gets(400, || server.asks(&ada, Method::GET, "/v1/scans")).await;
    let which = send(server.asks(&ada, Method::GET, "/v1/scans")).await;
    assert_eq!(which.code(), "organization-required");
    for (name, code) in [("first", 200), ("second", 200), ("third", 404), ("", 404)] {
        let asks =
            server.asks(&ada, Method::GET, "/v1/scans").header("millrace-organization", name);
        assert_eq!(send(asks).await.status, code, "{name}");
    }
    // An archived one is not in the way.
    let archive = format!("{}/archive", second.path);
    assert_eq!(send(server.asks(&ada, Method::POST, &archive)).await.status, 202);
    server.soon_gets(200, || server.asks(&ada, Method::GET, "/v1/scans")).await;
}

#[tokio::test]
async fn a_stranger_finds_no_organisation_and_a_member_what_their_role_allows() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    assert_eq!(send(server.asks(&bob, Method::GET, &made.path)).await.code(), "not-found");
    server.joins(&made, &bob, Role::Viewer).await;
    assert_eq!(send(server.asks(&bob, Method::GET, &made.path)).await.status, 200);
    let member = format!("{}/members/{}", made.path, bob.id);
    let owner = json!({ "role": "owner" });
    let refused = server.tells(&bob, Method::PUT, &member, &owner).await;
    assert_eq!(refused.code(), "forbidden");

    let admin = json!({ "role": "admin", "permissions": ["audit:*"] });
    let changed = server.tells(&ada, Method::PUT, &member, &admin).await;
    assert_eq!(changed.status, 202, "{}", changed.text);
    // The new role holds within a second, and gives no more than it is.
    let put = || {
        with_json(server.asks(&bob, Method::PUT, &made.path), &json!({"name": "B", "slug": "acme"}))
    };
    server.soon_gets(202, put).await;
    let refused = server.tells(&bob, Method::PUT, &member, &owner).await;
    assert_eq!(refused.code(), "forbidden");
    let of_ada = format!("{}/members/{}", made.path, ada.id);
    assert_eq!(send(server.asks(&bob, Method::DELETE, &of_ada)).await.code(), "forbidden");

    let members = server.fresh_as(&format!("{}/members", made.path), bob.access()).await;
    let listed: Vec<_> = members["members"].as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|m| m["email"] == "bob@example.org"
        && m["role"] == "admin"
        && m["permissions"] == json!(["audit:*"])));
    let strange = json!({ "role": "admin", "permissions": ["admin:impersonate"] });
    let refused = server.tells(&ada, Method::PUT, &member, &strange).await;
    assert_eq!(refused.code(), "validation-failed");
    let unknown = json!({ "role": "admin", "platform": true });
    assert_eq!(server.tells(&ada, Method::PUT, &member, &unknown).await.code(), "invalid-body");
}

#[tokio::test]
async fn a_removed_member_is_out_within_a_second() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Developer).await;
    let read = || server.asks(&bob, Method::GET, &made.path);
    assert_eq!(send(read()).await.status, 200);
    let member = format!("{}/members/{}", made.path, bob.id);
    assert_eq!(send(server.asks(&ada, Method::DELETE, &member)).await.status, 202);
    server.soon_gets(404, read).await;
    assert_eq!(send(server.asks(&ada, Method::DELETE, &member)).await.code(), "not-found");
}

#[tokio::test]
async fn the_last_owner_hands_the_organisation_on_before_leaving() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Viewer).await;
    let leave = format!("{}/leave", made.path);
    assert_eq!(send(server.asks(&ada, Method::POST, &leave)).await.code(), "last-owner");
    let transfer = format!("{}/transfer", made.path);
    let to = json!({ "user_id": bob.id.to_string() });
    assert_eq!(server.tells(&bob, Method::POST, &transfer, &to).await.code(), "forbidden");
    assert_eq!(server.tells(&ada, Method::POST, &transfer, &to).await.status, 202);
    assert_eq!(send(server.asks(&ada, Method::POST, &leave)).await.status, 202);
    server.soon_gets(404, || server.asks(&ada, Method::GET, &made.path)).await;
    assert_eq!(send(server.asks(&bob, Method::POST, &leave)).await.code(), "last-owner");
}

#[tokio::test]
async fn a_member_leaves_and_their_invitations_and_keys_end() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Admin).await;
    let invite = json!({ "email": "kim@example.org", "role": "viewer" });
    let invitations = format!("{}/invitations", made.path);
    assert_eq!(server.tells(&bob, Method::POST, &invitations, &invite).await.status, 202);
    let asks = server.asks(&bob, Method::POST, "/v1/keys");
    let asks = asks.header("millrace-organization", made.org.to_string());
    let issued = send(with_json(asks, &json!({ "name": "b", "scopes": ["*"] }))).await;
    let key = issued.json()["secret"].as_str().unwrap().to_owned();
    server.settled(&made).await;
    let with_key = || server.bare(Method::GET, "/v1/scans").bearer_auth(&key);
    assert_eq!(send(with_key()).await.status, 200);
    let leave = format!("{}/leave", made.path);
    assert_eq!(send(with_key_on(&server, &key, &leave)).await.code(), "forbidden");
    assert_eq!(send(server.asks(&bob, Method::POST, &leave)).await.status, 202);
    server.soon_gets(401, with_key).await;
    server.soon_gets(404, || server.asks(&bob, Method::GET, &made.path)).await;
    let open = server.fresh_as(&invitations, ada.access()).await;
    assert_eq!(open["invitations"], json!([]));
}

fn with_key_on(server: &crate::support::Server, key: &str, path: &str) -> reqwest::RequestBuilder {
    server.bare(Method::POST, path).bearer_auth(key)
}

#[tokio::test]
async fn an_account_is_erased_once_others_have_an_owner() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    let alone = server.makes(&ada, "alone").await;
    server.joins(&made, &bob, Role::Admin).await;
    let erase = json!({ "password": crate::accounts::PASSWORD });
    let refused = server.tells(&ada, Method::POST, "/v1/users/me/erase", &erase).await;
    assert_eq!(refused.code(), "last-owner");
    let to = json!({ "user_id": bob.id.to_string() });
    let transfer = format!("{}/transfer", made.path);
    assert_eq!(server.tells(&ada, Method::POST, &transfer, &to).await.status, 202);
    let erased = server.tells(&ada, Method::POST, "/v1/users/me/erase", &erase).await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    let members = server.fresh_as(&format!("{}/members", made.path), bob.access()).await;
    assert_eq!(members["members"].as_array().unwrap().len(), 1);
    let state = server
        .journal
        .state::<domain::organizations::Organization>(alone.org, &alone.org.to_string())
        .await
        .unwrap()
        .unwrap()
        .0;
    assert!(state.archived && state.members.is_empty());
}
