//! Waiting while another relay does the work.

use std::time::Instant;

use rand::Rng;
use tokio::time::sleep;

use super::{Relay, stream};

/// Returns when the stream has not moved for a while although the log goes further, or cannot be
/// asked. Each relay has another patience, so that one of several takes over.
pub(super) async fn wait(relay: &Relay) {
    let takeover = relay.options.takeover;
    let patience = takeover.mul_f64(rand::rng().random_range(1.0..2.0));
    let head = relay.journal.watch_head();
    let (mut seen, mut still_since) = (None, Instant::now());
    tracing::info!("another relay is at work; standing by");
    loop {
        sleep(takeover / 8).await;
        let Ok(Some(stream)) = stream::find(&relay.bus).await else { return };
        let last = stream.cached_info().state.last_sequence;
        relay.show_lag(last);
        if seen != Some(last) || last >= *head.borrow() {
            (seen, still_since) = (Some(last), Instant::now());
        } else if still_since.elapsed() >= patience {
            return;
        }
    }
}
