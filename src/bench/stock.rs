//! What a team has with cqrs-es and postgres-es as they come.

use std::{net::SocketAddr, sync::Arc};

use cqrs_es::{CqrsFramework, persist::PersistedEventStore};
use domain::scans::Scan;
use journal::SystemClock;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem_openapi::{Object, OpenApi, OpenApiService, payload::Json};
use postgres_es::{PostgresCqrs, PostgresEventRepository};
use sqlx::{Executor, PgPool};
use tokio_util::task::AbortOnDropHandle;

use super::{history, world::World};

/// The pool that was found best for it; sqlx's own checks are left on.
pub const POOL: u32 = 32;
const LOG: &str = "stock_log";

/// The table of postgres-es, under another name.
const TABLE: &str = "CREATE TABLE stock_log (
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 0),
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
)";

#[derive(Clone)]
pub struct Stock {
    framework: Arc<PostgresCqrs<Scan>>,
}

impl Stock {
    pub async fn open(world: &World) -> anyhow::Result<Self> {
        let pool: PgPool = world.pool(POOL).await?;
        pool.execute(TABLE).await?;
        let repository = PostgresEventRepository::new(pool).with_tables(LOG, "stock_snapshots");
        let store = PersistedEventStore::new_event_store(repository);
        Ok(Self { framework: Arc::new(CqrsFramework::new(store, Vec::new(), ())) })
    }

    /// Requests a scan.
    pub async fn execute(&self) -> anyhow::Result<String> {
        let id = history::new_id(&SystemClock);
        self.framework.execute(&id, history::request(&SystemClock)).await?;
        Ok(id)
    }
}

#[derive(Object)]
struct Requested {
    url: String,
}

#[derive(Object)]
struct Taken {
    id: String,
}

struct Front {
    stock: Stock,
}

#[OpenApi]
impl Front {
    /// A command.
    #[oai(path = "/stock", method = "post")]
    async fn stock(&self, body: Json<Requested>) -> poem::Result<Json<Taken>> {
        let _ = body.0.url;
        let taken = self.stock.execute().await;
        taken.map(|id| Json(Taken { id })).map_err(|error| {
            poem::Error::from_string(
                format!("{error:#}"),
                poem::http::StatusCode::INTERNAL_SERVER_ERROR,
            )
        })
    }

    /// The same without a database.
    #[oai(path = "/raw", method = "post")]
    async fn raw(&self, body: Json<Requested>) -> Json<Taken> {
        let _ = body.0.url;
        Json(Taken { id: history::new_id(&SystemClock) })
    }
}

/// A minimal front end, running.
pub struct Serving {
    pub address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

pub async fn serve(stock: Stock) -> anyhow::Result<Serving> {
    let service = OpenApiService::new(Front { stock }, "stock", "1");
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let bound = acceptor.local_addr();
    let address = bound.first().and_then(|bound| bound.as_socket_addr().copied());
    let task = tokio::spawn(async move {
        let served = poem::Server::new_with_acceptor(acceptor).run(service).await;
        if let Err(error) = served {
            tracing::error!(%error, "the stock front end ended");
        }
    });
    let address = address.ok_or_else(|| anyhow::anyhow!("the stock front end has no address"))?;
    Ok(Serving { address, _task: AbortOnDropHandle::new(task) })
}
