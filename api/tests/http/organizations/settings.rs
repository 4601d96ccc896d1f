use domain::organizations::Role;
use reqwest::Method;
use serde_json::json;

use super::server;
use crate::support::{send, website, with_json};

#[tokio::test]
async fn an_organisation_is_renamed_and_its_slug_goes_to_whoever_wants_it() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let made = server.makes(&ada, "acme").await;
    let body =
        json!({ "name": "Acme Ltd", "slug": "ltd", "logo_url": "https://example.org/a.svg" });
    assert_eq!(server.tells(&ada, Method::PUT, &made.path, &body).await.status, 202);
    let read = server.fresh_as(&made.path, ada.access()).await;
    assert_eq!((&read["name"], &read["slug"]), (&json!("Acme Ltd"), &json!("ltd")));
    assert_eq!(read["logo_url"], "https://example.org/a.svg");
    server.makes(&ada, "acme").await;
    for (field, body) in [
        ("name", json!({ "name": "", "slug": "ltd" })),
        ("slug", json!({ "name": "Acme", "slug": "Not a slug" })),
        ("logo_url", json!({ "name": "A", "slug": "a", "logo_url": "https://10.0.0.1/a.svg" })),
    ] {
        for (method, path) in
            [(Method::PUT, made.path.as_str()), (Method::POST, "/v1/organizations")]
        {
            let refused = server.tells(&ada, method, path, &body).await;
            assert_eq!(refused.code(), "validation-failed");
            assert_eq!(refused.json()["errors"][0]["field"], field);
        }
    }
    let assigned = json!({ "name": "A", "slug": "b", "archived_at": null, "id": "org_1" });
    for (method, path) in [(Method::PUT, made.path.as_str()), (Method::POST, "/v1/organizations")] {
        assert_eq!(server.tells(&ada, method, path, &assigned).await.code(), "invalid-body");
    }
}

#[tokio::test]
async fn a_change_is_made_to_the_version_that_was_seen() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Admin).await;
    let read = async || {
        let head = server.journal.head().await.unwrap();
        let asks = server.asks(&ada, Method::GET, &made.path);
        send(asks.header("millrace-min-position", head)).await
    };
    let seen = read().await.header("etag").to_owned();
    let change = |version: &str| {
        let body = json!({ "name": "Acme Ltd", "slug": "acme" });
        with_json(server.asks(&ada, Method::PUT, &made.path), &body).header("if-match", version)
    };
    let changed = send(change(&seen)).await;
    assert_eq!(changed.status, 202, "{}", changed.text);
    let now = read().await;
    assert_eq!(now.header("etag"), changed.header("etag"));
    let same =
        server.asks(&ada, Method::GET, &made.path).header("if-none-match", now.header("etag"));
    assert_eq!(send(same).await.status, 304);
    // Somebody else has changed it meanwhile.
    assert_eq!(send(change(&seen)).await.code(), "version-mismatch");
    assert_eq!(send(change("7")).await.code(), "invalid-parameter");
    let stale = |path: &str, body| {
        let asks = server.asks(&ada, Method::POST, &format!("{}/{path}", made.path));
        with_json(asks, &body).header("if-match", &seen)
    };
    let to = json!({ "user_id": bob.id.to_string() });
    for (path, body) in [("transfer", to), ("archive", json!({})), ("unarchive", json!({}))] {
        assert_eq!(send(stale(path, body)).await.code(), "version-mismatch", "{path}");
    }
    assert_eq!(send(change("*")).await.status, 202);
}

#[tokio::test]
async fn an_archived_organisation_is_read_and_brought_back() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Admin).await;
    let archive = format!("{}/archive", made.path);
    assert_eq!(send(server.asks(&bob, Method::POST, &archive)).await.code(), "forbidden");
    assert_eq!(send(server.asks(&ada, Method::POST, &archive)).await.status, 202);
    let scan = || {
        let asks = server.asks(&bob, Method::POST, "/v1/scans");
        with_json(asks.header("millrace-organization", "acme"), &website())
    };
    server.soon_gets(409, scan).await;
    assert_eq!(send(scan()).await.code(), "organization-archived");
    assert_eq!(send(server.asks(&bob, Method::GET, &made.path)).await.status, 200);
    let back = format!("{}/unarchive", made.path);
    assert_eq!(send(server.asks(&ada, Method::POST, &back)).await.status, 202);
    server.soon_gets(202, scan).await;
}

#[tokio::test]
async fn a_billing_contact_that_was_replaced_cannot_be_read_any_more() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let made = server.makes(&ada, "acme").await;
    let path = format!("{}/billing-contact", made.path);
    assert_eq!(send(server.asks(&ada, Method::GET, &path)).await.code(), "not-found");
    let set = async |email: &str| {
        let body = json!({ "email": email, "name": "Grace Hopper" });
        server.tells(&ada, Method::PUT, &path, &body).await
    };
    assert_eq!(set("not an address").await.code(), "validation-failed");
    assert_eq!(set("grace@example.org").await.status, 202);
    let read = server.fresh_as(&path, ada.access()).await;
    assert_eq!(
        (&read["email"], &read["name"]),
        (&json!("grace@example.org"), &json!("Grace Hopper"))
    );
    let first: domain::ids::BillingContactId = read["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(set("joan@example.org").await.status, 202);
    assert!(server.journal.is_erased(first.uuid()).await.unwrap());
    assert_eq!(server.fresh_as(&path, ada.access()).await["email"], "joan@example.org");
    assert_eq!(send(server.asks(&ada, Method::DELETE, &path)).await.status, 202);
    for event in server.journal.read(0, &journal::Filter::default(), 100).await.unwrap() {
        let text = format!("{event:?}");
        assert!(!text.contains("grace") && !text.contains("Hopper"), "{text}");
    }
}
