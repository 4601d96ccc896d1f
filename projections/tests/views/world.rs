//! A log of its own, with or without a projector, and events to put into it.

use std::{sync::Arc, time::Duration};

use cqrs_es::DomainEvent;
use domain::{
    Timestamp,
    ids::{OrganizationId, ScanId},
    scans::{
        Engine, EngineOutcome, Finding, FindingStatus, Location, Profile, RepositorySource,
        ScanEvent, Severity, SeverityCounts, TYPE, Target,
    },
};
use journal::{AppendRequest, Journal, NewEvent, SystemClock};
use projections::{RunOptions, TenantScope, View, Views};
use serde_json::value::RawValue;
use sqlx::PgPool;
use testkit::TestDatabase;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const LONG: Duration = Duration::from_secs(10);

pub struct World {
    database: TestDatabase,
    pub journal: Journal,
    pub views: Views,
}

/// A running projector; it ends when it is stopped or with its test.
pub struct Projector {
    stop: CancellationToken,
    task: JoinHandle<Result<(), sqlx::Error>>,
}

impl World {
    /// Without a projector.
    pub async fn new() -> Self {
        let database = testkit::database().await;
        journal::migrate(&database.pool()).await.unwrap();
        let journal = open(&database).await;
        let views = Views::new(database.pool());
        Self { database, journal, views }
    }

    /// With a projector; its views are live already.
    pub async fn projected() -> (Self, Projector) {
        let world = Self::new().await;
        projections::prepare(&world.pool()).await.unwrap();
        let projector = world.projector(RunOptions::default());
        (world, projector)
    }

    pub fn pool(&self) -> PgPool {
        self.database.pool()
    }

    pub fn url(&self) -> &str {
        self.database.url()
    }

    pub fn projector(&self, options: RunOptions) -> Projector {
        let stop = CancellationToken::new();
        let run = projections::run(self.journal.clone(), self.views.clone(), options, stop.clone());
        Projector { stop, task: tokio::spawn(run) }
    }

    /// From now on events are appended as by another process: projectors that run already hear
    /// nothing of it.
    pub async fn append_elsewhere(&mut self) {
        self.journal = open(&self.database).await;
    }

    /// Appends events of one scan whose version is `version`; gives the last position.
    pub async fn append(
        &self,
        org: OrganizationId,
        scan: ScanId,
        version: u64,
        events: &[ScanEvent],
    ) -> u64 {
        let events = events
            .iter()
            .map(|e| (e.event_type(), serde_json::to_string(e).unwrap()))
            .collect::<Vec<_>>();
        self.append_raw(org, TYPE, &scan.to_string(), version, &events).await
    }

    /// The same of any aggregate: types and payloads.
    pub async fn append_raw(
        &self,
        org: OrganizationId,
        aggregate_type: &'static str,
        id: &str,
        version: u64,
        events: &[(String, String)],
    ) -> u64 {
        let fresh = || self.journal.clock().new_id();
        let events = events.iter().map(|(event_type, payload)| NewEvent {
            event_id: fresh(),
            event_type: event_type.clone(),
            event_version: "1".to_owned(),
            payload: RawValue::from_string(payload.clone()).unwrap(),
        });
        let request = AppendRequest {
            org,
            aggregate_type,
            aggregate_id: id.to_owned(),
            expected_version: version,
            events: events.collect(),
            claims: Vec::new(),
            idempotency: None,
            command_id: fresh(),
            correlation_id: fresh(),
            causation_id: None,
            actor: "operator".to_owned(),
            metadata: [("request_id".to_owned(), "r-1".to_owned())].into(),
        };
        self.journal.append_request(request).await.unwrap().last_position
    }

    /// The view once it has reached `position`.
    pub async fn view(&self, name: &'static str, position: u64) -> View {
        let end = tokio::time::Instant::now() + LONG;
        loop {
            match self.views.open(name, Some(position), LONG).await {
                // The projector may not have made the tables yet.
                Err(projections::ViewError::NotBuilt { .. })
                    if tokio::time::Instant::now() < end =>
                {
                    tokio::task::yield_now().await;
                }
                view => return view.unwrap(),
            }
        }
    }

