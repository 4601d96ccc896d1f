use std::io::Read;
use std::net::TcpListener;

use super::*;
use crate::sandbox::{Mode, Reason};

#[tokio::test]
async fn files_that_were_not_given_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "not for you").unwrap();
    open_to_all(folder.path());
    let home = std::env::var("HOME").unwrap_or("/root".to_owned());
    let script = format!(
        "cat /etc/shadow; cat /etc/passwd; cat {}; ls {home} /home /root /proc/1/root/home; true",
        secret.display()
    );
    for sandbox in sandboxes().await {
        let output = sh(&sandbox, &script).await;
        assert_eq!(output.stdout, "", "{}", sandbox.describe());
    }
}

#[tokio::test]
async fn only_writable_binds_and_tmp_can_be_written() {
    for sandbox in sandboxes().await {
        let read = tempfile::tempdir().unwrap();
        let write = tempfile::tempdir().unwrap();
        open_to_all(read.path());
        fs::write(read.path().join("file"), "given\n").unwrap();
        sandbox.hand_over(write.path()).unwrap();
        let mut command = sandbox.command("sh");
        let seen = command.bind_ro(read.path(), "/target");
        let out = command.bind_rw(write.path(), "/out");
        let script = "cat $0/file; touch $0/x /x /dev/x /usr/x /proc/sys/x; touch $1/made /tmp/made && echo wrote";
        command.args(["-c", script]).arg(seen).arg(out).limits(quick());
        let output = command.spawn().unwrap().output().await;
        assert_eq!(output.stdout, "given\nwrote\n", "{} {}", sandbox.describe(), output.stderr);
        assert!(write.path().join("made").exists());
        assert!(!read.path().join("x").exists());
    }
}

#[tokio::test]
async fn a_folder_below_a_closed_folder_can_be_given() {
    for sandbox in sandboxes().await {
        let closed = tempfile::tempdir().unwrap();
        let given = closed.path().join("given");
        fs::create_dir(&given).unwrap();
        open_to_all(&given);
        fs::write(given.join("file"), "seen").unwrap();
        let mut command = sandbox.command("cat");
        let seen = command.bind_ro(&given, "/target");
        command.arg(seen.join("file")).limits(quick());
        let output = command.spawn().unwrap().output().await;
        assert_eq!(output.stdout.trim(), "seen", "{} {}", sandbox.describe(), output.stderr);
    }
}

#[tokio::test]
async fn the_network_is_there_only_when_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for sandbox in sandboxes().await {
        for network in [false, true] {
            let mut command = sandbox.command("bash");
            let script = format!("echo hello > /dev/tcp/127.0.0.1/{port}");
            command.args(["-c", &script]).network(network).limits(quick());
            let exit = command.spawn().unwrap().output().await.exit;
            assert_eq!(exit.reason == Reason::Exited(0), network, "{}", sandbox.describe());
            if network {
                let mut heard = String::new();
                listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
                assert_eq!(heard, "hello\n");
            }
        }
    }
}

#[tokio::test]
async fn the_environment_holds_nothing_of_ours() {
    for sandbox in sandboxes().await {
        let mut command = sandbox.command("sh");
        command.args(["-c", "env; tr '\\0' '\\n' < /proc/1/environ"]).env("GIVEN", "yes");
        let output = command.limits(quick()).spawn().unwrap().output().await;
        let mut names: Vec<_> = output
            .stdout
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
        assert_eq!(names, ["GIVEN", "PATH"], "{}", sandbox.describe());
    }
}

#[tokio::test]
async fn the_program_has_no_powers() {
    for sandbox in sandboxes().await {
        let output = sh(&sandbox, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status; id -u").await;
        let values: Vec<_> = output.stdout.split_whitespace().collect();
        let zero = values.iter().filter(|value| **value == "0000000000000000").count();
        assert_eq!(zero, 5, "{}: {values:?}", sandbox.describe());
        assert!(values.windows(2).any(|pair| pair == ["NoNewPrivs:", "1"]), "{values:?}");
        let as_nobody = sandbox.inner.walls.as_ref().unwrap().run_as_nobody();
        assert!(!as_nobody || values.last() == Some(&"65534"), "{values:?}");
    }
}

#[tokio::test]
async fn no_further_user_namespace_can_be_made() {
    let Some(sandbox) = sandbox().await else { return };
    if !sandbox.inner.walls.as_ref().unwrap().has_own_userns() {
        println!("skipped: no user namespaces on this machine");
        return;
    }
    let output = sh(&sandbox, "unshare --user true && echo made").await;
    assert_eq!(output.stdout, "");
}

#[tokio::test]
async fn without_walls_the_operator_is_told() {
    let sandbox = Sandbox::detect(Mode::Off).await.unwrap();
    assert!(sandbox.warning().unwrap().contains("resource limits only"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "plain").unwrap();
    let mut command = sandbox.command("cat");
    let seen = command.bind_ro(folder.path(), "/target");
    command.arg(seen.join("file")).limits(quick());
    let output = command.spawn().unwrap().output().await;
    assert_eq!((output.exit.reason, output.stdout.as_str()), (Reason::Exited(0), "plain\n"));
}
