//! Reads the log ahead of the publisher.

use std::time::Duration;

use domain::{Timestamp, ids::OrganizationId};
use serde::Deserialize;
use sqlx::{PgPool, types::Json};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::{Journal, Payload, ReadError, read};

/// Bounds of one page.
const PAGE_EVENTS: u32 = 1000;
const PAGE_BYTES: u64 = 1024 * 1024;
/// Looks again even if nobody said that the log has grown.
const IDLE: Duration = Duration::from_secs(5);

/// What of an event goes into its message.
pub(super) struct Outgoing {
    pub position: u64,
    pub event_id: Uuid,
    pub org: OrganizationId,
    pub aggregate_id: String,
    /// Full name, `scan.requested`.
    pub event_type: String,
    pub event_version: u32,
    pub payload: Payload,
    pub traceparent: Option<String>,
    pub recorded_at: Timestamp,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
}

const COLUMNS: &str =
    "position, event_id, org_id, aggregate_id, event_type, event_version, payload,
    metadata, recorded_at, correlation_id, causation_id";

type Row =
    (i64, Uuid, Uuid, String, String, String, Payload, Json<Trace>, Timestamp, Uuid, Option<Uuid>);

/// What of the metadata goes into the message.
#[derive(Deserialize)]
struct Trace {
    traceparent: Option<String>,
}

impl Outgoing {
    fn from_row(row: Row) -> Self {
        let (
            position,
            event_id,
            org,
            aggregate_id,
            event_type,
            event_version,
            payload,
            Json(Trace { traceparent }),
            recorded_at,
            correlation_id,
            causation_id,
        ) = row;
        Self {
            position: position as u64,
            event_id,
            org: OrganizationId::from_uuid(org),
            aggregate_id,
            event_type,
            event_version: event_version.parse().unwrap_or(0),
            payload,
            traceparent,
            recorded_at,
            correlation_id,
            causation_id,
        }
    }
}

/// Pages of the log in order, without an end. Reading stops when it is dropped.
pub(super) struct Source {
    pages: mpsc::Receiver<Result<Vec<Outgoing>, ReadError>>,
    _reader: AbortOnDropHandle<()>,
}

impl Source {
    pub fn after(journal: &Journal, position: u64) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let reader = tokio::spawn(read(journal.clone(), position, sender));
        Self { pages, _reader: AbortOnDropHandle::new(reader) }
    }

    /// The next page, never empty; `None` after an error.
    pub async fn next(&mut self) -> Option<Result<Vec<Outgoing>, ReadError>> {
        self.pages.recv().await
    }
}

async fn read(
    journal: Journal,
    mut after: u64,
    pages: mpsc::Sender<Result<Vec<Outgoing>, ReadError>>,
) {
    let mut head = journal.watch_head();
    loop {
        head.mark_unchanged();
        let page = page(journal.pool(), after).await;
        if let Ok(events) = &page {
            let Some(last) = events.last() else {
                wait(&mut head).await;
                continue;
            };
            after = last.position;
        }
        let failed = page.is_err();
        if pages.send(page).await.is_err() || failed {
            return;
        }
    }
}

async fn page(pool: &PgPool, after: u64) -> Result<Vec<Outgoing>, ReadError> {
    let rows = read::rows_within(pool, COLUMNS, after, PAGE_EVENTS, PAGE_BYTES).await?;
    let events = rows.into_iter().map(Outgoing::from_row).collect();
    read::whole(events, after, |event: &Outgoing| event.position)
}

async fn wait(head: &mut watch::Receiver<u64>) {
    // Over time is as good as a change: the log is looked at either way.
    let _ = timeout(IDLE, head.changed()).await;
}
