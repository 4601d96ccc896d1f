use std::sync::OnceLock;
use std::thread;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};

use crate::servers::start_postgres;

const POOL_CONNECTIONS: u32 = 10;
const SERVER_CONNECTIONS: u16 = 500;
/// More tests than this never end at the same moment.
const WAITING_REQUESTS: usize = 4096;

/// A database of one test alone, dropped with it.
pub struct TestDatabase {
    name: String,
    url: String,
    pool: PgPool,
}

enum Request {
    Create(oneshot::Sender<(String, String)>),
    Drop(String),
}

/// A fresh, empty database on the test process's own Postgres.
pub async fn database() -> TestDatabase {
    let (reply, created) = oneshot::channel();
    let asked = administrator().send(Request::Create(reply)).await;
    assert!(asked.is_ok(), "the Postgres for tests did not start");
    let Ok((name, url)) = created.await else { panic!("the Postgres for tests failed") };
    let pool = PgPoolOptions::new()
        .max_connections(POOL_CONNECTIONS)
        .connect_lazy(&url)
        .unwrap_or_else(|error| panic!("bad test database URL: {error}"));
    TestDatabase { name, url, pool }
}

impl TestDatabase {
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same pool on every call, of the runtime the database was asked from.
    pub fn pool(&self) -> PgPool {
        self.pool.clone()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let _ = administrator().try_send(Request::Drop(std::mem::take(&mut self.name)));
    }
}

/// The server and its maintenance connection live on a thread of their own, because each test has a
/// runtime of its own that ends with it.
fn administrator() -> &'static mpsc::Sender<Request> {
    static ADMINISTRATOR: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    ADMINISTRATOR.get_or_init(|| {
        let (sender, requests) = mpsc::channel(WAITING_REQUESTS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for tests: {error}"));
        thread::spawn(move || runtime.block_on(administer(requests)));
        sender
    })
}

async fn administer(mut requests: mpsc::Receiver<Request>) {
    let (server, _data_dir) = start_postgres("shared", false, SERVER_CONNECTIONS).await;
    let url = server.url();
    let mut connection = PgConnection::connect(&url)
        .await
        .unwrap_or_else(|error| panic!("cannot connect to the Postgres for tests: {error}"));
    let mut count = 0_u32;
    while let Some(request) = requests.recv().await {
        match request {
            Request::Create(reply) => {
                count += 1;
                let name = format!("test_{count}");
                run(&mut connection, &format!("CREATE DATABASE {name}")).await;
                let own = url.replacen("/postgres?", &format!("/{name}?"), 1);
                let _ = reply.send((name, own));
            }
            Request::Drop(name) => {
                run(&mut connection, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
        }
    }
}

async fn run(connection: &mut PgConnection, statement: &str) {
    if let Err(error) = connection.execute(statement).await {
        panic!("{statement}: {error}");
    }
}
