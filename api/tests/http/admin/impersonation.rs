use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::{PASSWORD, server},
    events::Reader,
    support::{Server, Tenant, send, soon, website, with_json},
};

impl Server {
    async fn impersonates(&self, operator: &Tenant, user: &str) -> Value {
        let body = json!({ "reason": "the customer asked for help", "life_s": 600 });
        let answer = self.operates(operator, &format!("users/{user}/impersonate"), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

fn token(given: &Value) -> &str {
    given["access_token"].as_str().unwrap()
}

#[tokio::test]
async fn an_operator_acts_as_somebody_and_every_entry_says_so() {
    let server = server().await;
    let operator = server.operator().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let given = server.impersonates(&operator, &ada.person.id.to_string()).await;
    let claims = token(&given).split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["sub"], ada.person.id.to_string());
    assert_eq!(claims["act"]["sub"], operator.key_id.to_string());

    let me = server.fresh_as("/v1/users/me", token(&given)).await;
    assert_eq!(me["email"], "ada@example.org");
    let scan = server.gives(token(&given), "/v1/scans", &website()).await;
    assert_eq!(scan.status, 202, "{}", scan.text);
    let rename = server.bare(Method::PUT, "/v1/users/me").bearer_auth(token(&given));
    let renamed = send(with_json(rename, &json!({ "name": "Ada" }))).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);

    let entries = [
        ("/v1/audit?action=scan.requested", "scan.requested"),
        ("/v1/users/me/audit?action=user.profile_changed", "user.profile_changed"),
    ];
    for (path, action) in entries {
        let entry = server.fresh_as(path, ada.person.access()).await["entries"][0].clone();
        assert_eq!(entry["action"], action, "{entry}");
        assert!(entry["actor"].to_string().contains(&operator.key_id.to_string()), "{entry}");
        assert!(
            entry["actor"]["on_behalf_of"].as_str().unwrap().contains(&ada.person.id.to_string()),
            "{entry}"
        );
    }
    let began = "/v1/users/me/audit?action=session.impersonation_started";
    let entry = server.fresh_as(began, ada.person.access()).await["entries"][0].clone();
    assert!(entry.to_string().contains("the customer asked for help"), "{entry}");
    let sessions = server.fresh_as("/v1/users/me/sessions", ada.person.access()).await;
    assert_eq!(sessions["sessions"][0]["impersonated"], true, "{sessions}");
    assert_eq!(sessions["sessions"][1]["impersonated"], false, "{sessions}");
}

#[tokio::test]
async fn credentials_are_out_of_the_reach_of_an_operator_who_acts_as_somebody() {
    let server = server().await;
    let operator = server.operator().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let id = ada.person.id.to_string();
    let given = server.impersonates(&operator, &id).await;
    let keys = server.fresh_as("/v1/keys", ada.person.access()).await;
    let key = format!("/v1/keys/{}", keys["keys"][0]["id"].as_str().unwrap());
    let own = format!("/v1/users/me/sessions/{}", given["session_id"].as_str().unwrap());
    let password = json!({ "password": PASSWORD });
    let refused = [
        (
            Method::POST,
            "/v1/users/me/password",
            json!({ "password": PASSWORD, "new_password": "x" }),
        ),
        (Method::POST, "/v1/users/me/email", json!({ "password": PASSWORD, "email": "a@b.org" })),
        (Method::POST, "/v1/users/me/totp", password.clone()),
        (Method::POST, "/v1/users/me/totp/remove", password.clone()),
        (Method::POST, "/v1/users/me/passkeys/begin", password.clone()),
        (Method::POST, "/v1/users/me/recovery-codes", password.clone()),
        (Method::POST, "/v1/users/me/erase", password.clone()),
        (Method::POST, "/v1/auth/logout", json!({})),
        (Method::POST, "/v1/auth/logout-everywhere", json!({})),
        (Method::DELETE, &own, json!({})),
        (Method::POST, "/v1/keys", json!({ "name": "b", "scopes": ["*"] })),
        (Method::POST, &format!("{key}/rotate"), json!({})),
        (Method::DELETE, &key, json!({})),
        (Method::POST, &format!("/v1/organizations/{}/archive", ada.org), json!({})),
        (Method::POST, &format!("/v1/organizations/{}/leave", ada.org), json!({})),
        (Method::POST, "/v1/invitations/accept", json!({ "token": "x" })),
        (Method::POST, "/v1/invitations/decline", json!({ "token": "x" })),
    ];
    // A decision that was remembered for the user is none for the operator.
    let rotate = format!("{key}/rotate");
    assert_eq!(server.gives(ada.person.access(), &rotate, &json!({})).await.status, 202);
    for (method, path, body) in refused {
        let request = server.bare(method.clone(), path).bearer_auth(token(&given));
        let answer = send(with_json(request, &body)).await;
        assert_eq!(answer.code(), "impersonation-forbidden", "{method} {path}");
    }
    // Nor does the token open what is the platform's.
    let users = server.bare(Method::GET, "/v1/admin/users").bearer_auth(token(&given));
    assert_eq!(send(users).await.code(), "platform-only");
    let long = json!({ "reason": "curious", "life_s": 7200 });
    let path = format!("users/{id}/impersonate");
    assert_eq!(server.operates(&operator, &path, &long).await.code(), "validation-failed");
    let none = json!({ "reason": "" });
    assert_eq!(server.operates(&operator, &path, &none).await.code(), "validation-failed");
}

#[tokio::test]
async fn an_impersonation_ends_with_the_key_of_the_operator_and_by_the_user() {
    let server = server().await;
    let [first, second] = [server.operator().await, server.operator_named("second").await];
    let ada = server.with_organization("ada@example.org", "acme").await;
    let id = ada.person.id.to_string();
    let by_first = server.impersonates(&first, &id).await;
    let by_second = server.impersonates(&second, &id).await;
    let stream = server.bare(Method::GET, "/v1/events/stream").bearer_auth(token(&by_first));
    let mut stream = Reader::open(stream).await;
    for given in [&by_first, &by_second] {
        server.fresh_as("/v1/users/me", token(given)).await;
    }
    server.revokes_operator(&first).await;
    server.until_refused(token(&by_first)).await;
    soon(async { while stream.block().await.is_some() {} }).await;

    server.fresh_as("/v1/users/me", token(&by_second)).await;
    let session = by_second["session_id"].as_str().unwrap();
    let end = format!("/v1/users/me/sessions/{session}");
    let ended = server.as_person(Method::DELETE, &end, ada.person.access()).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    server.until_refused(token(&by_second)).await;
    server.fresh_as("/v1/users/me", ada.person.access()).await;
}
