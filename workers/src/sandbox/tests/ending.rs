use tokio_util::sync::CancellationToken;

use super::*;
use crate::sandbox::{Reason, Running};

/// Starts a program whose grandchild left its session, and waits until that runs.
async fn with_escapee(sandbox: &Sandbox, marker: &str, token: &CancellationToken) -> Running {
    let script = format!(
        "(setsid sh -c 'sleep 300; : {marker}' > /dev/null 2>&1 &) ; echo up; sleep 300; : {marker}"
    );
    let mut command = sandbox.command("sh");
    command.args(["-c", &script]).limits(quick()).cancel_with(token);
    let mut running = command.spawn().unwrap();
    let said = running.stdout.next().await.map(|line| line.text().into_owned());
    assert_eq!(said.as_deref(), Some("up"), "{}", sandbox.describe());
    assert!(!processes_with(marker).is_empty());
    running
}

fn marker(kind: &str, number: usize) -> String {
    format!("{kind}-{}-{number}", std::process::id())
}

#[tokio::test]
async fn a_kill_reaches_every_descendant() {
    for (number, sandbox) in sandboxes().await.iter().enumerate() {
        let marker = marker("killed", number);
        let mut running = with_escapee(sandbox, &marker, &CancellationToken::new()).await;
        running.process.kill();
        assert_eq!(running.process.wait().await.reason, Reason::Killed);
        if sandbox.inner.groups.is_some() {
            assert_eq!(processes_with(&marker), [""; 0], "{}", sandbox.describe());
        }
        eventually("all are gone", || processes_with(&marker).is_empty()).await;
    }
}

#[tokio::test]
async fn dropping_a_run_ends_it() {
    for (number, sandbox) in sandboxes().await.iter().enumerate() {
        let marker = marker("dropped", number);
        drop(with_escapee(sandbox, &marker, &CancellationToken::new()).await);
        eventually("all are gone", || processes_with(&marker).is_empty()).await;
    }
}

#[tokio::test]
async fn a_cancelled_token_ends_the_run() {
    let Some(sandbox) = sandbox().await else { return };
    let marker = marker("cancelled", 0);
    let token = CancellationToken::new();
    let mut running = with_escapee(&sandbox, &marker, &token).await;
    token.cancel();
    assert_eq!(running.process.wait().await.reason, Reason::Killed);
    eventually("all are gone", || processes_with(&marker).is_empty()).await;
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it() {
    for (number, sandbox) in sandboxes().await.iter().enumerate() {
        let marker = marker("left", number);
        let script = format!("(setsid sh -c 'sleep 300; : {marker}' > /dev/null 2>&1 &) ; exit 3");
        let output = sh(sandbox, &script).await;
        assert_eq!(output.exit.reason, Reason::Exited(3));
        eventually("all are gone", || processes_with(&marker).is_empty()).await;
    }
}

#[test]
fn the_end_of_the_runtime_ends_its_runs() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let marker = marker("runtime", 0);
    let running = runtime.block_on(async {
        let sandbox = sandbox().await?;
        Some(with_escapee(&sandbox, &marker, &CancellationToken::new()).await)
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    drop(running);
    for _ in 0..500 {
        if processes_with(&marker).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("still there: {:?}", processes_with(&marker));
}

#[tokio::test]
async fn signals_are_told_apart_from_codes() {
    let Some(sandbox) = sandbox().await else { return };
    assert_eq!(sh(&sandbox, "kill -TERM $$").await.exit.reason, Reason::Signalled(15));
    assert_eq!(sh(&sandbox, "exit 7").await.exit.reason, Reason::Exited(7));
}

#[tokio::test]
async fn groups_are_removed_and_those_of_crashed_workers_swept() {
    let Some(groups) = Hierarchy::find() else {
        println!("skipped: no writable control groups");
        return;
    };
    let sandbox = Sandbox::detect(Mode::Off).await.unwrap();
    let held = groups.create(&quick()).unwrap();
    let folders: Vec<PathBuf> = held.folders().map(Path::to_owned).collect();
    sandbox.sweep_leftovers();
    assert!(folders.iter().all(|folder| folder.exists()), "a held group was swept");
    drop(held);
    assert!(folders.iter().all(|folder| !folder.exists()), "an ended group stays");
    folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
    eventually("the leftover is swept", || {
        sandbox.sweep_leftovers();
        folders.iter().all(|folder| !folder.exists())
    })
    .await;
}
