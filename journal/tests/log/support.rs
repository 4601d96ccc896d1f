use std::{sync::Arc, time::Duration};

use domain::{
    ids::{ApiKeyId, OrganizationId},
    organizations::{KeyTerms, Organization, OrganizationCommand, OrganizationError},
};
use journal::{
    Actor, AppendError, AppendRequest, Appended, Clock, Committed, Context, ExecuteError, Journal,
    NewEvent, SystemClock,
};
use serde_json::value::RawValue;
use sqlx::PgPool;
use testkit::TestDatabase;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// A log in a database of its own.
pub struct Log {
    pub journal: Journal,
    pub pool: PgPool,
    stop: CancellationToken,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
    _database: TestDatabase,
}

impl Log {
    pub async fn open() -> Self {
        let database = testkit::database().await;
        let pool = database.pool();
        journal::migrate(&pool).await.unwrap();
        let stop = CancellationToken::new();
        let (journal, task) =
            Journal::open(pool.clone(), Arc::new(SystemClock), stop.clone()).await.unwrap();
        Self { journal, pool, stop, task: Some(task).into(), _database: database }
    }

    /// One that can hold personal data.
    pub async fn with_keys(ring: vault::KeyRing) -> Self {
        let mut log = Self::open().await;
        log.journal = log.second_process_with_keys(ring).await;
        log
    }

    pub async fn second_process_with_keys(&self, ring: vault::KeyRing) -> Journal {
        self.try_second_process(ring).await.unwrap()
    }

    pub async fn try_second_process(
        &self,
        ring: vault::KeyRing,
    ) -> Result<Journal, journal::PersonalError> {
        let clock = Arc::new(SystemClock);
        let opened = Journal::open_with_keys(self.pool.clone(), clock, ring, self.stop.clone());
        Ok(opened.await?.0)
    }

    /// Another process on the same log: an appender and a cache of its own.
    pub async fn second_process(&self) -> Journal {
        let (journal, _task) =
            Journal::open(self.pool.clone(), Arc::new(SystemClock), self.stop.clone())
                .await
                .unwrap();
        journal
    }

    pub fn stop(&self) -> JoinHandle<()> {
        self.stop.cancel();
        self.task.lock().unwrap().take().unwrap()
    }

    pub fn spawn_append(
        &self,
        request: AppendRequest,
    ) -> JoinHandle<Result<Appended, AppendError>> {
        let journal = self.journal.clone();
        tokio::spawn(async move { journal.append_request(request).await })
    }

    /// Until the appender waits for the lock that the test holds.
    pub async fn wait_for_blocked_backend(&self) {
        let blocked = async {
            while self.blocked_backends().await == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soon(blocked).await;
    }

    async fn blocked_backends(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// Until every spawned append has handed its request over. Spawned tasks of the test's own
    /// single-threaded runtime run in order, so one turn of each is enough.
    pub async fn wait_until_queued(&self) {
        tokio::spawn(async {}).await.unwrap();
        self.wait_for_blocked_backend().await;
    }

    /// Until a snapshot of at least this sequence is saved; gives its sequence.
    pub async fn wait_for_snapshot(&self, id: &str, sequence: i64) -> i64 {
        let saved = async {
            loop {
                let saved: Option<i64> =
                    sqlx::query_scalar("SELECT sequence FROM snapshots WHERE aggregate_id = $1")
                        .bind(id)
                        .fetch_optional(&self.pool)
                        .await
                        .unwrap();
                match saved {
                    Some(saved) if saved >= sequence => return saved,
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        soon(saved).await
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(PATIENCE, future).await;
    output.unwrap_or_else(|_| panic!("it did not happen within {PATIENCE:?}"))
}

pub fn context(org: OrganizationId) -> Context {
    Context::new(org, Actor::Operator, SystemClock.new_id())
}

pub async fn create(
    journal: &Journal,
    org: OrganizationId,
    slug: &str,
) -> Result<Committed, ExecuteError<OrganizationError>> {
    let command = OrganizationCommand::Create {
        name: slug.to_owned(),
        slug: slug.to_owned(),
        now: SystemClock.now(),
    };
    journal.execute::<Organization>(&context(org), &org.to_string(), command).await
}

pub fn issue_key(key_id: ApiKeyId) -> OrganizationCommand {
    OrganizationCommand::IssueApiKey {
        key_id,
        secret_hash: "00".repeat(32),
        terms: KeyTerms::everything("a key"),
        now: SystemClock.now(),
    }
}

/// One event for a stream of the aggregate type `organization`.
pub fn request(org: OrganizationId, id: &str, expected_version: u64) -> AppendRequest {
    let payload = r#"{"type":"created","name":"n","slug":"s","created_at":"2026-01-01T00:00:00Z"}"#;
    AppendRequest {
        org,
        aggregate_type: "organization",
        aggregate_id: id.to_owned(),
        expected_version,
        events: vec![NewEvent {
            event_id: SystemClock.new_id(),
            event_type: "organization.created".into(),
            event_version: "1".into(),
            payload: RawValue::from_string(payload.into()).unwrap(),
        }],
        claims: Vec::new(),
        idempotency: None,
        command_id: SystemClock.new_id(),
        correlation_id: SystemClock.new_id(),
        causation_id: None,
        actor: "operator".into(),
        metadata: Default::default(),
    }
}
