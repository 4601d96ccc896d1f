use reqwest::Method;
use serde_json::json;

use crate::{accounts::server, support::send};

#[tokio::test]
async fn accounts_are_found_by_address_state_and_page() {
    let server = server().await;
    let operator = server.operator().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let bob = server.person("bob@example.org").await;

    let found = server.sees(&operator, "users?email=ADA@example.org").await;
    assert_eq!(found["users"].as_array().unwrap().len(), 1);
    assert_eq!(found["users"][0]["id"], ada.person.id.to_string());
    assert_eq!(found["users"][0]["email"], "ada@example.org");
    let nobody = server.sees(&operator, "users?email=carol@example.org").await;
    assert_eq!(nobody["users"], json!([]));

    let first = server.sees(&operator, "users?limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = server.sees(&operator, &format!("users?limit=1&cursor={cursor}")).await;
    assert_eq!(first["users"][0]["id"], ada.person.id.to_string());
    assert_eq!(second["users"][0]["id"], bob.id.to_string());
    assert!(second["next_cursor"].is_null());

    let path = format!("users/{}", bob.id);
    let reason = json!({ "reason": "asked for it" });
    let ended = server.operates(&operator, &format!("{path}/suspend"), &reason).await;
    assert_eq!(ended.status, 202, "{}", ended.text);
    let suspended = server.sees(&operator, "users?state=suspended").await;
    assert_eq!(suspended["users"].as_array().unwrap().len(), 1, "{suspended}");
    assert_eq!(suspended["users"][0]["id"], bob.id.to_string());
    let active = server.sees(&operator, "users?state=active").await;
    assert_eq!(active["users"][0]["id"], ada.person.id.to_string());

    let details = server.sees(&operator, &format!("users/{}", ada.person.id)).await;
    assert_eq!((&details["sessions"], &details["second_factor"]), (&json!(1), &json!(false)));
    assert_eq!(details["organizations"][0]["organization"]["slug"], "acme");
    let overview = server.sees(&operator, "overview").await;
    assert_eq!((&overview["users"], &overview["users_suspended"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn organisations_are_found_by_slug_name_and_state() {
    let server = server().await;
    let operator = server.operator().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let bob = server.with_organization("bob@example.org", "bobs").await;
    let ids = async |query: &str| {
        let page = server.sees(&operator, &format!("organizations?{query}")).await;
        let found = page["organizations"].as_array().unwrap().iter();
        found.map(|found| found["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("slug=acme").await, [ada.org.as_str()]);
    assert_eq!(ids("name=ACME%20w").await, [ada.org.as_str(), bob.org.as_str()]);
    assert!(ids("name=%25").await.is_empty(), "a sign of patterns is a letter like any other");
    let reason = json!({ "reason": "unpaid" });
    let path = format!("organizations/{}/suspend", bob.org);
    assert_eq!(server.operates(&operator, &path, &reason).await.status, 202);
    assert_eq!(ids("state=suspended").await, [bob.org.as_str()]);
    assert_eq!(ids("state=active&name=acme").await, [ada.org.as_str()]);
    let one = server.sees(&operator, &format!("organizations/{}", bob.org)).await;
    assert_eq!((&one["state"], &one["suspension_reason"]), (&json!("suspended"), &json!("unpaid")));
}

#[tokio::test]
async fn only_operators_administrate() {
    let server = server().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    for token in [ada.person.access(), &ada.key] {
        let path = format!("/v1/admin/users/{}", ada.person.id);
        let read = send(server.bare(Method::GET, &path).bearer_auth(token)).await;
        assert_eq!(read.code(), "platform-only");
        let suspend = server.gives(token, &format!("{path}/suspend"), &json!({})).await;
        assert_eq!(suspend.code(), "platform-only");
    }
}
