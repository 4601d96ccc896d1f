//! Events a second into a new build of a read model, beside the live one.

use std::time::Duration;

use projections::Status;

use super::{
    figures::{Board, Figure, Sample},
    history,
    load::Plan,
    projection,
    site::Site,
    world::{World, until},
};
use crate::cli::Role;

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let world = site.world().await?;
    history::grow(&world, plan.events).await?;
    let names = projection::catch_up(&world, Status::Live).await?;
    let mut board = Board::default();
    for counts in plan.rounds() {
        for name in names.keys() {
            let took = rebuild(&world, name).await?;
            if counts {
                board.note(name, Sample::whole(world.head().await?, took));
            }
        }
        let raw = projection::read(&world, 0).await?;
        if counts {
            board.note("raw", raw);
        }
    }
    site.leave(world).await?;
    Ok(board.figures())
}

/// Builds it from the whole log and gives the build up again.
async fn rebuild(world: &World, name: &str) -> anyhow::Result<Duration> {
    let pool = world.installation.journal.pool();
    projections::rebuild(pool, name).await?;
    let running = world.run(&[Role::Projector]).await?;
    let took = until(async || {
        let builds = projections::list(pool).await?;
        Ok(builds.iter().any(|build| build.name == name && build.status == Status::Ready))
    });
    let took = took.await;
    running.stop().await;
    projections::cancel_rebuild(pool, name).await?;
    took
}
