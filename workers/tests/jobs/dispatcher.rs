use std::collections::BTreeSet;
use std::time::Duration;

use domain::ids::OrganizationId;
use domain::jobs::JobKind;
use futures::{FutureExt, StreamExt, stream};
use journal::jobs::JobPointer;
use workers::dispatcher;

use crate::bench::{Bench, act, brisk, finish, wait_until, website};

fn exact() -> dispatcher::Options {
    dispatcher::Options { ahead_percent: 0, ..dispatcher::Options::default() }
}

async fn released(bench: &Bench) -> i64 {
    bench.count("SELECT count(*) FROM job_releases WHERE stream_sequence IS NOT NULL").await
}

async fn request_many(bench: &Bench, org: OrganizationId, count: usize) -> Vec<String> {
    let requests = stream::iter(0..count).map(|_| bench.request(org, website()));
    requests.buffered(64).collect().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noisy_organisation_does_not_starve_another() {
    let bench = Bench::start().await;
    let noisy = bench.org;
    let quiet = OrganizationId::from_uuid(bench.backbone.journal.clock().new_id());
    request_many(&bench, noisy, 1000).await;
    bench.dispatch(dispatcher::Options::default());
    let work = |job: workers::runtime::JobContext| {
        async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            finish(&job).await
        }
        .boxed()
    };
    let _worker = bench.work(act(work), brisk("worker"));
    let done = "SELECT count(*) FROM events WHERE event_type = 'scan.completed' AND org_id = ";
    let done = |org: OrganizationId| format!("{done}'{}'", org.uuid());
    let busy = || async { bench.count(&done(noisy)).await >= 20 };
    wait_until("the noisy organisation is being served", busy).await;
    let before = bench.count(&done(noisy)).await;
    for job in request_many(&bench, quiet, 10).await {
        bench.wait_for_end(&job).await;
    }
    let meanwhile = bench.count(&done(noisy)).await - before;
    // Fair turns give each side about half; a queue in order of arrival would give 980 to one.
    assert!(meanwhile < 100, "{meanwhile} jobs of the noisy organisation went first");
    assert!(bench.count(&done(noisy)).await < 1000, "nothing was left to wait for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_waiting_jobs_do_not_slow_a_release() {
    let bench = Bench::start().await;
    let quiet = bench.request(bench.org, website()).await;
    bench.settle().await;
    let queue = bench.queue().await.unwrap();
    let copy = format!(
        "INSERT INTO {queue} SELECT (json_populate_record(q, json_build_object(
             'job_id', 'scan_' || n, 'org_id', gen_random_uuid(), 'queued_position', -n))).*
         FROM {queue} q, generate_series(1, $1) n"
    );
    sqlx::query(&copy).bind(20).execute(bench.pool()).await.unwrap();
    let noisy = format!(
        "INSERT INTO {queue} SELECT (json_populate_record(q, json_build_object(
             'job_id', 'scan_noisy_' || n, 'org_id', '00000000-0000-0000-0000-000000000000',
             'queued_position', -n))).*
         FROM {queue} q, generate_series(1, 100000) n WHERE q.job_id = $1"
    );
    sqlx::query(&noisy).bind(&quiet).execute(bench.pool()).await.unwrap();
    sqlx::query(&format!("ANALYZE {queue}")).execute(bench.pool()).await.unwrap();
    bench.pretend_slots(44).await;
    bench.dispatch(exact());
    wait_until("everybody has had a turn", || async { released(&bench).await == 31 }).await;
    let sql = format!("SELECT count(*) FROM job_releases WHERE job_id = '{quiet}'");
    assert_eq!(bench.count(&sql).await, 1);
    let noisy = "SELECT count(*) FROM job_releases WHERE job_id LIKE 'scan_noisy_%'";
    assert_eq!(bench.count(noisy).await, 10, "the limit of one organisation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_dispatchers_release_once() {
    let bench = Bench::start().await;
    let all = dispatcher::Options { per_organization: 1000, ..exact() };
    bench.dispatch(all);
    bench.dispatch(all);
    bench.pretend_slots(1000).await;
    let requested = request_many(&bench, bench.org, 300).await;
    let published = || async { released(&bench).await == 300 };
    wait_until("all jobs are released", published).await;
    let again = bench.count("SELECT count(*) FROM job_releases WHERE release > 1").await;
    assert_eq!(again, 0);
    let consumer = bench.backbone.jobs.consumer(JobKind::Scan, Duration::from_secs(30), 1000).await;
    let messages = consumer.unwrap().fetch().max_messages(1000).messages().await.unwrap();
    let pointers = messages.map(|message| {
        let pointer: JobPointer = serde_json::from_slice(&message.unwrap().payload).unwrap();
        pointer.job
    });
    let pointers: Vec<String> = pointers.collect().await;
    assert_eq!(pointers.len(), 300);
    assert_eq!(BTreeSet::from_iter(pointers), BTreeSet::from_iter(requested));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn priorities_come_first() {
    let bench = Bench::start().await;
    let jobs = request_many(&bench, bench.org, 5).await;
    bench.settle().await;
    let queue = bench.queue().await.unwrap();
    // Every kind there is has the same priority, so the queue is told that one of them differs.
    for (job, rank) in [(&jobs[0], 2_i16), (&jobs[4], 0)] {
        let sql = format!("UPDATE {queue} SET rank = $1 WHERE job_id = $2");
        sqlx::query(&sql).bind(rank).bind(job).execute(bench.pool()).await.unwrap();
    }
    let other = OrganizationId::from_uuid(bench.backbone.journal.clock().new_id());
    bench.request(other, website()).await;
    bench.settle().await;
    bench.pretend_slots(1).await;
    bench.dispatch(exact());
    wait_until("one job is released", || async { released(&bench).await == 1 }).await;
    let first: String = sqlx::query_scalar("SELECT job_id FROM job_releases")
        .fetch_one(bench.pool())
        .await
        .unwrap();
    assert_eq!(first, jobs[4], "the high priority, though it came last");
    sqlx::query("UPDATE worker_slots SET slots = 5").execute(bench.pool()).await.unwrap();
    wait_until("five jobs are released", || async { released(&bench).await == 5 }).await;
    let low = format!("SELECT count(*) FROM job_releases WHERE job_id = '{}'", jobs[0]);
    assert_eq!(bench.count(&low).await, 0, "the low priority waits, though it came first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_released_beyond_the_slots() {
    let bench = Bench::start().await;
    request_many(&bench, bench.org, 9).await;
    bench.settle().await;
    bench.dispatch(dispatcher::Options { per_organization: 4, ..dispatcher::Options::default() });
    bench.pretend_slots(2).await;
    wait_until("a little more than the slots", || async { released(&bench).await == 3 }).await;
    sqlx::query("UPDATE worker_slots SET slots = 100").execute(bench.pool()).await.unwrap();
    wait_until("the limit of the organisation", || async { released(&bench).await == 4 }).await;
    let other = OrganizationId::from_uuid(bench.backbone.journal.clock().new_id());
    bench.request(other, website()).await;
    wait_until("the next look at the queue", || async { released(&bench).await == 5 }).await;
    let own = format!("SELECT count(*) FROM job_releases WHERE org_id = '{}'", bench.org.uuid());
    assert_eq!(bench.count(&own).await, 4);
}
