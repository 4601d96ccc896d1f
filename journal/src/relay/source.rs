//! Reads the log ahead of the publisher.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{Journal, ReadError, Recorded, read_within};

/// Bounds of one page.
const PAGE_EVENTS: u32 = 1000;
const PAGE_BYTES: u64 = 1024 * 1024;
/// Looks again even if nobody said that the log has grown.
const IDLE: Duration = Duration::from_secs(5);

/// Pages of the log in order, without an end. Reading stops when it is dropped.
pub(super) struct Source {
    pages: mpsc::Receiver<Result<Vec<Recorded>, ReadError>>,
    _reader: AbortOnDropHandle<()>,
}

impl Source {
    pub fn after(journal: &Journal, position: u64) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let reader = tokio::spawn(read(journal.clone(), position, sender));
        Self { pages, _reader: AbortOnDropHandle::new(reader) }
    }

    /// The next page, never empty; `None` after an error.
    pub async fn next(&mut self) -> Option<Result<Vec<Recorded>, ReadError>> {
        self.pages.recv().await
    }
}

async fn read(
    journal: Journal,
    mut after: u64,
    pages: mpsc::Sender<Result<Vec<Recorded>, ReadError>>,
) {
    let mut head = journal.watch_head();
    loop {
        head.mark_unchanged();
        let page = read_within(journal.pool(), after, PAGE_EVENTS, PAGE_BYTES).await;
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

async fn wait(head: &mut watch::Receiver<u64>) {
    // Over time is as good as a change: the log is looked at either way.
    let _ = timeout(IDLE, head.changed()).await;
}
