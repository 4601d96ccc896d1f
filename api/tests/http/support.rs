use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use api::{
    ApiState, Options, keys,
    limits::{GuessOptions, LimitOptions, Quota},
};
use domain::{
    Decide, Service,
    ids::{ApiKeyId, OrganizationId, ScanId},
    organizations::{KeyTerms, Organization, OrganizationCommand},
    scans::{
        Engine, EngineOutcome, Finding, FindingStatus, Location, Profile, RepositorySource, Scan,
        ScanCommand, Severity, Target, Warning,
    },
};
use journal::{
    Actor, Bus, BusOptions, Clock, Committed, Context, Journal, LogArchive, LogStream, SystemClock,
    jobs::JobStream,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use object_store::memory::InMemory;
use projections::{RunOptions, Views, organizations};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use testkit::{TestDatabase, TestNats};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// For tests that are not about them.
pub fn no_limits() -> LimitOptions {
    let plenty = Quota::per_minute(10_000_000);
    LimitOptions {
        user: plenty,
        address: plenty,
        key: plenty,
        login: plenty,
        login_begin: plenty,
        sign_up: plenty,
        reset: plenty,
        invite: plenty,
        ai: plenty,
        guesses: GuessOptions { free: 1000, free_of_address: 1000, ..GuessOptions::default() },
        ..LimitOptions::default()
    }
}

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running front end with one organisation and its key.
pub struct Server {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub journal: Journal,
    pub logs: LogStream,
    pub archive: LogArchive,
    pub owner: Tenant,
    pub stop: CancellationToken,
    pub served: tokio::task::JoinHandle<()>,
    views: Views,
    options: Options,
    _stop: tokio_util::sync::DropGuard,
    backing: Backing,
}

/// What the replicas of an installation share.
#[derive(Clone)]
struct Backing {
    database: Arc<TestDatabase>,
    nats: Arc<TestNats>,
    archive: LogArchive,
    master: u8,
}

#[derive(Clone)]
pub struct Tenant {
    pub org: OrganizationId,
    pub key_id: ApiKeyId,
    pub key: String,
}

#[must_use]
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of the problem that the answer is.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for field in ["type", "title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        problem["code"].as_str().unwrap().to_owned()
    }

    pub fn position(&self) -> u64 {
        self.header("millrace-position").parse().unwrap()
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        Self::with_master(options, 1).await
    }

    /// An installation with a master key of its own. It has no limits but those it is given.
    pub async fn with_master(mut options: Options, master: u8) -> Self {
        if options.limits == LimitOptions::default() {
            options.limits = no_limits();
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (database, nats) = tokio::join!(testkit::database(), testkit::nats());
        let pool = database.pool();
        journal::migrate(&pool).await.unwrap();
        let (database, nats) = (Arc::new(database), Arc::new(nats));
        projections::prepare(&pool).await.unwrap();
        let archive = LogArchive::new(Arc::new(InMemory::new()));
        let backing = Backing { database, nats, archive, master };
        let server = Self::serve(backing, options, None).await;
        let running = projections::run(
            server.journal.clone(),
            server.views.clone(),
            RunOptions::default(),
            server.stop.clone(),
        );
        tokio::spawn(running);
        server.until_known().await;
        server
    }

    /// Another front end of the same installation. It keeps no views up to date.
    pub async fn replica(&self) -> Self {
        self.replica_with(self.options.clone()).await
    }

    pub async fn replica_with(&self, options: Options) -> Self {
        Self::serve(self.backing.clone(), options, Some(self.owner.clone())).await
    }

    async fn serve(backing: Backing, options: Options, owner: Option<Tenant>) -> Self {
        let (pool, stop) = (backing.database.pool(), CancellationToken::new());
        let (journal, _appender) = Journal::open_with_keys(
            pool.clone(),
            Arc::new(SystemClock),
            ring(backing.master),
            stop.clone(),
        )
        .await
        .unwrap();
        let bus = Bus::connect(BusOptions {
            url: backing.nats.url().to_owned(),
            prefix: String::new(),
            replicas: 1,
            name: "api test".to_owned(),
        })
        .await
        .unwrap();
        let views = Views::new(pool);
        let logs = LogStream::open(&bus).await.unwrap();
        let archive = backing.archive.clone();
        let state = ApiState {
            journal: journal.clone(),
            views: views.clone(),
            logs: logs.clone(),
            archive: archive.clone(),
            jobs: JobStream::open(&bus).await.unwrap(),
            bus,
            metrics: metrics_of_the_process(),
            random,
            trace_link: None,
            checks: Vec::new(),
            options: options.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(api::serve(state, listener, stop.clone()));
        let owner = match owner {
            Some(owner) => owner,
            None => tenant(&journal, "owner", false).await,
        };
        Self {
            address,
            client: reqwest::Client::new(),
            journal,
            views,
            logs,
            archive,
            owner,
            options,
            served,
            _stop: stop.clone().drop_guard(),
            stop,
            backing,
        }
    }

    pub async fn another_tenant(&self) -> Tenant {
        let tenant = tenant(&self.journal, "other", false).await;
        self.until_known().await;
        tenant
    }

    /// Until the view holds everything that is in the log.
    pub async fn until_known(&self) {
        let head = self.journal.head().await.unwrap();
        self.views.open(organizations::NAME, Some(head), PATIENCE).await.unwrap();
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request without a key.
    pub fn bare(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.bare(method, path).bearer_auth(&self.owner.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(&self.owner, path).await
    }

    pub async fn get_as(&self, tenant: &Tenant, path: &str) -> Answer {
        send(self.bare(Method::GET, path).bearer_auth(&tenant.key)).await
    }

    pub async fn post_as(&self, tenant: &Tenant, path: &str) -> Answer {
        send(self.bare(Method::POST, path).bearer_auth(&tenant.key)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(with_json(self.request(Method::POST, path), body)).await
    }

    /// A read that has seen everything that is in the log.
    pub async fn fresh(&self, path: &str) -> Answer {
        let head = self.journal.head().await.unwrap();
        send(self.request(Method::GET, path).header("millrace-min-position", head)).await
    }

    pub async fn command(&self, tenant: &Tenant, id: ScanId, command: ScanCommand) -> Committed {
        let is_worker = Scan::serves(Service::Worker, &command);
        let actor =
            if is_worker { Actor::System(Service::Worker) } else { Actor::ApiKey(tenant.key_id) };
        let context = Context::new(tenant.org, actor, SystemClock.new_id());
        self.journal.execute::<Scan>(&context, &id.to_string(), command).await.unwrap()
    }

    /// A scan that waits in the queue.
    pub async fn queued(&self, tenant: &Tenant) -> ScanId {
        let id = ScanId::from_uuid(SystemClock.new_id());
        let source = RepositorySource::Url("https://example.org/a.git".to_owned());
        let command = ScanCommand::Request {
            target: Target::Repository { source },
            engines: Some(vec![Engine::Secrets]),
            profile: Profile::Quick,
            now: SystemClock.now(),
        };
        self.command(tenant, id, command).await;
        id
    }

    /// A scan whose only engine runs.
    pub async fn running(&self, tenant: &Tenant) -> (ScanId, Uuid) {
        let (id, fence) = (self.queued(tenant).await, SystemClock.new_id());
        let (engine, now) = (Engine::Secrets, SystemClock.now());
        let worker = "test".to_owned();
        self.command(tenant, id, ScanCommand::StartAttempt { attempt: 1, fence, worker, now })
            .await;
        self.command(tenant, id, ScanCommand::StartEngine { fence, engine, now }).await;
        (id, fence)
    }

    /// A scan that ended with these findings.
    pub async fn completed(
        &self,
        tenant: &Tenant,
        findings: Vec<Finding>,
        outcome: EngineOutcome,
        warnings: Vec<Warning>,
    ) -> ScanId {
        let (id, fence) = self.running(tenant).await;
        let engine = Engine::Secrets;
        for (batch, findings) in (0..).zip(findings.chunks(200)) {
            let findings = findings.to_vec();
            let command = ScanCommand::RecordFindings { fence, engine, batch, findings };
            self.command(tenant, id, command).await;
        }
        let (summary, now) = ("7 files".to_owned(), SystemClock.now());
        let command = ScanCommand::FinishEngine { fence, engine, outcome, warnings, summary, now };
        self.command(tenant, id, command).await;
        self.command(tenant, id, ScanCommand::Complete { fence, now }).await;
        id
    }
}

fn ring(master: u8) -> vault::KeyRing {
    vault::KeyRing::new([vault::Key::from_slice(&[master; 32]).unwrap()]).unwrap()
}

/// There is one recorder in a process, whichever test comes first.
fn metrics_of_the_process() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || PrometheusBuilder::new().install_recorder().unwrap();
    HANDLE.get_or_init(install).clone()
}

pub fn with_json(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = soon(request.send()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = soon(response.text()).await.unwrap();
    Answer { status, headers, text }
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(PATIENCE, future).await;
    output.unwrap_or_else(|_| panic!("it did not happen within {PATIENCE:?}"))
}

fn random() -> [u8; 32] {
    let mut random = [0; 32];
    random[..16].copy_from_slice(SystemClock.new_id().as_bytes());
    random[16..].copy_from_slice(SystemClock.new_id().as_bytes());
    random
}

pub async fn tenant(journal: &Journal, slug: &str, platform: bool) -> Tenant {
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let (id, key_id) = (org.to_string(), ApiKeyId::from_uuid(SystemClock.new_id()));
    let (key, now) = (keys::generate(random()), SystemClock.now());
    let context = Context::new(org, Actor::Operator, SystemClock.new_id());
    let create = OrganizationCommand::Create { name: slug.to_owned(), slug: slug.to_owned(), now };
    journal.execute::<Organization>(&context, &id, create).await.unwrap();
    let secret_hash = keys::hash_hex(&key);
    let terms = KeyTerms { platform, ..KeyTerms::everything("test") };
    let issue = OrganizationCommand::IssueApiKey { key_id, secret_hash, terms, now };
    journal.execute::<Organization>(&context, &id, issue).await.unwrap();
    Tenant { org, key_id, key }
}

pub fn finding(number: u32, severity: Severity) -> Finding {
    Finding {
        rule_id: format!("secrets.rule-{}", number % 7),
        title: format!("Finding {number}"),
        description: "What it is.".to_owned(),
        severity,
        cvss: None,
        cwe: vec![798],
        location: Location::File {
            path: format!("src/file {number}.rs"),
            line: Some(number + 1),
            column: None,
            commit: None,
        },
        evidence: Some("AKIA****".to_owned()),
        fix: Some("Revoke it.".to_owned()),
        references: vec!["https://example.org/rule".to_owned()],
        aliases: Vec::new(),
        package: None,
        status: FindingStatus::Open,
        fingerprint: format!("{number:032x}"),
    }
}

pub fn website() -> Value {
    json!({ "target": { "kind": "website", "url": "https://example.org/" } })
}
