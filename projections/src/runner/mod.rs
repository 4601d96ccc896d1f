//! The projector: feeds every build of every read model from the log.

pub(crate) mod batch;
mod follower;
pub(crate) mod isolate;
mod measure;
mod tail;

use std::{collections::HashMap, sync::Arc, time::Duration};

use journal::Journal;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Generation, PROJECTIONS, Views, event::with_causes, generation, projection::Projection,
};
use follower::Follower;
use tail::Tail;

/// How soon a build that was created elsewhere is noticed.
const LOOK: Duration = Duration::from_millis(500);

/// The bounds of the projector.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Most events in one transaction of a build that answers queries.
    pub batch_events: u32,
    /// Most events in one transaction of a build that catches up.
    pub rebuild_events: u32,
    /// Most bytes of payload read at a time, as stored (compressed).
    pub batch_bytes: u64,
    /// A build with more events than this in `dead_letters` stops until some are dealt with.
    pub max_dead_letters: u64,
    /// A statement that takes longer is broken off and tried again.
    pub statement_timeout: Duration,
    /// A build that has caught up takes up events this often at most, unless a read waits for them.
    pub rest: Duration,
    /// How often the log is looked at although nobody announced anything.
    pub idle: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            batch_events: 2000,
            rebuild_events: 8000,
            batch_bytes: 4 * 1024 * 1024,
            max_dead_letters: 10_000,
            statement_timeout: Duration::from_secs(60),
            rest: Duration::from_millis(20),
            idle: Duration::from_secs(1),
        }
    }
}

/// One build of one read model of this code.
#[derive(Clone, Copy)]
pub(crate) struct Build {
    pub projection: &'static dyn Projection,
    pub generation: i32,
}

/// Feeds every build of the code's versions until `stop`, then ends after the batches in hand. Any
/// number of processes may do so at once: each event is applied once.
///
/// Only the first look at the database can fail; later faults are waited out.
pub async fn run(
    journal: Journal,
    views: Views,
    options: RunOptions,
    stop: CancellationToken,
) -> Result<(), sqlx::Error> {
    generation::prepare(journal.pool()).await?;
    journal.head().await?;
    let tail = Arc::new(Tail::new(journal.pool().clone(), options.batch_bytes));
    let mut followers = JoinSet::new();
    let mut running: HashMap<Id, Build> = HashMap::new();
    while !stop.is_cancelled() {
        match builds(&journal).await {
            Ok(builds) => {
                for (build, found) in builds {
                    if running.values().any(|other| other.same(&build)) {
                        continue;
                    }
                    let follower = Follower::new(
                        build,
                        &found,
                        journal.clone(),
                        views.clone(),
                        Arc::clone(&tail),
                        options.clone(),
                    );
                    let task = followers.spawn(follower.follow(stop.clone()));
                    running.insert(task.id(), build);
                }
            }
            Err(error) => tracing::warn!(
                error = with_causes(&error),
                "the builds of the views could not be listed"
            ),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(ended) = followers.join_next_with_id() => forget(&mut running, ended),
        }
    }
    while let Some(ended) = followers.join_next_with_id().await {
        forget(&mut running, ended);
    }
    Ok(())
}

type Ended = Result<(Id, ()), tokio::task::JoinError>;

/// A follower ends when its build was dropped. One that broke is started again with the next look.
fn forget(running: &mut HashMap<Id, Build>, ended: Ended) {
    let id = match &ended {
        Ok((id, ())) => *id,
        Err(error) => error.id(),
    };
    let build = running.remove(&id);
    if let (Some(build), Err(error)) = (build, ended) {
        tracing::error!(projection = build.projection.name(), %error, "a follower broke");
    }
}

async fn builds(journal: &Journal) -> Result<Vec<(Build, Generation)>, sqlx::Error> {
    let mut connection = journal.pool().acquire().await?;
    let mut builds = Vec::new();
    for projection in PROJECTIONS {
        for found in generation::of(&mut connection, *projection).await? {
            measure::dead_letters(projection.name(), &found);
            let generation = found.generation;
            builds.push((Build { projection: *projection, generation }, found));
        }
    }
    Ok(builds)
}

impl Build {
    fn same(&self, other: &Self) -> bool {
        self.projection.name() == other.projection.name() && self.generation == other.generation
    }
}