    pub async fn scans(&self, position: u64) -> View {
        self.view(projections::scans::NAME, position).await
    }

    pub async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool()).await.unwrap()
    }

    /// Waits until the query, which gives one boolean, gives true.
    pub async fn until(&self, query: &str) {
        let poll = async {
            while !sqlx::query_scalar::<_, bool>(query).fetch_one(&self.pool()).await.unwrap() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let end = tokio::time::timeout(6 * LONG, poll).await;
        assert!(end.is_ok(), "never true: {query}");
    }
}

impl Projector {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Breaks off in the middle of whatever it does.
    pub fn kill(&self) {
        self.task.abort();
    }
}

async fn open(database: &TestDatabase) -> Journal {
    let stop = CancellationToken::new();
    let (journal, _appender) =
        Journal::open(database.pool(), Arc::new(SystemClock), stop).await.unwrap();
    journal
}

pub fn org(n: u128) -> OrganizationId {
    OrganizationId::from_uuid(Uuid::from_u128(n))
}

pub fn scope(n: u128) -> TenantScope {
    TenantScope(org(n))
}

pub fn scan(n: u128) -> ScanId {
    ScanId::from_uuid(Uuid::from_u128(n))
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub fn requested() -> ScanEvent {
    ScanEvent::Requested {
        target: Target::Repository { source: RepositorySource::Path("/srv/code".to_owned()) },
        engines: vec![Engine::Secrets, Engine::Dependencies],
        profile: Profile::Quick,
        requested_at: at(0),
        deadline_s: 900,
    }
}

pub fn started(attempt: u32) -> ScanEvent {
    ScanEvent::AttemptStarted {
        attempt,
        fence: Uuid::from_u128(u128::from(attempt)),
        worker: "w".to_owned(),
        started_at: at(1),
        deadline: at(901),
    }
}

pub fn engine_started(attempt: u32) -> ScanEvent {
    ScanEvent::EngineStarted { attempt, engine: Engine::Secrets, started_at: at(2) }
}

pub fn found(attempt: u32, batch: u32, findings: Vec<Finding>) -> ScanEvent {
    ScanEvent::FindingsRecorded { attempt, engine: Engine::Secrets, batch, findings }
}

pub fn engine_finished(attempt: u32) -> ScanEvent {
    ScanEvent::EngineFinished {
        attempt,
        engine: Engine::Secrets,
        outcome: EngineOutcome::Completed,
        warnings: Vec::new(),
        finished_at: at(3),
        summary: "12 files".to_owned(),
    }
}

pub fn completed(attempt: u32) -> ScanEvent {
    ScanEvent::Completed {
        attempt,
        counts: SeverityCounts::default(),
        complete: true,
        completed_at: at(4),
    }
}

/// A whole scan with two findings.
pub fn whole_scan(n: u128) -> Vec<ScanEvent> {
    let findings = vec![
        finding(n * 2, Severity::ALL[n as usize % Severity::ALL.len()]),
        finding(n * 2 + 1, Severity::Low),
    ];
    vec![
        requested(),
        started(1),
        engine_started(1),
        found(1, 0, findings),
        engine_finished(1),
        completed(1),
    ]
}

pub fn finding(n: u128, severity: Severity) -> Finding {
    Finding {
        rule_id: "secrets.aws-access-key".to_owned(),
        title: format!("key {n}"),
        description: "A key of a cloud account.".to_owned(),
        severity,
        cvss: None,
        cwe: vec![798],
        location: Location::File {
            path: format!("src/{n}.rs"),
            line: Some(7),
            column: None,
            commit: None,
        },
        evidence: Some("AKIA****".to_owned()),
        fix: None,
        references: Vec::new(),
        aliases: Vec::new(),
        package: None,
        status: FindingStatus::Open,
        fingerprint: format!("{n:032x}"),
    }
}
