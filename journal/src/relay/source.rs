//! Reads the log ahead of the publisher.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{Journal, ReadError, Recorded, read_all};

const FIRST_PAGE: u32 = 64;
const MAX_PAGE: u32 = 1000;
/// Pages grow and shrink towards this.
const PAGE_BYTES: usize = 1024 * 1024;
/// What an event weighs beside its payload.
const FIXED_BYTES: usize = 512;
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
    let mut limit = FIRST_PAGE;
    loop {
        head.mark_unchanged();
        let page = read_all(journal.pool(), after, limit).await;
        if let Ok(events) = &page {
            let Some(last) = events.last() else {
                wait(&mut head).await;
                continue;
            };
            after = last.position;
            limit = next_limit(limit, events);
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

fn next_limit(limit: u32, page: &[Recorded]) -> u32 {
    let bytes: usize = page.iter().map(|event| event.payload.get().len() + FIXED_BYTES).sum();
    let fitting = PAGE_BYTES * page.len() / bytes.max(1);
    (fitting as u32).min(limit * 2).clamp(1, MAX_PAGE)
}
