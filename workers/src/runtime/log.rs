use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::OrganizationId;
use journal::{
    Journal, LogStream,
    logs::{LogLine, LogSource},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Lines on their way to the stream; a job that talks faster loses lines, never time.
const WAITING: usize = 4096;
/// What is kept of one attempt for the object store.
const KEPT_LINES: usize = 20_000;
const KEPT_BYTES: usize = 4 << 20;
/// Longest line kept.
const LINE_BYTES: usize = 4096;

/// What one attempt tells people while it runs. Cheap to clone.
#[derive(Clone)]
pub struct JobLog {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    /// None when the log is finished.
    keeper: Mutex<Option<Keeper>>,
    lost: AtomicU64,
}

struct Keeper {
    lines: mpsc::Sender<LogLine>,
    task: AbortOnDropHandle<Vec<LogLine>>,
}

impl JobLog {
    pub(super) fn open(journal: Journal, logs: LogStream, org: OrganizationId, job: &str) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(keep(logs, org, job.to_owned(), waiting));
        let keeper = Keeper { lines, task: AbortOnDropHandle::new(task) };
        let (keeper, lost) = (Mutex::new(Some(keeper)), AtomicU64::new(0));
        Self { inner: Arc::new(Inner { journal, keeper, lost }) }
    }

    /// What the platform says about the job.
    pub fn progress(&self, text: &str) {
        self.say(LogSource::Progress, text);
    }

    /// What the job itself printed.
    pub fn output(&self, text: &str) {
        self.say(LogSource::Out, text);
    }

    fn say(&self, stream: LogSource, text: &str) {
        let mut text = text.to_owned();
        text.truncate(text.floor_char_boundary(LINE_BYTES));
        let line = LogLine { at: self.inner.journal.clock().now(), stream, text };
        let sent = self.keeper().as_ref().is_some_and(|keeper| keeper.lines.try_send(line).is_ok());
        if !sent {
            self.inner.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Everything that was said, when all of it has been handed to the stream.
    pub(super) async fn finish(&self) -> Vec<LogLine> {
        let lost = self.inner.lost.load(Ordering::Relaxed);
        if lost > 0 {
            self.progress(&format!("{lost} lines came too fast and were left out"));
        }
        let keeper = self.keeper().take();
        match keeper {
            Some(Keeper { lines, task }) => {
                drop(lines);
                task.await.unwrap_or_default()
            }
            None => Vec::new(),
        }
    }

    fn keeper(&self) -> MutexGuard<'_, Option<Keeper>> {
        self.inner.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(
    logs: LogStream,
    org: OrganizationId,
    job: String,
    mut lines: mpsc::Receiver<LogLine>,
) -> Vec<LogLine> {
    let (mut kept, mut bytes, mut more) = (Vec::new(), 0, None);
    while let Some(line) = lines.recv().await {
        logs.publish(org, &job, &line).await;
        bytes += line.text.len();
        if kept.len() < KEPT_LINES && bytes <= KEPT_BYTES {
            kept.push(line);
        } else {
            more.get_or_insert((line.at, 0_u64)).1 += 1;
        }
    }
    if let Some((at, count)) = more {
        let text = format!("{count} more lines were left out");
        kept.push(LogLine { at, stream: LogSource::Progress, text });
    }
    kept
}
