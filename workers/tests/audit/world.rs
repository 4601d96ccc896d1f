use std::{sync::Arc, time::Duration};

use domain::{
    audit::{Audit, AuditCommand, SINK_TOKEN, SinkFormat},
    ids::{OrganizationId, ScanId, SinkId},
    scans::{Engine, Profile, RepositorySource, Scan, ScanCommand, Target},
};
use journal::{Actor, Clock, Context, Journal, SystemClock};
use outbound::AddressPolicy;
use projections::{RunOptions, Views, audit::Delivery};
use testkit::TestDatabase;
use tokio_util::sync::{CancellationToken, DropGuard};
use workers::{
    audit::{self, Options},
    runtime::Backoff,
};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A log and its views.
pub struct World {
    pub journal: Journal,
    pub views: Views,
    _stop: DropGuard,
    _database: TestDatabase,
}

impl World {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = testkit::database().await;
        let pool = database.pool();
        journal::migrate(&pool).await.unwrap();
        let stop = CancellationToken::new();
        let ring = vault::KeyRing::new([vault::Key::from_slice(&[1; 32]).unwrap()]).unwrap();
        let clock = Arc::new(SystemClock);
        let (journal, _appender) =
            Journal::open_with_keys(pool.clone(), clock, ring, stop.clone()).await.unwrap();
        projections::prepare(&pool).await.unwrap();
        let views = Views::new(pool);
        let options = RunOptions::default();
        tokio::spawn(projections::run(journal.clone(), views.clone(), options, stop.clone()));
        Self { journal, views, _stop: stop.drop_guard(), _database: database }
    }

    /// Sends from now on; it ends with what is given.
    pub fn sender(&self, options: Options) -> DropGuard {
        let stop = CancellationToken::new();
        tokio::spawn(audit::run(self.journal.clone(), self.views.clone(), options, stop.clone()));
        stop.drop_guard()
    }

    fn context(&self, org: OrganizationId) -> Context {
        Context::new(org, Actor::Operator, SystemClock.new_id())
    }

    pub async fn sink(
        &self,
        org: OrganizationId,
        url: &str,
        format: SinkFormat,
        token: Option<&str>,
    ) -> SinkId {
        let sink_id = SinkId::from_uuid(SystemClock.new_id());
        let sealed = token.map(|token| {
            self.journal.seal_value(SINK_TOKEN, &sink_id.to_string(), token.as_bytes()).unwrap()
        });
        let command = AuditCommand::SetSink {
            sink_id,
            url: url.to_owned(),
            format,
            header: "Authorization".to_owned(),
            token: sealed,
            now: SystemClock.now(),
        };
        let context = self.context(org);
        self.journal.execute::<Audit>(&context, &org.to_string(), command).await.unwrap();
        sink_id
    }

    pub async fn scan(&self, org: OrganizationId) -> ScanId {
        let id = ScanId::from_uuid(SystemClock.new_id());
        let source = RepositorySource::Path("/srv/code".to_owned());
        let command = ScanCommand::Request {
            target: Target::Repository { source },
            engines: Some(vec![Engine::Secrets]),
            profile: Profile::Quick,
            now: SystemClock.now(),
        };
        let context = self.context(org);
        self.journal.execute::<Scan>(&context, &id.to_string(), command).await.unwrap();
        id
    }

    /// Until it says of the collector what is asked.
    pub async fn until(&self, sink: SinkId, is: impl Fn(&Delivery) -> bool) -> Delivery {
        soon(async {
            loop {
                let pool = self.journal.pool();
                let states = projections::audit::deliveries(pool, &[sink]).await.unwrap();
                if let Some(state) = states.get(&sink).filter(|state| is(state)) {
                    return state.clone();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

pub fn org() -> OrganizationId {
    OrganizationId::from_uuid(SystemClock.new_id())
}

/// Loopback may be reached, and what fails is tried again soon.
pub fn quick() -> Options {
    let ranges = vec!["127.0.0.0/8".to_owned()];
    let (first, longest) = (Duration::from_millis(20), Duration::from_millis(50));
    Options {
        addresses: AddressPolicy::new(&ranges).unwrap(),
        plain_http: true,
        backoff: Backoff { first, longest },
        idle: Duration::from_millis(20),
        ..Options::default()
    }
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it did not happen in time")
}
