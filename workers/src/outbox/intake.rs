//! From the log into rows.

use std::time::Duration;

use journal::{Journal, positions_of};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{AFTER_FAULT, Outbox, effect};

/// Positions looked through in one transaction.
const PAGE: u64 = 20_000;
/// The log is looked at no more often: what it asks for is in no such hurry, and a busy log is not to be
/// read for every event.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(outbox: &Outbox, stop: &CancellationToken) {
    let mut head = outbox.journal.watch_head();
    while !stop.is_cancelled() {
        head.borrow_and_update();
        let pause = match advance(&outbox.journal).await {
            Ok(Step { found, at_end }) => {
                if found > 0 {
                    outbox.news.notify_one();
                }
                if !at_end {
                    continue;
                }
                PAUSE
            }
            Err(error) => {
                tracing::warn!(%error, "the log could not be looked through for what it asks");
                AFTER_FAULT
            }
        };
        let next = async {
            sleep(pause).await;
            // Over time is as good as a change: the log is looked at either way.
            let _ = timeout(outbox.options.idle, head.changed()).await;
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = next => {}
        }
    }
}

struct Step {
    found: usize,
    at_end: bool,
}

async fn advance(journal: &Journal) -> Result<Step, sqlx::Error> {
    let head = journal.head().await?;
    let mut transaction = journal.pool().begin().await?;
    // Of several processes one goes on and the others see how far it came.
    let after: i64 = sqlx::query_scalar("SELECT position FROM outbox_checkpoint FOR UPDATE")
        .fetch_one(&mut *transaction)
        .await?;
    let after = after as u64;
    if head <= after {
        return Ok(Step { found: 0, at_end: true });
    }
    let up_to = head.min(after + PAGE);
    let found = positions_of(&mut *transaction, after, up_to, effect::ASKED).await?;
    let (positions, names): (Vec<i64>, Vec<&str>) =
        found.iter().map(|(position, name)| (*position as i64, name.as_str())).unzip();
    sqlx::query(
        "INSERT INTO outbox (position, event_type)
         SELECT * FROM unnest($1::bigint[], $2::text[]) ON CONFLICT DO NOTHING",
    )
    .bind(positions)
    .bind(names)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("UPDATE outbox_checkpoint SET position = $1")
        .bind(up_to as i64)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Step { found: found.len(), at_end: up_to == head })
}
