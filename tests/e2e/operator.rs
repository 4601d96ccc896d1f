use crate::support::{Millrace, eventually};

#[tokio::test]
async fn a_view_is_rebuilt_and_switched_while_it_is_read() {
    let mut millrace = Millrace::new();
    millrace.up();
    let id = millrace.scan_path(&millrace.targets()).await;
    millrace.wait_for(&id, &["completed"]).await;
    let before = millrace.json("/v1/scans").await;

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (base, key) = (millrace.base.clone(), millrace.key.clone());
    let reader = tokio::spawn(async move {
        let client = reqwest::Client::new();
        let mut stopped = stopped;
        let mut reads = 0;
        while stopped.try_recv().is_err() {
            let request = client.get(format!("{base}/v1/scans")).bearer_auth(&key);
            let status = request.send().await.unwrap().status();
            assert!(status == 200 || status == 429, "{status}");
            reads += 1;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        reads
    });
    let (millrace, shown) = tokio::task::spawn_blocking(move || {
        let rebuilt = millrace.ok(&["projections", "rebuild", "scans"]);
        assert!(rebuilt.contains("same"), "{rebuilt}");
        assert!(!rebuilt.contains("DIFFERENT"), "{rebuilt}");
        millrace.ok(&["projections", "switch", "scans"]);
        let shown = millrace.ok(&["projections", "list"]);
        millrace.ok(&["projections", "rollback", "scans"]);
        millrace.ok(&["projections", "drop", "scans"]);
        (millrace, shown)
    })
    .await
    .unwrap();
    stop.send(()).unwrap();
    assert!(reader.await.unwrap() > 0);
    assert!(shown.contains("standby"), "{shown}");
    assert_eq!(millrace.json("/v1/scans").await, before);
}

#[tokio::test]
async fn keys_and_organisations_are_made_on_the_command_line() {
    let mut millrace = Millrace::new();
    millrace.up();
    let id = millrace.scan_path(&millrace.targets()).await;
    millrace.wait_for(&id, &["completed"]).await;

    let organization =
        millrace.ok(&["organizations", "create", "--name", "Acme", "--slug", "acme"]);
    let organization = organization.trim().to_owned();
    let taken = millrace.run(&["organizations", "create", "--name", "Acme", "--slug", "acme"]);
    assert!(!taken.status.success());
    assert!(millrace.ok(&["organizations", "list"]).contains("acme"));

    let issue = ["keys", "issue", "--organization", &organization, "--name", "ci"];
    millrace.key = millrace.ok(&issue).trim().to_owned();
    let listed = millrace.ok(&["keys", "list", "--organization", &organization]);
    assert!(listed.contains("valid"), "{listed}");
    assert_eq!(millrace.json("/v1/scans").await["scans"].as_array().unwrap().len(), 0);
    assert_eq!(millrace.get(&format!("/v1/scans/{id}")).await.status(), 404);
    assert_eq!(millrace.get("/v1/projections").await.status(), 403);

    let limits = ["--scopes", "scans:read,keys:read", "--expires", "2999-01-01T00:00:00Z"];
    let narrow = [&issue[..], &limits, &["--requests-per-minute", "50"]].concat();
    let narrow = millrace.ok(&narrow).trim().to_owned();
    let wide = std::mem::replace(&mut millrace.key, narrow);
    let shown = &millrace.json("/v1/keys").await["keys"][0];
    assert_eq!(shown["scopes"], serde_json::json!(["scans:read", "keys:read"]));
    assert_eq!(shown["requests_per_minute"], 50);
    assert!(shown["expires_at"].as_str().unwrap().starts_with("2999-01-01T00:00:00"));
    assert_eq!(millrace.get("/v1/events?after=0").await.status(), 403);
    millrace.key = wide;
    let unknown = millrace.run(&[&issue[..], &["--scopes", "scans:fly"]].concat());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("`scans:fly` is not an action"));

    millrace.key = millrace.ok(&[&issue[..], &["--platform"]].concat()).trim().to_owned();
    let views = millrace.json("/v1/projections").await;
    assert_eq!(views["projections"][0]["builds"][0]["status"], "live", "{views}");
    let listed = millrace.ok(&["keys", "list", "--organization", &organization]);
    assert_eq!(listed.matches("(platform)").count(), 1, "{listed}");

    let key_id = listed.split_whitespace().next().unwrap().to_owned();
    millrace.ok(&["keys", "revoke", "--organization", &organization, &key_id]);
    let listed = millrace.ok(&["keys", "list", "--organization", &organization]);
    assert!(listed.contains("revoked"), "{listed}");
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while millrace.get("/v1/scans").await.status() != 401 {
        assert!(std::time::Instant::now() < deadline, "a revoked key goes on working");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_key_is_issued_for_signed_requests_on_the_command_line() {
    // The public half of the test key of RFC 8032, section 7.1, as openssl writes it.
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
        -----END PUBLIC KEY-----\n";
    let mut millrace = Millrace::new();
    millrace.up();
    let organization =
        millrace.ok(&["organizations", "create", "--name", "Acme", "--slug", "acme"]);
    let organization = organization.trim().to_owned();
    let file = millrace.folder.path().join("signing.pub.pem");
    let path = file.to_str().unwrap();
    let issue = ["keys", "issue", "--organization", &organization, "--name", "ci"];
    let signed = [&issue[..], &["--signing-key", path]].concat();
    for content in [None, Some("nonsense")] {
        content.into_iter().for_each(|text| std::fs::write(&file, text).unwrap());
        let refused = millrace.run(&signed);
        let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && errors.contains("--signing-key"), "{errors}");
    }
    std::fs::write(&file, PEM).unwrap();
    let demands = millrace.ok(&signed).trim().to_owned();
    millrace.key = millrace.ok(&issue).trim().to_owned();
    let listed = millrace.ok(&["keys", "list", "--organization", &organization]);
    assert_eq!(listed.matches("(signed requests)").count(), 1, "{listed}");
    let shown = &millrace.json("/v1/keys").await["keys"];
    let keys = shown.as_array().unwrap().iter().map(|key| key["signing_key"].as_str());
    let expected = [None, Some("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")];
    assert!(keys.eq(expected), "{shown}");
    millrace.key = demands;
    let refused = crate::support::body(millrace.get("/v1/scans").await).await;
    assert_eq!(refused["code"], "signature-required", "{refused}");
}

#[tokio::test]
async fn the_stream_is_made_again_on_request() {
    let mut millrace = Millrace::new();
    millrace.up();
    let id = millrace.scan_path(&millrace.targets()).await;
    millrace.wait_for(&id, &["completed"]).await;
    eventually("the stream", || millrace.ok(&["relay", "status"]).contains("(0 behind)")).await;
    millrace.ok(&["relay", "rebuild"]);
    eventually("the second epoch", || {
        let status = millrace.ok(&["relay", "status"]);
        status.contains("epoch   2") && status.contains("(0 behind)")
    })
    .await;
}
