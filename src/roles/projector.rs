use std::time::Duration;

use projections::RunOptions;
use tokio_util::sync::CancellationToken;

use super::Tasks;
use crate::{config::Config, installation::Installation};

pub async fn start(
    installation: &Installation,
    config: &Config,
    stop: &CancellationToken,
) -> anyhow::Result<Tasks> {
    // Before anybody opens a view.
    projections::prepare(installation.journal.pool()).await?;
    let options = options(config);
    let (journal, views) = (installation.journal.clone(), installation.views.clone());
    let stop = stop.clone();
    Ok(vec![tokio::spawn(
        async move { Ok(projections::run(journal, views, options, stop).await?) },
    )])
}

pub fn options(config: &Config) -> RunOptions {
    RunOptions {
        batch_events: config.projections.batch,
        idle: Duration::from_millis(config.projections.poll_ms.into()),
        ..RunOptions::default()
    }
}
