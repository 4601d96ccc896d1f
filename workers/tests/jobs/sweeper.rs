use std::collections::BTreeMap;

use domain::{
    Pii,
    ids::{ApiKeyId, OrganizationId, UserId},
    jobs::{JobKind, Priority},
    organizations::{KeyTerms, Organization, OrganizationCommand, Settings},
    scans::{ScanCommand, ScanEvent},
    users::{Join, NewIdentity, User, UserCommand, own_organization},
};
use futures::FutureExt;
use journal::{Actor, Context, jobs::JobPointer};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_read_does_not_stop_the_repair_of_others() {
    let bench = Bench::start().await;
    let broken = bench.request(bench.org, website()).await;
    let sound = bench.request(bench.org, website()).await;
    assert!(broken < sound, "the broken one comes first");
    for job in [&broken, &sound] {
        let clock = bench.backbone.journal.clock();
        let (fence, now) = (clock.new_id(), clock.now());
        let worker = "a worker without a lease".to_owned();
        let start = ScanCommand::StartAttempt { attempt: 1, fence, worker, now };
        bench.tell(bench.org, job, start).await;
    }
    bench.append(&broken, 2, "scan.exploded", &BTreeMap::from([("type", "exploded")])).await;
    bench.sweep();
    bench.wait_for(&sound, |event| matches!(event, ScanEvent::Requeued { .. })).await;
}

/// The clocks of workers need not agree with that of the database, nor with each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_is_overdue_by_the_time_it_was_held_and_not_by_its_workers_clock() {
    let bench = Bench::start().await;
    let clock = bench.backbone.journal.clock();
    let behind = bench.request(bench.org, website()).await;
    let overdue = bench.request(bench.org, website()).await;
    for (job, started, held) in
        [(&behind, chrono::TimeDelta::hours(2), 0), (&overdue, chrono::TimeDelta::zero(), 2)]
    {
        let fence = clock.new_id();
        let lease = "INSERT INTO job_leases (fence, job_id, kind, worker, taken_at, expires_at)
                     VALUES ($1, $2, 'scan', 'w', now() - make_interval(hours => $3),
                             now() + '1 hour')";
        let taken = sqlx::query(lease).bind(fence).bind(job).bind(held);
        taken.execute(bench.pool()).await.unwrap();
        let (worker, now) = ("w".to_owned(), clock.now() - started);
        bench
            .tell(bench.org, job, ScanCommand::StartAttempt { attempt: 1, fence, worker, now })
            .await;
    }
    bench.settle().await;
    bench.sweep();
    // It comes after the other one in the order of the look.
    assert!(behind < overdue);
    bench.wait_for(&overdue, |event| matches!(event, ScanEvent::Failed { .. })).await;
    let events = bench.events(&behind).await;
    assert!(matches!(events.last(), Some(ScanEvent::AttemptStarted { .. })), "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_message_is_found_behind_many_that_are_not() {
    let bench = Bench::start().await;
    let pointer = JobPointer { job: "kept".to_owned(), attempt: 1 };
    let jobs = &bench.backbone.jobs;
    let kept = jobs.publish(JobKind::Scan, Priority::Medium, &pointer, 1).await.unwrap();
    let job = bench.request(bench.org, website()).await;
    let releases = "INSERT INTO job_releases
                    SELECT CASE n WHEN 700 THEN $1 ELSE 'kept_' || n END, 1, 'scan', 1, $2, 1, now(),
                           CASE n WHEN 700 THEN $3 + 1000 ELSE $3 END,
                           now() - interval '1 day' + n * interval '1 second'
                    FROM generate_series(1, 700) n";
    sqlx::query(releases)
        .bind(&job)
        .bind(bench.org.uuid())
        .bind(kept as i64)
        .execute(bench.pool())
        .await
        .unwrap();
    bench.sweep();
    let sql = format!("SELECT count(*) FROM job_releases WHERE job_id = '{job}' AND release = 2");
    wait_until("the job is released again", || async { bench.count(&sql).await == 1 }).await;
    assert_eq!(bench.count("SELECT count(*) FROM job_releases WHERE release > 1").await, 1);
}

/// Somebody with an account, and a key that they issued.
struct Somebody {
    user: UserId,
    key: ApiKeyId,
}

impl Bench {
    async fn commands<A: domain::Decide>(
        &self,
        org: OrganizationId,
        id: &str,
        command: A::Command,
    ) {
        let journal = &self.backbone.journal;
        let context = Context::new(org, Actor::Operator, journal.clock().new_id());
        journal.execute::<A>(&context, id, command).await.unwrap();
    }

