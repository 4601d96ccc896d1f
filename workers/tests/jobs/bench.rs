use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{OrganizationId, ScanId};
use domain::scans::{
    Engine, EngineOutcome, Profile, RepositorySource, Scan, ScanCommand, ScanEvent, TYPE, Target,
};
use futures::future::BoxFuture;
use journal::jobs::JobStream;
use journal::{
    Actor, Bus, BusOptions, Context, Filter, Journal, LogArchive, LogStream, Recorded, SystemClock,
};
use projections::{RunOptions, Views};
use serde::Serialize;
use sqlx::PgPool;
use testkit::{TestDatabase, TestNats, TestPostgres};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::Backbone;
use workers::runtime::{self, Backoff, Handler, JobContext, JobError};
use workers::{dispatcher, sweeper};

/// More than any step needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A whole installation but for the workers.
pub struct Bench {
    pub backbone: Backbone,
    pub org: OrganizationId,
    pub stop: CancellationToken,
    _database: Option<TestDatabase>,
    _nats: TestNats,
}

/// A running worker.
pub struct Worker {
    pub stop: CancellationToken,
    pub task: JoinHandle<Result<(), runtime::Error>>,
}

impl Bench {
    pub async fn start() -> Self {
        let (database, nats) = tokio::join!(testkit::database(), testkit::nats());
        Self::start_with(database.pool(), Some(database), nats).await
    }

    /// On a Postgres that the test can stop.
    pub async fn start_on(postgres: &TestPostgres) -> Self {
        let pool = PgPool::connect(postgres.url()).await.unwrap();
        Self::start_with(pool, None, testkit::nats().await).await
    }

    async fn start_with(pool: PgPool, database: Option<TestDatabase>, nats: TestNats) -> Self {
        journal::migrate(&pool).await.unwrap();
        let stop = CancellationToken::new();
        let clock = Arc::new(SystemClock);
        let ring = vault::KeyRing::new([vault::Key::from_slice(&[1; 32]).unwrap()]).unwrap();
        let (journal, _appender) =
            Journal::open_with_keys(pool.clone(), clock, ring, CancellationToken::new())
                .await
                .unwrap();
        let bus = Bus::connect(BusOptions {
            url: nats.url().to_owned(),
            prefix: String::new(),
            replicas: 1,
            name: "test".to_owned(),
        })
        .await
        .unwrap();
        let views = Views::new(pool);
        let projector = projections::run(
            journal.clone(),
            views.clone(),
            RunOptions::default(),
            CancellationToken::new(),
        );
        tokio::spawn(projector);
        let backbone = Backbone {
            jobs: JobStream::open(&bus).await.unwrap(),
            logs: LogStream::open(&bus).await.unwrap(),
            archive: LogArchive::new(Arc::new(object_store::memory::InMemory::new())),
            journal,
            bus,
            views,
        };
        let org = OrganizationId::from_uuid(backbone.journal.clock().new_id());
        let bench = Self { backbone, org, stop, _database: database, _nats: nats };
        let built = || async { bench.queue().await.is_some() };
        wait_until("the queue is built", built).await;
        bench
    }

    pub fn pool(&self) -> &PgPool {
        self.backbone.journal.pool()
    }

    pub fn dispatch(&self, options: dispatcher::Options) {
        tokio::spawn(dispatcher::run(self.backbone.clone(), options, self.stop.clone()));
    }

    pub fn sweep(&self) {
        let options = sweeper::Options {
            interval: Duration::from_millis(100),
            release_grace: Duration::from_millis(200),
            ..sweeper::Options::default()
        };
        tokio::spawn(sweeper::run(self.backbone.clone(), options, self.stop.clone()));
    }

    pub fn work(&self, handler: impl Handler, options: runtime::Options) -> Worker {
        let stop = CancellationToken::new();
        let running = runtime::run(self.backbone.clone(), handler, options, stop.clone());
        Worker { stop, task: tokio::spawn(running) }
    }

    /// Slots of a worker that does not exist, so that jobs are released and stay where they are.
    pub async fn pretend_slots(&self, slots: i32) {
        sqlx::query("INSERT INTO worker_slots VALUES ('nobody', 'scan', $1, now() + '1 hour')")
            .bind(slots)
            .execute(self.pool())
            .await
            .unwrap();
    }

    pub async fn request(&self, org: OrganizationId, target: Target) -> String {
        let id = ScanId::from_uuid(self.backbone.journal.clock().new_id()).to_string();
        let now = self.backbone.journal.clock().now();
        let request = ScanCommand::Request { target, engines: None, profile: Profile::Quick, now };
        self.tell(org, &id, request).await;
        id
    }

    /// A scan that somebody asked for.
    pub async fn request_as(&self, actor: Actor, target: Target) -> String {
        let journal = &self.backbone.journal;
        let id = ScanId::from_uuid(journal.clock().new_id()).to_string();
        let now = journal.clock().now();
        let request = ScanCommand::Request { target, engines: None, profile: Profile::Quick, now };
        let context = Context::new(self.org, actor, journal.clock().new_id());
        journal.execute::<Scan>(&context, &id, request).await.unwrap();
        id
    }

    /// A scan whose attempts may only run for so long.
    pub async fn request_with_deadline(&self, target: Target, deadline_s: u32) -> String {
        let journal = &self.backbone.journal;
        let id = ScanId::from_uuid(journal.clock().new_id()).to_string();
        let requested = ScanEvent::Requested {
            engines: target.engines().to_vec(),
            target,
            profile: Profile::Quick,
            requested_at: journal.clock().now(),
            deadline_s,
        };
        self.append(&id, 0, "scan.requested", &requested).await;
        id
    }

