use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use domain::scans::{EngineOutcome, ScanCommand, ScanEvent, Warning};
use outbound::AddressPolicy;
use tempfile::TempDir;
use workers::checkout::{self, Checkouts};
use workers::dispatcher;
use workers::sandbox::{Mode, Sandbox};
use workers::scans::{Options, Scans};

use crate::bench::{Bench, brisk, repository, runs, wait_until, website};

/// A folder to scan and an engine that is a shell script; `$spec` is what it was told.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open.clone()).unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        let engine = folder.path().join("engine");
        fs::write(&engine, format!("#!/bin/sh\nread -r spec\n{script}\n")).unwrap();
        fs::set_permissions(&engine, open).unwrap();
        Self { folder }
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    async fn scans(&self, change: impl FnOnce(&mut Options)) -> Scans {
        let mut options = Options::new(self.folder.path().join("engine"));
        change(&mut options);
        let checkouts = Checkouts {
            sandbox: Sandbox::detect(Mode::Preferred).await.unwrap(),
            scratch: self.folder.path().join("scratch"),
            folders: vec![self.tree()],
            addresses: AddressPolicy::default(),
            limits: checkout::Limits::default(),
        };
        Scans::new(checkouts, options)
    }
}

fn engines(events: &[ScanEvent]) -> Vec<(EngineOutcome, &[Warning], &str)> {
    let finished = |event| match event {
        &ScanEvent::EngineFinished { outcome, ref warnings, ref summary, .. } => {
            Some((outcome, warnings.as_slice(), summary.as_str()))
        }
        _ => None,
    };
    events.iter().filter_map(finished).collect()
}

fn finding(number: &str) -> String {
    format!(
        r#"{{"type":"finding","finding":{{"rule_id":"r","title":"t","description":"d","severity":"high","location":{{"kind":"file","path":"a"}},"fingerprint":"%032x"}}}}\n" {number}"#
    )
}

