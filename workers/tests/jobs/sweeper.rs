use domain::scans::ScanEvent;
use futures::FutureExt;
use workers::dispatcher;

use crate::bench::{Bench, act, brisk, finish, wait_until, website};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_job_message_is_swept() {
    let bench = Bench::start().await;
    bench.dispatch(dispatcher::Options::default());
    bench.pretend_slots(5).await;
    let job = bench.request(bench.org, website()).await;
    let published = |release: i64| {
        let sql = format!(
            "SELECT count(*) FROM job_releases
             WHERE release = {release} AND stream_sequence IS NOT NULL"
        );
        let bench = &bench;
        async move { bench.count(&sql).await == 1 }
    };
    wait_until("the job is released", || published(1)).await;
    let jobs = bench.backbone.bus.jetstream().get_stream("JOBS").await.unwrap();
    jobs.purge().await.unwrap();
    bench.sweep();
    wait_until("the job is released again", || published(2)).await;
    let _worker = bench.work(act(|job| async move { finish(&job).await }.boxed()), brisk("worker"));
    let events = bench.wait_for_end(&job).await;
    assert!(matches!(events.last(), Some(ScanEvent::Completed { attempt: 1, .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_was_never_published_is_taken_up() {
    let bench = Bench::start().await;
    let job = bench.request(bench.org, website()).await;
    bench.settle().await;
    // What a dispatcher leaves that dies before it publishes.
    sqlx::query("INSERT INTO job_releases VALUES ($1, 1, 'scan', 1, $2, 1, now())")
        .bind(&job)
        .bind(bench.org.uuid())
        .execute(bench.pool())
        .await
        .unwrap();
    bench.dispatch(dispatcher::Options::default());
    let _worker = bench.work(act(|job| async move { finish(&job).await }.boxed()), brisk("worker"));
    let events = bench.wait_for_end(&job).await;
    assert!(matches!(events.last(), Some(ScanEvent::Completed { attempt: 1, .. })));
    bench.settle().await;
    let gone = || async { bench.count("SELECT count(*) FROM job_releases").await == 0 };
    wait_until("nothing is left of the release", gone).await;
}
