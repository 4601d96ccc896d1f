//! The end of the log in memory, so that one read serves every follower.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use journal::{ReadError, read_within};
use sqlx::PgPool;
use tokio::sync::Mutex;

use crate::{event::LogEvent, projection::Projection};

/// Pages kept for followers that are a little behind.
const PAGES: usize = 4;
/// Payload kept in all of them, beside the newest page.
const BYTES: usize = 8 * 1024 * 1024;
/// Events decoded by one thread; fewer are not worth another.
const DECODE_CHUNK: usize = 512;

pub(super) struct Tail {
    pool: PgPool,
    max_bytes: u64,
    /// Contiguous pages.
    window: Mutex<VecDeque<Arc<Page>>>,
}

/// Consecutive events; never empty.
struct Page {
    after: u64,
    events: Vec<LogEvent>,
    bytes: usize,
}

/// Consecutive events of one page.
pub(super) struct Slice {
    page: Arc<Page>,
    range: Range<usize>,
}

impl Tail {
    pub fn new(pool: PgPool, max_bytes: u64) -> Self {
        Self { pool, max_bytes, window: Mutex::new(VecDeque::new()) }
    }

    /// Up to `limit` events after a position; none when the log ends there.
    pub async fn read(&self, after: u64, limit: u32) -> Result<Option<Slice>, ReadError> {
        // Held while reading, so that followers at the same place read once.
        let mut window = self.window.lock().await;
        if let Some(page) = window.iter().find(|page| page.holds(after)) {
            return Ok(Some(Slice::new(Arc::clone(page), after, limit)));
        }
        if window.front().is_some_and(|first| after < first.after) {
            // Far behind: its pages are of no use to others.
            drop(window);
            let page = self.page(after, limit).await?;
            return Ok(page.map(|page| Slice::new(page, after, limit)));
        }
        let Some(page) = self.page(after, limit).await? else { return Ok(None) };
        if window.back().is_some_and(|last| last.end() != after) {
            window.clear();
        }
        window.push_back(Arc::clone(&page));
        while window.len() > PAGES || (window.len() > 1 && weight(&window) > BYTES) {
            window.pop_front();
        }
        Ok(Some(Slice::new(page, after, limit)))
    }

    async fn page(&self, after: u64, limit: u32) -> Result<Option<Arc<Page>>, ReadError> {
        let events = read_within(&self.pool, after, limit, self.max_bytes).await?;
        let events: Vec<LogEvent> = events.into_iter().map(LogEvent::new).collect();
        let bytes = events.iter().map(|event| event.recorded.payload.get().len()).sum();
        Ok((!events.is_empty()).then(|| Arc::new(Page { after, events, bytes })))
    }
}

fn weight(window: &VecDeque<Arc<Page>>) -> usize {
    window.iter().map(|page| page.bytes).sum()
}

impl Page {
    /// Position of its last event.
    fn end(&self) -> u64 {
        self.after + self.events.len() as u64
    }

    /// Whether the event after this position is one of its events.
    fn holds(&self, after: u64) -> bool {
        (self.after..self.end()).contains(&after)
    }
}

impl Slice {
    fn new(page: Arc<Page>, after: u64, limit: u32) -> Self {
        let start = (after - page.after) as usize;
        let end = page.events.len().min(start + limit as usize);
        Self { range: start..end, page }
    }

    pub fn events(&self) -> &[LogEvent] {
        &self.page.events[self.range.clone()]
    }

    /// The position before its first event.
    pub fn after(&self) -> u64 {
        self.page.after + self.range.start as u64
    }

    /// Position of its last event.
    pub fn end(&self) -> u64 {
        self.page.after + self.range.end as u64
    }

    /// Decodes what the projection folds, on as many threads as it is worth.
    pub async fn decode(&self, projection: &'static dyn Projection) {
        let mut threads = tokio::task::JoinSet::new();
        for start in self.range.clone().step_by(DECODE_CHUNK) {
            let end = self.range.end.min(start + DECODE_CHUNK);
            let page = Arc::clone(&self.page);
            threads.spawn_blocking(move || {
                for event in page.events[start..end].iter().filter(|e| projection.folds(e)) {
                    // Errors are kept with the event.
                    let _ = event.decode();
                }
            });
        }
        while threads.join_next().await.is_some() {}
    }
}
