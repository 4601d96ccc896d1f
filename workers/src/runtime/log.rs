use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::OrganizationId;
use journal::{
    Journal, LogStream,
    logs::{LogLine, LogSource},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Lines on their way to the stream; a job that talks faster loses lines there, never time.
const WAITING: usize = 4096;
/// What is kept of one attempt for the object store.
const KEPT_LINES: usize = 20_000;
const KEPT_BYTES: usize = 4 << 20;
/// Longest line kept.
const LINE_BYTES: usize = 4096;
/// The end of a job does not wait longer for its last lines to be sent.
const FLUSH: Duration = Duration::from_secs(5);

/// What one attempt tells people while it runs. Cheap to clone.
#[derive(Clone)]
pub struct JobLog {
    journal: Journal,
    said: Arc<Mutex<Said>>,
}

struct Said {
    kept: Vec<LogLine>,
    bytes: usize,
    left_out: u64,
    /// None when the log is finished.
    sending: Option<Sending>,
}

struct Sending {
    lines: mpsc::Sender<LogLine>,
    task: AbortOnDropHandle<()>,
}

impl JobLog {
    pub(super) fn open(journal: Journal, logs: LogStream, org: OrganizationId, job: &str) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(send(logs, org, job.to_owned(), waiting));
        let sending = Some(Sending { lines, task: AbortOnDropHandle::new(task) });
        let said = Said { kept: Vec::new(), bytes: 0, left_out: 0, sending };
        Self { journal, said: Arc::new(Mutex::new(said)) }
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
        let text = text[..text.floor_char_boundary(LINE_BYTES)].to_owned();
        let line = LogLine { at: self.journal.clock().now(), stream, text };
        let mut said = self.said();
        let lost = said.sending.as_ref().is_none_or(|s| s.lines.try_send(line.clone()).is_err());
        if lost {
            metrics::counter!("log_lines_dropped_total").increment(1);
        }
        said.keep(line);
    }

    /// Everything that was said. Nothing is said afterwards.
    pub(super) async fn finish(&self) -> Vec<LogLine> {
        let left_out = self.said().left_out;
        if left_out > 0 {
            self.progress(&format!("{left_out} lines are not kept"));
        }
        let sending = self.said().sending.take();
        if let Some(Sending { lines, task }) = sending {
            drop(lines);
            if tokio::time::timeout(FLUSH, task).await.is_err() {
                tracing::warn!("the last lines of the job could not be sent");
            }
        }
        std::mem::take(&mut self.said().kept)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn keep(&mut self, line: LogLine) {
        // What the platform says is little, and its last words count most.
        let full = self.kept.len() >= KEPT_LINES || self.bytes + line.text.len() > KEPT_BYTES;
        if full && line.stream == LogSource::Out {
            self.left_out += 1;
            return;
        }
        self.bytes += line.text.len();
        self.kept.push(line);
    }
}

async fn send(
    logs: LogStream,
    org: OrganizationId,
    job: String,
    mut waiting: mpsc::Receiver<LogLine>,
) {
    while let Some(line) = waiting.recv().await {
        logs.publish(org, &job, &line).await;
    }
}
