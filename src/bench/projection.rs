//! Events a second into the live read models, after a time in which no projector ran.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use journal::{Filter, MAX_PAGE};
use projections::Status;

use super::{
    figures::{Board, Figure, Sample},
    history,
    load::Plan,
    site::Site,
    world::{World, until},
};
use crate::cli::Role;

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let world = site.world().await?;
    let mut board = Board::default();
    for counts in plan.rounds() {
        let before = world.head().await?;
        history::grow(&world, plan.events).await?;
        let events = world.head().await? - before;
        let done = catch_up(&world, Status::Live).await?;
        let raw = read(&world, before).await?;
        if counts {
            for (name, took) in done {
                board.note(&name, Sample::whole(events, took));
            }
            board.note("raw", raw);
        }
    }
    site.leave(world).await?;
    Ok(board.figures())
}

/// Runs the projector until every read model of that status holds the whole log; gives how long
/// each took. All of them run at the same time.
pub async fn catch_up(world: &World, status: Status) -> anyhow::Result<BTreeMap<String, Duration>> {
    let (head, pool) = (world.head().await?, world.installation.journal.pool());
    let started = Instant::now();
    let running = world.run(&[Role::Projector]).await?;
    let mut done = BTreeMap::new();
    let all = until(async || {
        let builds: Vec<_> = projections::list(pool)
            .await?
            .into_iter()
            .filter(|build| build.status == status)
            .collect();
        for build in builds.iter().filter(|build| build.position >= head) {
            done.entry(build.name.clone()).or_insert_with(|| started.elapsed());
        }
        Ok(!builds.is_empty() && builds.len() == done.len())
    });
    let all = all.await;
    running.stop().await;
    all?;
    Ok(done)
}

/// Reads the same events, and does nothing with them.
pub async fn read(world: &World, mut after: u64) -> anyhow::Result<Sample> {
    let (started, first) = (Instant::now(), after);
    loop {
        let page = world.installation.journal.read(after, &Filter::default(), MAX_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
    }
    Ok(Sample::whole(after - first, started.elapsed()))
}
