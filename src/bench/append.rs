//! Commands a second, without HTTP.

use std::sync::Arc;

use domain::{ids::OrganizationId, organizations::Organization, scans::Scan};
use journal::{Actor, Context};
use rand::Rng;
use sqlx::{Executor, PgPool, postgres::PgPoolOptions};

use super::{
    IN_FLIGHT,
    figures::{Board, Figure, Sample},
    history,
    load::{self, Plan},
    site::Site,
    stock::{self, Stock},
    world::World,
};

const HOT: u32 = 100;
const HOT_EVENTS: u32 = 1000;

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let world = site.world().await?;
    let (stock, raw) = (Stock::open(&world).await?, Raw::open(&world).await?);
    let hot = Hot::open(&world).await?;
    let mut board = Board::default();
    for counts in plan.rounds() {
        let samples = [
            ("execute", execute(&world, plan).await?),
            ("execute_hot", hot.execute(&world, plan).await?),
            ("stock", of_stock(&stock, plan).await?),
            ("raw", raw.insert(&world, plan).await?),
        ];
        for (name, sample) in samples {
            if counts {
                board.note(name, sample);
            }
        }
    }
    drop((stock, raw));
    site.leave(world).await?;
    Ok(board.figures())
}

/// One event on a new aggregate.
pub async fn execute(world: &World, plan: &Plan) -> anyhow::Result<Sample> {
    let workers = (0..IN_FLIGHT).map(|_| {
        let (journal, context) = (world.installation.journal.clone(), world.context());
        move || {
            let (journal, context) = (journal.clone(), context.clone());
            async move {
                let clock = journal.clock();
                let (id, command) = (history::new_id(&**clock), history::request(&**clock));
                journal.execute::<Scan>(&context, &id, command).await?;
                Ok(())
            }
        }
    });
    load::closed(workers.collect(), plan.round).await
}

async fn of_stock(stock: &Stock, plan: &Plan) -> anyhow::Result<Sample> {
    let workers = (0..IN_FLIGHT).map(|_| {
        let stock = stock.clone();
        move || {
            let stock = stock.clone();
            async move { stock.execute().await.map(|_| ()) }
        }
    });
    load::closed(workers.collect(), plan.round).await
}

/// A few aggregates with a long history, which everybody writes to. A conflict that is shown fails
/// the run.
pub struct Hot {
    organizations: Arc<Vec<OrganizationId>>,
}

impl Hot {
    pub async fn open(world: &World) -> anyhow::Result<Self> {
        let mut organizations = Vec::new();
        for _ in 0..HOT {
            organizations.push(history::renamed(world, HOT_EVENTS).await?);
        }
        Ok(Self { organizations: Arc::new(organizations) })
    }

    pub async fn execute(&self, world: &World, plan: &Plan) -> anyhow::Result<Sample> {
        let workers = (0..IN_FLIGHT).map(|_| {
            let (journal, organizations) =
                (world.installation.journal.clone(), Arc::clone(&self.organizations));
            move || {
                let (journal, organizations) = (journal.clone(), Arc::clone(&organizations));
                async move {
                    let clock = journal.clock();
                    let org = organizations[rand::rng().random_range(0..organizations.len())];
                    let context = Context::new(org, Actor::Operator, clock.new_id());
                    let command = history::rename(org, &**clock);
                    journal.execute::<Organization>(&context, &org.to_string(), command).await?;
                    Ok(())
                }
            }
        });
        load::closed(workers.collect(), plan.round).await
    }
}

/// One row and one commit at a time.
pub struct Raw {
    pool: PgPool,
}

impl Raw {
    pub async fn open(world: &World) -> anyhow::Result<Self> {
        let options = (*world.installation.journal.pool().connect_options()).clone();
        let pool = PgPoolOptions::new()
            .max_connections(stock::POOL)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        pool.execute("CREATE TABLE raw (id text PRIMARY KEY, payload json NOT NULL)").await?;
        Ok(Self { pool })
    }

    pub async fn insert(&self, world: &World, plan: &Plan) -> anyhow::Result<Sample> {
        let workers = (0..IN_FLIGHT).map(|_| {
            let (pool, clock) = (self.pool.clone(), world.clock());
            move || {
                let (pool, id) = (pool.clone(), history::new_id(&*clock));
                async move {
                    sqlx::query("INSERT INTO raw (id, payload) VALUES ($1, $2::json)")
                        .bind(id)
                        .bind(r#"{"target":{"kind":"website","url":"https://shop.example.com/"}}"#)
                        .execute(&pool)
                        .await?;
                    Ok(())
                }
            }
        });
        load::closed(workers.collect(), plan.round).await
    }
}
