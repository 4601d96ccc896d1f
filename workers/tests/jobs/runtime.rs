use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use domain::ids::UserId;
use domain::scans::{Engine, Scan, ScanCommand, ScanEvent};
use futures::FutureExt;
use journal::jobs::JobPointer;
use journal::{Actor, Clock, SystemClock};
use tokio::sync::{mpsc, watch};
use workers::dispatcher;
use workers::runtime::{JobContext, JobError, Options};

use crate::bench::{Bench, PATIENCE, act, brisk, finish, wait_until, website};

fn started(attempt: u32) -> impl Fn(&ScanEvent) -> bool {
    move |event| matches!(event, ScanEvent::AttemptStarted { attempt: a, .. } if *a == attempt)
}

fn reasons(events: &[ScanEvent]) -> Vec<&str> {
    let reason = |event| match event {
        &ScanEvent::Requeued { ref reason, .. } | &ScanEvent::Failed { ref reason, .. } => {
            Some(reason.as_str())
        }
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

fn completed(events: &[ScanEvent]) -> bool {
    matches!(events.last(), Some(ScanEvent::Completed { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_attempt_loses() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let (late, mut said) = mpsc::channel(1);
    let (go_on, gate) = watch::channel(false);
    let first = bench.work(
        act(move |job| {
            let (late, mut gate) = (late.clone(), gate.clone());
            async move {
                gate.wait_for(|open| *open).await.unwrap();
                let engine = Engine::Website;
                let command = ScanCommand::StartEngine { fence: job.fence, engine, now: job.now() };
                let reported = job.execute::<Scan>(command).await;
                late.send(reported.clone()).await.unwrap();
                reported
            }
            .boxed()
        }),
        // It does not notice in time that it should stop.
        Options { cancel_grace: Duration::from_secs(60), concurrency: 1, ..brisk("first") },
    );
    let job = bench.request(bench.org, website()).await;
    bench.wait_for(&job, started(1)).await;
    // What happens to a worker that was frozen for longer than its lease.
    sqlx::query("DELETE FROM job_leases").execute(bench.pool()).await.unwrap();
    bench.sweep();
    bench.wait_for(&job, |event| matches!(event, ScanEvent::Requeued { .. })).await;
    first.stop.cancel();
    go_on.send(true).unwrap();
    let late = said.recv().await.unwrap();
    let refused = |error: JobError| error.to_string().contains("not the current one");
    assert!(late.is_err_and(refused), "a stale attempt was heard");
    first.task.await.unwrap().unwrap();

    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let _second = bench.work(
        act(move |job| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { finish(&job).await }.boxed()
        }),
        brisk("second"),
    );
    let events = bench.wait_for_end(&job).await;
    assert!(completed(&events));
    // The messages of both attempts come once more.
    for attempt in [1, 2] {
        let (kind, priority) = (domain::jobs::JobKind::Scan, domain::jobs::Priority::Medium);
        let pointer = JobPointer { job: job.clone(), attempt };
        bench.backbone.jobs.publish(kind, priority, &pointer, 99).await.unwrap();
    }
    let other = bench.request(bench.org, website()).await;
    bench.wait_for_end(&other).await;
    assert_eq!(bench.events(&job).await, events);
    assert_eq!(runs.load(Ordering::SeqCst), 2, "one run of each job");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_is_replaced() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    bench.sweep();
    let first = bench.work(act(|_| std::future::pending().boxed()), brisk("first"));
    let job = bench.request(bench.org, website()).await;
    bench.wait_for(&job, started(1)).await;
    first.task.abort();
    let _second = bench.work(act(|job| async move { finish(&job).await }.boxed()), brisk("second"));
    let events = bench.wait_for_end(&job).await;
    assert!(completed(&events));
    assert_eq!(reasons(&events), ["its worker gave no more sign of life"]);
    let worker = |event: &ScanEvent| match event {
        ScanEvent::AttemptStarted { worker, .. } => Some(worker.clone()),
        _ => None,
    };
    assert_eq!(events.iter().filter_map(worker).collect::<Vec<_>>(), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_is_delayed_and_bounded() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let fail = |_| async { Err(JobError::retry("the host sleeps")) }.boxed();
    let _worker = bench.work(act(fail), brisk("worker"));
    let job = bench.request(bench.org, website()).await;
    let events = bench.wait_for_end(&job).await;
    assert_eq!(reasons(&events), ["the host sleeps"; 3]);
    assert!(matches!(events.last(), Some(ScanEvent::Failed { attempt: 3, .. })));
    let mut waits = Vec::new();
    for pair in events.windows(2) {
        if let [
            ScanEvent::Requeued { not_before, .. },
            ScanEvent::AttemptStarted { started_at, .. },
        ] = pair
        {
            assert!(started_at >= not_before, "a retry came early");
        }
        if let [
            ScanEvent::AttemptStarted { started_at, .. },
            ScanEvent::Requeued { not_before, .. },
        ] = pair
        {
            waits.push((*not_before - *started_at).num_milliseconds());
        }
    }
    // 400 ms, doubled once, with a chance of one half: three quarters of it.
    assert!(waits[0] >= 300 && waits[1] >= 600, "{waits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_handler_is_retried() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let work = |job: JobContext| {
        async move {
            assert!(job.attempt > 1, "nobody expected the first attempt");
            finish(&job).await
        }
        .boxed()
    };
    let _worker = bench.work(act(work), brisk("worker"));
    let job = bench.request(bench.org, website()).await;
    let events = bench.wait_for_end(&job).await;
    assert!(completed(&events));
    assert_eq!(reasons(&events), ["the worker failed: nobody expected the first attempt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_gives_the_job_back() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    // So long a lease that only the drain itself can be the reason for the second attempt.
    let patient = |worker| Options { lease: Duration::from_secs(600), ..brisk(worker) };
    let first = bench.work(act(|_| std::future::pending().boxed()), {
        Options { cancel_grace: Duration::from_millis(100), ..patient("first") }
    });
    let job = bench.request(bench.org, website()).await;
    bench.wait_for(&job, started(1)).await;
    first.stop.cancel();
    first.task.await.unwrap().unwrap();
    assert_eq!(bench.count("SELECT count(*) FROM worker_slots").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM job_leases").await, 0);
    let _second =
        bench.work(act(|job| async move { finish(&job).await }.boxed()), patient("second"));
    let events = bench.wait_for_end(&job).await;
    assert!(completed(&events));
    assert_eq!(reasons(&events), ["the worker is shutting down"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_worker_finishes_what_it_can() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let (go_on, gate) = watch::channel(false);
    let worker = bench.work(
        act(move |job| {
            let mut gate = gate.clone();
            async move {
                gate.wait_for(|open| *open).await.unwrap();
                finish(&job).await
            }
            .boxed()
        }),
        Options { drain_grace: Duration::from_secs(30), ..brisk("worker") },
    );
    let job = bench.request(bench.org, website()).await;
    bench.wait_for(&job, started(1)).await;
    let asked = Instant::now();
    worker.stop.cancel();
    go_on.send(true).unwrap();
    worker.task.await.unwrap().unwrap();
    assert!(completed(&bench.events(&job).await));
    assert!(asked.elapsed() < Duration::from_secs(25), "the grace was waited out for nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_no_pointer_is_thrown_away() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let jetstream = bench.backbone.bus.jetstream();
    let sent = jetstream.publish("jobs.scan.medium", "not a pointer".into()).await.unwrap();
    let sequence = sent.await.unwrap().sequence;
    let _worker = bench.work(act(|job| async move { finish(&job).await }.boxed()), brisk("worker"));
    let gone = || async { !bench.backbone.jobs.holds(sequence).await.unwrap() };
    wait_until("the message is gone", gone).await;
    let job = bench.request(bench.org, website()).await;
    assert!(completed(&bench.wait_for_end(&job).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_or_stream_that_is_lost_is_made_again() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    bench.sweep();
    let _worker = bench.work(act(|job| async move { finish(&job).await }.boxed()), brisk("worker"));
    let first = bench.request(bench.org, website()).await;
    assert!(completed(&bench.wait_for_end(&first).await));
    let jetstream = bench.backbone.bus.jetstream();
    jetstream.delete_consumer_from_stream("scan", "JOBS").await.unwrap();
    let second = bench.request(bench.org, website()).await;
    assert!(completed(&bench.wait_for_end(&second).await));
    jetstream.delete_stream("JOBS").await.unwrap();
    let third = bench.request(bench.org, website()).await;
    assert!(completed(&bench.wait_for_end(&third).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_without_a_database_stops_its_job() {
    let mut postgres = testkit::postgres().await;
    let bench = Bench::start_on(&postgres).await;
    bench.dispatch(dispatcher::Options::default());
    bench.sweep();
    let (stopped, mut stops) = mpsc::channel(1);
    let work = move |job: JobContext| {
        let stopped = stopped.clone();
        async move {
            if job.attempt > 1 {
                return finish(&job).await;
            }
            job.cancel.cancelled().await;
            stopped.send(()).await.unwrap();
            Ok(())
        }
        .boxed()
    };
    let _worker = bench.work(act(work), brisk("worker"));
    let job = bench.request(bench.org, website()).await;
    bench.wait_for(&job, started(1)).await;
    postgres.kill().await;
    tokio::time::timeout(PATIENCE, stops.recv()).await.unwrap().unwrap();
    postgres.restart().await;
    let events = bench.wait_for_end(&job).await;
    assert!(completed(&events));
    assert_eq!(reasons(&events), ["its worker gave no more sign of life"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_writes_says_for_whom_and_because_of_what() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    let user = Actor::User(UserId::from_uuid(SystemClock.new_id()));
    let _worker = bench.work(act(|job| async move { finish(&job).await }.boxed()), brisk("one"));
    let job = bench.request_as(user.clone(), website()).await;
    bench.wait_for_end(&job).await;
    let recorded = bench.recorded(&job).await;
    let (requested, work) = recorded.split_first().unwrap();
    assert_eq!(requested.actor, user.to_string());
    assert!(work.len() >= 4, "{work:?}");
    for event in work {
        assert_eq!(event.actor, "system:worker");
        assert_eq!(event.metadata["on_behalf_of"], user.to_string());
        assert_eq!(event.causation_id, Some(requested.event_id));
        assert_eq!(event.correlation_id, requested.correlation_id);
    }
}
