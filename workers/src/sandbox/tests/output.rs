use tokio::io::AsyncWriteExt;

use super::*;
use crate::sandbox::{Line, Reason};

#[tokio::test]
async fn endless_output_ends_the_run() {
    for sandbox in sandboxes().await {
        let mut command = sandbox.command("yes");
        command.limits(Limits { output_bytes: 1 << 20, ..quick() });
        let output = command.spawn().unwrap().output().await;
        assert_eq!(output.exit.reason, Reason::TooMuchOutput, "{}", sandbox.describe());
        assert!(output.stdout.len() <= 1 << 20);
    }
}

#[tokio::test]
async fn a_program_waits_for_its_reader() {
    let Some(sandbox) = sandbox().await else { return };
    let folder = tempfile::tempdir().unwrap();
    sandbox.hand_over(folder.path()).unwrap();
    let mut command = sandbox.command("sh");
    let out = command.bind_rw(folder.path(), "/out");
    let script = "seq 1 100000; touch $0/done";
    command.args(["-c", script]).arg(out).limits(quick());
    let mut running = command.spawn().unwrap();
    assert_eq!(running.stdout.next().await.unwrap().text(), "1");
    let done = folder.path().join("done");
    assert!(!done.exists());
    let mut lines = 1;
    while running.stdout.next().await.is_some() {
        lines += 1;
    }
    assert_eq!(lines, 100_000);
    assert_eq!(running.process.wait().await.reason, Reason::Exited(0));
    assert!(done.exists());
}

#[tokio::test]
async fn long_lines_are_cut_and_say_so() {
    let Some(sandbox) = sandbox().await else { return };
    let script = "head -c 20000 /dev/zero | tr '\\0' a >&2; printf '\\nshort\\n\\nlast' >&2";
    let mut command = sandbox.command("sh");
    let mut running = command.args(["-c", script]).limits(quick()).spawn().unwrap();
    let mut lines: Vec<Line> = Vec::new();
    while let Some(line) = running.stderr.next().await {
        lines.push(line);
    }
    assert!(lines[0].cut && lines[0].bytes.len() == 8192);
    assert!(lines[0].text().ends_with("(line cut)"));
    let rest: Vec<_> = lines[1..].iter().map(|line| line.text().into_owned()).collect();
    assert_eq!(rest, ["short", "", "last"]);
}

#[tokio::test]
async fn input_is_delivered_and_ends() {
    for sandbox in sandboxes().await {
        let mut running = sandbox.command("cat").stdin(true).limits(quick()).spawn().unwrap();
        let mut stdin = running.stdin.take().unwrap();
        stdin.write_all(b"over the wall\n").await.unwrap();
        drop(stdin);
        assert_eq!(running.output().await.stdout, "over the wall\n");
    }
}
