use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use projections::address_blocks;
use tokio_util::sync::CancellationToken;

use super::networks::{Networks, parse};
use crate::{problem::Problem, state::App};

/// How often it is looked which networks are blocked, so that a block holds on every replica in less than
/// a second.
const PAUSE: Duration = Duration::from_millis(300);
/// Blocks in force at once.
pub const MAX_BLOCKS: u32 = 10_000;

/// Whom this replica turns away.
#[derive(Default)]
pub(crate) struct Door(RwLock<Arc<Networks>>);

impl Door {
    pub fn is_closed_to(&self, address: IpAddr) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contain(address)
    }

    pub async fn look(&self, app: &App) -> Result<(), Problem> {
        let view = app.views.open(address_blocks::NAME, None, Duration::ZERO).await?;
        let now = app.journal.clock().now();
        let blocked = address_blocks::in_force(&view, now, MAX_BLOCKS).await?;
        let networks = blocked.iter().filter_map(|network| parse(network)).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(networks);
        Ok(())
    }
}

/// Keeps the door as the view says until told to stop. While the view cannot be read it stays as it is.
pub(crate) async fn keep_door(app: App, stop: CancellationToken) {
    let mut failing = false;
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        let looked = app.door.look(&app).await;
        if let (false, Err(error)) = (failing, &looked) {
            tracing::warn!(%error, "blocked addresses are those of a moment ago");
        }
        failing = looked.is_err();
    }
}