    async fn organization(&self, org: OrganizationId, command: OrganizationCommand) {
        self.commands::<Organization>(org, &org.to_string(), command).await;
    }

    async fn user(&self, user: UserId, command: UserCommand) {
        self.commands::<User>(own_organization(user), &user.to_string(), command).await;
    }

    async fn somebody(&self, name: &str) -> Somebody {
        let clock = self.backbone.journal.clock();
        let user = UserId::from_uuid(clock.new_id());
        let plain = |text: String| Pii::plain(text);
        let identity = NewIdentity {
            provider: "id".to_owned(),
            issuer: "https://id.example".to_owned(),
            subject: plain(name.to_owned()),
            identity_index: name.to_owned(),
            email: None,
        };
        let join = Join {
            user_id: user,
            email: plain(format!("{name}@example.org")),
            email_index: name.to_owned(),
            name: None,
            identity,
        };
        self.user(user, UserCommand::Join(Box::new(join), clock.now())).await;
        let own = OrganizationId::from_uuid(clock.new_id());
        let settings = Settings { name: name.to_owned(), slug: name.to_owned(), logo_url: None };
        let found = OrganizationCommand::Found { settings, founder: user, now: clock.now() };
        self.organization(own, found).await;
        let key = ApiKeyId::from_uuid(clock.new_id());
        let terms = KeyTerms { issuer: Some(user), ..KeyTerms::everything(name) };
        let secret_hash = format!("{:0>64}", key.uuid().simple());
        let now = clock.now();
        let command = OrganizationCommand::IssueApiKey { key_id: key, secret_hash, terms, now };
        self.organization(own, command).await;
        Somebody { user, key }
    }

    async fn is_cancelled(&self, job: &str) -> bool {
        matches!(self.events(job).await.last(), Some(ScanEvent::Cancelled { .. }))
    }
}

/// As a front end leaves it that dies between the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_suspended_is_cancelled_though_nobody_asked_twice() {
    let bench = Bench::start().await;
    let clock = bench.backbone.journal.clock().clone();
    let create = |slug: &str| OrganizationCommand::Create {
        name: "Acme".to_owned(),
        slug: slug.to_owned(),
        now: clock.now(),
    };
    bench.organization(bench.org, create("acme")).await;
    let other = OrganizationId::from_uuid(clock.new_id());
    bench.organization(other, create("other")).await;
    let [ada, bob, eve] =
        [bench.somebody("ada").await, bench.somebody("bob").await, bench.somebody("eve").await];
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for person in [&ada, &bob, &eve] {
        for actor in [Actor::User(person.user), Actor::ApiKey(person.key)] {
            let jobs = if person.user == ada.user { &mut gone } else { &mut kept };
            jobs.push(bench.request_as(actor, website()).await);
        }
    }
    gone.push(bench.request(other, website()).await);
    let running = bench.request_as(Actor::User(ada.user), website()).await;
    let (fence, now) = (clock.new_id(), clock.now());
    let lease = "INSERT INTO job_leases (fence, job_id, kind, worker, taken_at, expires_at)
                 VALUES ($1, $2, 'scan', 'w', now(), now() + '1 hour')";
    sqlx::query(lease).bind(fence).bind(&running).execute(bench.pool()).await.unwrap();
    let start = ScanCommand::StartAttempt { attempt: 1, fence, worker: "w".to_owned(), now };
    bench.tell(bench.org, &running, start).await;

    let suspend = |user| {
        let command = UserCommand::Suspend { reason: Pii::plain("spam".to_owned()), now };
        bench.user(user, command)
    };
    suspend(ada.user).await;
    suspend(eve.user).await;
    bench.user(eve.user, UserCommand::Unsuspend { now }).await;
    let reason = "spam".to_owned();
    bench.organization(other, OrganizationCommand::Suspend { reason, now }).await;
    bench.sweep();
    for job in &gone {
        wait_until("what waits is cancelled", || bench.is_cancelled(job)).await;
        let last = bench.recorded(job).await.pop().unwrap();
        assert_eq!(last.actor, "system:sweeper");
    }
    // A look after all of that has gone by, too.
    let late = bench.request_as(Actor::ApiKey(ada.key), website()).await;
    wait_until("what comes late is cancelled", || bench.is_cancelled(&late)).await;
    for job in kept.iter().chain([&running]) {
        let events = bench.events(job).await;
        assert!(
            matches!(
                events.last(),
                Some(ScanEvent::Requested { .. } | ScanEvent::AttemptStarted { .. })
            ),
            "{events:?}"
        );
    }
}
