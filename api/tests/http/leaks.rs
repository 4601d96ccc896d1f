use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::server,
    support::{Answer, Server, send},
};

impl Server {
    async fn reports(&self, secrets: &[&str]) -> Answer {
        let place = "https://example.org/a/blob/main/.env";
        self.ask("/v1/keys/leaked", json!({ "secrets": secrets, "found_at": place })).await
    }
}

#[tokio::test]
async fn a_key_whose_secret_is_shown_is_revoked_and_its_organisation_told() {
    let server = server().await;
    let tenant = server.another_tenant().await;
    assert_eq!(server.get_as(&tenant, "/v1/scans").await.status, 200);
    let strange = format!("mr_{}", "A".repeat(43));
    let nobody = server.reports(&[&strange, "no key at all"]).await;
    assert_eq!(nobody.status, 200, "{}", nobody.text);
    let known = server.reports(&[&tenant.key, "no key at all"]).await;
    assert_eq!(known.text, nobody.text, "the answer tells whether there is such a key");

    let refused = async { while server.get_as(&tenant, "/v1/scans").await.status != 401 {} };
    tokio::time::timeout(std::time::Duration::from_secs(1), refused).await.unwrap();
    // Again, and by several at once: there is nothing left to revoke.
    let secrets = [tenant.key.as_str()];
    let again = futures::join!(server.reports(&secrets), server.reports(&secrets));
    assert_eq!((again.0.status.as_u16(), again.1.status.as_u16()), (200, 200));

    let filter = journal::Filter { org: Some(tenant.org), ..journal::Filter::default() };
    let events = server.journal.read(0, &filter, 100).await.unwrap();
    let told: Vec<_> = events.iter().filter(|event| event.actor == "anonymous").collect();
    let types: Vec<_> = told.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["organization.api_key_leaked", "organization.api_key_revoked"]);
    let leaked: Value = serde_json::from_str(told[0].payload.get()).unwrap();
    assert_eq!(leaked["key_id"], tenant.key_id.to_string());
    assert_eq!(leaked["found_at"], "https://example.org/a/blob/main/.env");
    assert!(!events.iter().any(|event| event.payload.get().contains(&tenant.key)));
}

#[tokio::test]
async fn a_report_is_bounded_and_a_former_secret_that_ended_revokes_nothing() {
    let server = server().await;
    let many = vec!["x"; 101];
    assert_eq!(server.reports(&many).await.code(), "validation-failed");
    let rotate = format!("/v1/keys/{}/rotate?overlap_s=0", server.owner.key_id);
    let rotated = server.post_as(&server.owner, &rotate).await;
    assert_eq!(rotated.status, 202, "{}", rotated.text);
    let secret = rotated.json()["secret"].as_str().unwrap().to_owned();
    let position = rotated.json()["position"].as_u64().unwrap();
    let with_new = || server.bare(Method::GET, "/v1/keys").bearer_auth(&secret);
    let known = async { while send(with_new()).await.status != 200 {} };
    crate::support::soon(known).await;
    assert_eq!(server.reports(&[&server.owner.key]).await.status, 200);
    let after = with_new().header("millrace-min-position", position);
    assert_eq!(send(after).await.status, 200, "the former secret revoked the key");
}
