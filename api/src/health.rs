//! Whether the process lives, whether it can serve, and what it measures.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    payload::{Json, PlainText},
};
use tokio::{sync::Mutex, time::Instant};

use crate::{document::Tag, state::App};

/// For each check; a dependency that hangs is as good as down.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
const FRESH: Duration = Duration::from_secs(1);
/// Positions that a view may be behind before readers should know.
const MAX_LAG: u64 = 10_000;

/// What the failure of a dependency means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "DependencyClass")]
pub enum Class {
    /// Nothing can be served without it.
    Fatal,
    /// Requests are served; something is late or missing.
    Degraded,
}

type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A dependency and how to ask for its health.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    class: Class,
    probe: Probe,
}

impl Check {
    /// `probe` gives the reason when the dependency is not well. The reason is shown to whoever
    /// asks, so it holds no secrets.
    pub fn new<P>(name: &'static str, class: Class, probe: P) -> Self
    where
        P: Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    {
        Self { name, class, probe: Arc::new(probe) }
    }

    async fn run(&self) -> Dependency {
        let result = match tokio::time::timeout(CHECK_TIMEOUT, (self.probe)()).await {
            Ok(result) => result,
            Err(_elapsed) => Err("no answer in time".to_owned()),
        };
        let (ok, reason) = match result {
            Ok(()) => (true, None),
            Err(reason) => (false, Some(reason)),
        };
        Dependency { name: self.name.to_owned(), class: self.class, ok, reason }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "HealthStatus")]
enum Status {
    Ok,
    Degraded,
    Failing,
}

#[derive(Debug, Clone, Object)]
struct Dependency {
    name: String,
    class: Class,
    ok: bool,
    #[oai(skip_serializing_if_is_none)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Object)]
struct Readiness {
    status: Status,
    dependencies: Vec<Dependency>,
}

#[derive(ApiResponse)]
enum ReadinessAnswer {
    /// Requests can be served, maybe with something late or missing.
    #[oai(status = 200)]
    Ready(Json<Readiness>),
    /// A dependency without which nothing works is down.
    #[oai(status = 503)]
    NotReady(Json<Readiness>),
}

#[derive(Debug, Object)]
struct Liveness {
    status: Status,
}

pub(crate) struct Health {
    app: App,
    /// The last answer of the checks. They run at most once in [`FRESH`], whoever asks.
    latest: Mutex<Option<(Instant, Readiness)>>,
}

impl Health {
    pub fn new(app: App) -> Self {
        Self { app, latest: Mutex::new(None) }
    }

    async fn readiness(&self) -> Readiness {
        let mut latest = self.latest.lock().await;
        if let Some((at, readiness)) = &*latest
            && at.elapsed() < FRESH
        {
            return readiness.clone();
        }
        let built_in = [postgres(&self.app), nats(&self.app), projections(&self.app)];
        let checks: Vec<_> = built_in.iter().chain(&self.app.checks).collect();
        let dependencies = join_all(checks.into_iter().map(Check::run)).await;
        let failed = |class| dependencies.iter().any(|d| !d.ok && d.class == class);
        let status = if failed(Class::Fatal) {
            Status::Failing
        } else if failed(Class::Degraded) {
            Status::Degraded
        } else {
            Status::Ok
        };
        let readiness = Readiness { status, dependencies };
        *latest = Some((Instant::now(), readiness.clone()));
        readiness
    }
}

#[OpenApi(tag = "Tag::Health")]
impl Health {
    /// Liveness
    #[oai(path = "/health/live", method = "get", operation_id = "get_liveness")]
    async fn live(&self) -> Json<Liveness> {
        Json(Liveness { status: Status::Ok })
    }

    /// Readiness
    ///
    /// Every dependency with its class.
    #[oai(path = "/health/ready", method = "get", operation_id = "get_readiness")]
    async fn ready(&self) -> ReadinessAnswer {
        let readiness = self.readiness().await;
        if readiness.status == Status::Failing {
            ReadinessAnswer::NotReady(Json(readiness))
        } else {
            ReadinessAnswer::Ready(Json(readiness))
        }
    }

    /// Metrics
    ///
    /// In the text format of Prometheus.
    #[oai(path = "/metrics", method = "get", operation_id = "get_metrics")]
    async fn metrics(&self) -> PlainText<String> {
        PlainText(self.app.metrics.render())
    }
}

fn postgres(app: &App) -> Check {
    let app = app.clone();
    Check::new("postgres", Class::Fatal, move || {
        let app = app.clone();
        Box::pin(async move {
            app.journal.head().await.map(drop).map_err(|error| {
                tracing::warn!(%error, "Postgres is not well");
                "the log cannot be read".to_owned()
            })
        })
    })
}

fn nats(app: &App) -> Check {
    let app = app.clone();
    Check::new("nats", Class::Degraded, move || {
        use async_nats::connection::State;
        let state = app.bus.client().connection_state();
        Box::pin(async move {
            if state == State::Connected { Ok(()) } else { Err("not connected".to_owned()) }
        })
    })
}

/// The views that answer: whether they move on, and how far they are behind.
fn projections(app: &App) -> Check {
    let pool = app.journal.pool().clone();
    Check::new("projections", Class::Degraded, move || {
        let pool = pool.clone();
        Box::pin(async move {
            let builds = projections::list(&pool).await.map_err(|error| {
                tracing::warn!(%error, "the views are not well");
                "the views cannot be listed".to_owned()
            })?;
            let live = || builds.iter().filter(|build| build.status == projections::Status::Live);
            if live().next().is_none() {
                return Err("no view is built".to_owned());
            }
            for build in live() {
                let (name, behind) = (&build.name, build.head.saturating_sub(build.position));
                if build.error.is_some() {
                    return Err(format!("the view {name} has stopped"));
                }
                if behind > MAX_LAG {
                    return Err(format!("the view {name} is {behind} positions behind"));
                }
            }
            Ok(())
        })
    })
}
