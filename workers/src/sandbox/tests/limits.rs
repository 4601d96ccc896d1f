use super::*;
use crate::sandbox::Reason;

#[tokio::test]
async fn a_fork_bomb_ends_by_the_limit_of_processes() {
    let Some(sandbox) = sandbox().await else { return };
    let marker = format!("bomb-{}", std::process::id());
    let mut command = sandbox.command("bash");
    let script = format!("f() {{ f {marker} | f {marker} & }}; f; sleep 30");
    command.args(["-c", &script]);
    command.limits(Limits { time: Duration::from_secs(2), pids: 32, ..quick() });
    // Dropping the streams leaves its complaints without a reader.
    let mut process = command.spawn().unwrap().process;
    let mut most = 0;
    let exit = loop {
        tokio::select! {
            exit = process.wait() => break exit,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        most = most.max(processes_with(&marker).len());
    };
    assert!(most <= 32 + 4, "{most} processes");
    assert!(exit.reason != Reason::Exited(0), "{exit:?}");
    eventually("the bomb is gone", || processes_with(&marker).is_empty()).await;
}

#[tokio::test]
async fn a_memory_hog_is_ended_and_told() {
    for sandbox in sandboxes().await {
        let mut command = sandbox.command("sh");
        // The shell holds the whole input, which has no line end, in one variable.
        command.args(["-c", "x=$(tr '\\0' x < /dev/zero); echo $x"]);
        command.limits(Limits { memory_bytes: 64 << 20, ..quick() });
        let output = command.spawn().unwrap().output().await;
        let reason = output.exit.reason;
        if sandbox.inner.groups.is_some() {
            assert_eq!(reason, Reason::OutOfMemory, "{}", sandbox.describe());
            assert!(output.exit.peak_memory_bytes.unwrap() <= 64 << 20);
        } else {
            assert!(!matches!(reason, Reason::Exited(0) | Reason::TimedOut), "{reason:?}");
        }
    }
}

#[tokio::test]
async fn temporary_files_are_bounded() {
    for sandbox in sandboxes().await {
        let mut command = sandbox.command("sh");
        command.args(["-c", "head -c 3000000 /dev/zero > /tmp/x; stat -c %s /tmp/x"]);
        command.limits(Limits { tmp_bytes: 1 << 20, ..quick() });
        let output = command.spawn().unwrap().output().await;
        assert!(output.stdout.trim().parse::<u64>().unwrap() <= 1 << 20, "{}", output.stdout);
        assert!(output.stderr.contains("No space left"), "{}", output.stderr);
    }
}

#[tokio::test]
async fn files_are_bounded() {
    for sandbox in sandboxes().await {
        let mut command = sandbox.command("sh");
        command.args(["-c", "head -c 3000000 /dev/zero > /tmp/x; stat -c %s /tmp/x"]);
        command.limits(Limits { file_bytes: 1 << 20, ..quick() });
        let output = command.spawn().unwrap().output().await;
        assert_eq!(output.stdout.trim(), (1 << 20).to_string(), "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_spinner_ends_by_the_limit_of_time() {
    for sandbox in sandboxes().await {
        let mut command = sandbox.command("sh");
        command.args(["-c", "while :; do :; done"]);
        command.limits(Limits { time: Duration::from_millis(500), ..quick() });
        let exit = command.spawn().unwrap().output().await.exit;
        assert_eq!(exit.reason, Reason::TimedOut, "{}", sandbox.describe());
        if sandbox.inner.groups.is_some() {
            assert!(exit.cpu_time.unwrap() > Duration::ZERO);
        }
    }
}
