//! Whether the process lives, whether it can serve, and what it measures.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    payload::{Json, PlainText},
};

use projections::{jobs, organizations, scans};

use crate::{document::Tag, state::App};

/// For each check; a dependency that hangs is as good as down.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Positions that a view may be behind before readers should know.
const MAX_LAG: u64 = 10_000;

/// What the failure of a dependency means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
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
#[oai(rename_all = "snake_case")]
enum Status {
    Ok,
    Degraded,
    Failing,
}

#[derive(Debug, Object)]
struct Dependency {
    name: String,
    class: Class,
    ok: bool,
    #[oai(skip_serializing_if_is_none)]
    reason: Option<String>,
}

#[derive(Debug, Object)]
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
    pub app: App,
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
        let built_in = [postgres(&self.app), nats(&self.app), projections(&self.app)];
        let checks: Vec<_> = built_in.iter().chain(&self.app.checks).collect();
        let dependencies = join_all(checks.into_iter().map(Check::run)).await;
        let failed = |class| dependencies.iter().any(|d| !d.ok && d.class == class);
        if failed(Class::Fatal) {
            return ReadinessAnswer::NotReady(Json(Readiness {
                status: Status::Failing,
                dependencies,
            }));
        }
        let status = if failed(Class::Degraded) { Status::Degraded } else { Status::Ok };
        ReadinessAnswer::Ready(Json(Readiness { status, dependencies }))
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

fn projections(app: &App) -> Check {
    let app = app.clone();
    Check::new("projections", Class::Degraded, move || {
        let app = app.clone();
        Box::pin(async move {
            let head = app.journal.head().await.map_err(|_| "the log cannot be read".to_owned())?;
            for name in [organizations::NAME, scans::NAME, jobs::NAME] {
                let view = app.views.open(name, None, Duration::ZERO).await;
                let view = view.map_err(|_| format!("the view {name} cannot be read"))?;
                let behind = head.saturating_sub(view.position());
                if behind > MAX_LAG {
                    return Err(format!("the view {name} is {behind} positions behind"));
                }
            }
            Ok(())
        })
    })
}
