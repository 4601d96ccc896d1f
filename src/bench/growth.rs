//! The same work with longer and longer histories: a figure should not fall as they grow.

use anyhow::Context as _;
use projections::Status;

use super::{
    append,
    figures::{Board, Figure, Sample},
    history,
    http::{self, Post},
    load::Plan,
    projection, relay,
    site::Site,
    world::{World, until},
};
use crate::cli::Role;

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
const LARGE: u64 = 10_000_000;

/// The lengths take turns, so that what moves the machine meets all of them.
pub async fn run(site: &Site, plan: &Plan, large: bool) -> anyhow::Result<Vec<Figure>> {
    let mut grown = Vec::new();
    for size in SIZES.into_iter().chain(large.then_some(LARGE)) {
        eprintln!("a history of {size} events");
        grown.push(Grown::open(site, size).await?);
    }
    let mut board = Board::default();
    for counts in plan.rounds() {
        for grown in &grown {
            grown.measure(plan, counts.then_some(&mut board)).await?;
        }
    }
    for Grown { world, .. } in grown {
        site.leave(world).await?;
    }
    Ok(board.figures())
}

/// A log that was there before anything is measured.
struct Grown {
    size: u64,
    world: World,
    post: Post,
    hot: append::Hot,
}

impl Grown {
    async fn open(site: &Site, size: u64) -> anyhow::Result<Self> {
        let world = site.world().await?;
        let post = Post::Command { key: http::key(&world).await?.1 };
        history::grow(&world, size).await?;
        let hot = append::Hot::open(&world).await?;
        follow(&world).await?;
        Ok(Self { size, world, post, hot })
    }

    async fn measure(&self, plan: &Plan, board: Option<&mut Board>) -> anyhow::Result<()> {
        let Self { size, world, post, hot } = self;
        rest(world).await?;
        let before = world.head().await?;
        let commands = append::execute(world, plan).await?;
        let on_hot = hot.execute(world, plan).await?;
        let posts = http::serving(world, &[Role::Api], post, plan).await?;
        let events = world.head().await? - before;
        let (relayed, slowest) = follow(world).await?;
        let Some(board) = board else { return Ok(()) };
        board.note(&format!("append_{size}"), commands);
        board.note(&format!("hot_{size}"), on_hot);
        board.note(&format!("http_{size}"), posts);
        board.note(&format!("relay_{size}"), Sample::whole(events, relayed));
        board.note(&format!("projection_{size}"), Sample::whole(events, slowest));
        Ok(())
    }
}

/// Until the database has put away what was done before, in whichever of the logs that was.
async fn rest(world: &World) -> anyhow::Result<()> {
    let pool = world.installation.journal.pool();
    sqlx::query("CHECKPOINT").execute(pool).await.context("no checkpoint could be made")?;
    let vacuumed = until(async || {
        let vacuums: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'",
        )
        .fetch_one(pool)
        .await?;
        Ok(vacuums == 0)
    });
    vacuumed.await.map(|_| ())
}

/// Lets everything follow to the end of the log; gives what the relay and the slowest read model
/// took.
async fn follow(world: &World) -> anyhow::Result<(std::time::Duration, std::time::Duration)> {
    let relayed = relay::catch_up(world).await?;
    let projected = projection::catch_up(world, Status::Live).await?;
    Ok((relayed, projected.into_values().max().unwrap_or_default()))
}
