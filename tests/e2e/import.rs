use serde_json::json;

use crate::support::Millrace;

/// bcrypt of `abc` in 12 rounds, of the test vectors that jBCrypt has.
const BCRYPT: &str = "$2a$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q";

#[tokio::test]
async fn accounts_of_elsewhere_are_imported_and_their_passwords_hashed_anew() {
    let mut millrace = Millrace::new();
    for limit in ["ADDRESS", "LOGIN", "USER"] {
        millrace.set(&format!("MILLRACE_LIMITS__{limit}"), "10000/60s");
    }
    millrace.up();
    let file = millrace.folder.path().join("accounts.jsonl");
    let ada = json!({
        "email": "Ada@example.org", "name": "Ada", "password_hash": BCRYPT, "email_verified": true,
    });
    let bob = json!({ "email": "bob@example.org", "password_hash": BCRYPT });
    let bad = [
        json!({ "email": "nobody", "password_hash": BCRYPT }),
        json!({ "email": "eve@example.org", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99" }),
        json!({ "email": "eve@example.org", "admin": true }),
    ];
    let lines = [&ada, &bad[0], &bob, &bad[1], &bad[2], &ada].map(ToString::to_string);
    std::fs::write(&file, format!("{}\n\n{{\n", lines.join("\n"))).unwrap();
    let import = ["users", "import", file.to_str().unwrap()];
    let output = millrace.run(&import);
    assert!(!output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "2 imported, 1 there already, 4 refused\n"
    );
    let errors = String::from_utf8(output.stderr).unwrap();
    for line in [2, 4, 5, 8] {
        assert!(errors.contains(&format!("line {line}: ")), "{errors}");
    }
    assert!(!errors.contains("example.org") && !errors.contains("5f4dcc3b"), "{errors}");
    std::fs::write(&file, format!("{ada}\n{bob}\n")).unwrap();
    assert_eq!(millrace.ok(&import), "0 imported, 2 there already, 0 refused\n");

    let folder = millrace.run(&["users", "import", millrace.folder.path().to_str().unwrap()]);
    assert!(!folder.status.success() && folder.stdout.is_empty(), "{folder:?}");

    let log_in = json!({ "email": "ada@example.org", "password": "abc" });
    let wrong = json!({ "email": "ada@example.org", "password": "abd" });
    assert_eq!(millrace.post("/v1/auth/login", &wrong).await.status(), 401);
    let answer = millrace.post("/v1/auth/login", &log_in).await;
    assert_eq!(answer.status(), 200);
    let access = crate::support::body(answer).await["access_token"].clone();
    millrace.key = access.as_str().unwrap().to_owned();
    let renewed = "/v1/users/me/audit?action=user.password_rehashed";
    let count = async |millrace: &Millrace| {
        let audit = millrace.json(renewed).await;
        audit["entries"].as_array().unwrap().len()
    };
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while count(&millrace).await == 0 {
        assert!(std::time::Instant::now() < deadline, "the hash was not renewed");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // From now on it is in today's form.
    assert_eq!(millrace.post("/v1/auth/login", &log_in).await.status(), 200);
    assert_eq!(millrace.post("/v1/auth/login", &wrong).await.status(), 401);
    assert_eq!(count(&millrace).await, 1);

    // Whose address was not confirmed there is asked to here.
    let log_in = json!({ "email": "bob@example.org", "password": "abc" });
    assert_eq!(millrace.post("/v1/auth/login", &log_in).await.status(), 409);
    let token = millrace.mailed("verify-email").await;
    let confirmed = millrace.post("/v1/auth/verify-email", &json!({ "token": token })).await;
    assert_eq!(confirmed.status(), 200);
    assert_eq!(millrace.post("/v1/auth/login", &log_in).await.status(), 200);
}