    /// Appends an event of a scan that no command would give.
    pub async fn append(&self, id: &str, version: u64, event_type: &str, event: &impl Serialize) {
        let journal = &self.backbone.journal;
        let event = journal::NewEvent {
            event_id: journal.clock().new_id(),
            event_type: event_type.to_owned(),
            event_version: "1".to_owned(),
            payload: serde_json::value::to_raw_value(event).unwrap(),
        };
        let request = journal::AppendRequest {
            org: self.org,
            aggregate_type: TYPE,
            aggregate_id: id.to_owned(),
            expected_version: version,
            events: vec![event],
            claims: Vec::new(),
            idempotency: None,
            command_id: journal.clock().new_id(),
            correlation_id: journal.clock().new_id(),
            causation_id: None,
            actor: "test".to_owned(),
            metadata: Default::default(),
        };
        journal.append_request(request).await.unwrap();
    }

    pub async fn tell(&self, org: OrganizationId, id: &str, command: ScanCommand) {
        let journal = &self.backbone.journal;
        let context = Context::new(org, Actor::Operator, journal.clock().new_id());
        journal.execute::<Scan>(&context, id, command).await.unwrap();
    }

    pub async fn recorded(&self, id: &str) -> Vec<Recorded> {
        let filter = Filter { aggregate: Some((TYPE, id.to_owned())), ..Filter::default() };
        self.backbone.journal.read(0, &filter, 10_000).await.unwrap()
    }

    pub async fn events(&self, id: &str) -> Vec<ScanEvent> {
        let recorded = self.recorded(id).await;
        recorded.iter().flat_map(|event| event.decode_as::<ScanEvent>().unwrap()).collect()
    }

    /// Waits for an event of the job that fits; gives all of its events.
    pub async fn wait_for(&self, id: &str, fits: impl Fn(&ScanEvent) -> bool) -> Vec<ScanEvent> {
        let mut head = self.backbone.journal.watch_head();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                head.borrow_and_update();
                let events = self.events(id).await;
                if events.iter().any(&fits) {
                    return events;
                }
                head.changed().await.unwrap();
            }
        });
        match waited.await {
            Ok(events) => events,
            Err(_) => panic!("waited in vain; the job has {:#?}", self.events(id).await),
        }
    }

    pub async fn wait_for_end(&self, id: &str) -> Vec<ScanEvent> {
        let ends = |event: &ScanEvent| {
            use ScanEvent::{Cancelled, Completed, Failed};
            matches!(event, Completed { .. } | Failed { .. } | Cancelled { .. })
        };
        self.wait_for(id, ends).await
    }

    /// The table of the queue, when it is built.
    pub async fn queue(&self) -> Option<String> {
        let opened = self.backbone.views.open("jobs", None, Duration::ZERO).await.ok()?;
        Some(format!("{}.jobs", opened.schema()))
    }

    /// Waits until the queue shows everything that is in the log.
    pub async fn settle(&self) {
        let head = self.backbone.journal.head().await.unwrap();
        let opened = self.backbone.views.open("jobs", Some(head), Duration::from_secs(10)).await;
        opened.unwrap();
    }

    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn wait_until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let poll = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, poll).await.is_ok(), "waited in vain until {what}");
}

/// As short as a busy machine allows.
pub fn brisk(worker: &str) -> runtime::Options {
    runtime::Options {
        lease: Duration::from_millis(1500),
        drain_grace: Duration::from_millis(100),
        retry: Backoff { first: Duration::from_millis(400), longest: Duration::from_secs(1) },
        chance: || 0.5,
        ..runtime::Options::new(worker.to_owned())
    }
}

pub fn website() -> Target {
    Target::Website { url: "http://127.0.0.1:9/".to_owned() }
}

pub fn repository(path: &Path) -> Target {
    let path = path.to_str().unwrap().to_owned();
    Target::Repository { source: RepositorySource::Path(path) }
}

/// A handler made of a function.
pub struct Act<F>(F);

pub fn act<F>(work: F) -> Act<F>
where
    F: Fn(JobContext) -> BoxFuture<'static, Result<(), JobError>> + Send + Sync + 'static,
{
    Act(work)
}

#[async_trait]
impl<F> Handler for Act<F>
where
    F: Fn(JobContext) -> BoxFuture<'static, Result<(), JobError>> + Send + Sync + 'static,
{
    type Aggregate = Scan;

    async fn run(&self, job: &JobContext) -> Result<(), JobError> {
        (self.0)(job.clone()).await
    }
}

/// Records an empty, good result of a website.
pub async fn finish(job: &JobContext) -> Result<(), JobError> {
    let (fence, engine) = (job.fence, Engine::Website);
    job.execute::<Scan>(ScanCommand::StartEngine { fence, engine, now: job.now() }).await?;
    job.execute::<Scan>(ScanCommand::FinishEngine {
        fence,
        engine,
        outcome: EngineOutcome::Completed,
        warnings: Vec::new(),
        summary: String::new(),
        now: job.now(),
    })
    .await?;
    job.execute::<Scan>(ScanCommand::Complete { fence, now: job.now() }).await
}

/// Whether a process of this machine has the text among its arguments.
pub fn runs(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|words| words.split(|byte| *byte == 0).any(|word| word == marker.as_bytes()))
}
