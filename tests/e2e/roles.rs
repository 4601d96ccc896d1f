use std::process::{Child, Stdio};

use crate::support::{Millrace, signal_to};

/// The roles as processes of their own, on servers that are given.
#[tokio::test]
async fn roles_work_together_over_processes() {
    let database = testkit::database().await;
    let nats = testkit::nats().await;
    let mut millrace = Millrace::new();
    millrace.set("DATABASE_URL", database.url());
    millrace.set("NATS_URL", nats.url());
    millrace.set("MILLRACE_NATS__PREFIX", "apart");
    let unready = millrace.run(&["serve", "--roles", "nonsense"]);
    assert!(!unready.status.success());
    millrace.ok(&["migrate"]);

    let roles = [["projector", "relay"], ["dispatcher", "dispatcher"], ["worker", "worker"]];
    let mut processes: Vec<Child> = roles
        .iter()
        .map(|roles| {
            let log = std::fs::File::create(millrace.folder.path().join(roles[0])).unwrap();
            millrace
                .command(&["serve", "--roles", &roles.join(",")])
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap()
        })
        .collect();
    millrace.start(&["serve", "--roles", "api"]);

    let id = millrace.scan_path(&millrace.targets()).await;
    let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
    assert_eq!(scan["state"], "completed", "{scan}");
    for process in &mut processes {
        signal_to(process.id(), "TERM");
        assert_eq!(process.wait().unwrap().code(), Some(0));
    }
    assert_eq!(millrace.end("TERM"), Some(0));
}