const DONE: &str = r#"echo '{"type":"done","outcome":"completed","summary":"looked at all"}'"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_are_recorded_in_batches_up_to_the_limit() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let script = format!(
        r#"echo '{{"type":"progress","text":"reading"}}'
        n=0; while [ $n -lt 450 ]; do printf "{}; n=$((n+1)); done
        {DONE}"#,
        finding("$n").replace('"', "\\\"").replacen("\\n\\\" $n", "\\n\" $n", 1)
    );
    let stage = Stage::new(&script);
    let scans = stage.scans(|options| options.limits.max_findings = 430).await;
    let _worker = bench.work(scans, brisk("worker"));
    let job = bench.request(bench.org, repository(&stage.tree())).await;
    let events = bench.wait_for_end(&job).await;
    let Some(ScanEvent::Completed { counts, complete, .. }) = events.last() else {
        panic!("{events:#?}")
    };
    assert_eq!((counts.high, *complete), (860, false));
    let batches = events.iter().filter_map(|event| match event {
        ScanEvent::FindingsRecorded { findings, .. } => Some(findings.len()),
        _ => None,
    });
    assert_eq!(batches.collect::<Vec<_>>(), [200, 200, 30, 200, 200, 30]);
    for (outcome, warnings, summary) in engines(&events) {
        assert_eq!((outcome, summary), (EngineOutcome::Partial, "looked at all"));
        let last = warnings.iter().find(|warning| warning.code == "too-many-findings").unwrap();
        assert_eq!(last.message, "430 findings were kept and 20 more were left out");
    }
    let kept = || async { !bench.backbone.archive.read(bench.org, &job).await.unwrap().is_empty() };
    wait_until("the output is kept", kept).await;
    let lines = bench.backbone.archive.read(bench.org, &job).await.unwrap();
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert!(texts.contains(&"reading") && texts.contains(&"the scan has ended"), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_failing_engine_does_not_fail_the_others() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    for (script, code) in [
        ("echo out of luck >&2; exit 3", "engine-crashed"),
        ("kill -9 $$", "engine-crashed"),
        ("echo hello", "engine-protocol"),
        (r#"echo '{"type":"finding","finding":{}}'"#, "engine-protocol"),
        ("head -c 3000000 /dev/zero", "engine-protocol"),
        ("sleep 1000", "engine-timed-out"),
    ] {
        let script =
            format!(r#"case "$spec" in *'"engine":"secrets"'*) {script};; *) {DONE};; esac"#);
        let stage = Stage::new(&script);
        // An engine ends by itself after one second; this one is ended ten seconds later.
        let scans = stage.scans(|options| options.limits.time_s = 1).await;
        let worker = bench.work(scans, brisk("worker"));
        let job = bench.request(bench.org, repository(&stage.tree())).await;
        let events = bench.wait_for_end(&job).await;
        assert!(matches!(events.last(), Some(ScanEvent::Completed { complete: false, .. })));
        let engines = engines(&events);
        assert_eq!(engines[0].0, EngineOutcome::Failed, "{script}");
        assert!(engines[0].1.iter().any(|warning| warning.code == code), "{script}: {engines:?}");
        assert_eq!((engines[1].0, engines[1].2), (EngineOutcome::Completed, "looked at all"));
        worker.stop.cancel();
        worker.task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_needs_too_much_memory_is_failed() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let stage = Stage::new("x=x; while :; do x=$x$x; done");
    let scans = stage.scans(|options| options.memory_bytes = 64 << 20).await;
    let _worker = bench.work(scans, brisk("worker"));
    let job = bench.request(bench.org, website()).await;
    let events = bench.wait_for_end(&job).await;
    let engines = engines(&events);
    // Without control groups the shell is refused the memory and ends by itself.
    let codes = ["engine-out-of-memory", "engine-crashed"];
    assert!(engines[0].1.iter().any(|warning| codes.contains(&warning.code.as_str())));
    let reason = "no engine could do its work; the warnings say why";
    assert!(matches!(events.last(), Some(ScanEvent::Failed { reason: r, .. }) if r == reason));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_cannot_be_had_fails_at_once() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let stage = Stage::new(DONE);
    let _worker = bench.work(stage.scans(|_| {}).await, brisk("worker"));
    for (path, expected) in [("missing", "there is no folder"), ("../engine", "not below a folder")]
    {
        let path = match path.strip_prefix("../") {
            Some(outside) => stage.folder.path().join(outside),
            None => stage.tree().join(path),
        };
        let job = bench.request(bench.org, repository(&path)).await;
        let events = bench.wait_for_end(&job).await;
        let Some(ScanEvent::Failed { attempt: 1, reason, .. }) = events.last() else {
            panic!("{events:#?}")
        };
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_stops_a_running_job() {
    for signalled in [true, false] {
        let bench = Bench::start().await;
        bench.dispatch(dispatcher::Options::default());
        let seconds = format!("{}.{}", if signalled { 4001 } else { 4002 }, std::process::id());
        let stage = Stage::new(&format!("sleep {seconds} & wait"));
        // Without a signal only the look at every sign of life finds the request.
        let lease = Duration::from_secs(if signalled { 3600 } else { 3 });
        let options = workers::runtime::Options { lease, ..brisk("worker") };
        let _worker = bench.work(stage.scans(|_| {}).await, options);
        let job = bench.request(bench.org, website()).await;
        wait_until("the child runs", || async { runs(&seconds) }).await;
        let now = bench.backbone.journal.clock().now();
        bench.tell(bench.org, &job, ScanCommand::RequestCancel { now }).await;
        if signalled {
            bench.backbone.jobs.signal_cancel(&job).await.unwrap();
        }
        let events = bench.wait_for_end(&job).await;
        assert!(matches!(events.last(), Some(ScanEvent::Cancelled { .. })), "{events:#?}");
        assert!(!runs(&seconds), "the child of a cancelled job runs on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deadline_ends_a_job() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let seconds = format!("4003.{}", std::process::id());
    let stage = Stage::new(&format!("sleep {seconds} & wait"));
    let _worker = bench.work(stage.scans(|_| {}).await, brisk("worker"));
    let job = bench.request_with_deadline(website(), 2).await;
    let events = bench.wait_for_end(&job).await;
    let Some(ScanEvent::Failed { attempt: 1, reason, .. }) = events.last() else {
        panic!("{events:#?}")
    };
    assert_eq!(reason, "it did not end within its deadline of 2 seconds");
    assert!(!runs(&seconds), "the child of a job over its deadline runs on");
}
