use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

/// Longest line kept of stdout, where programs answer.
pub(super) const STDOUT_LINE_BYTES: usize = 1 << 20;
/// Longest line kept of stderr, where programs talk.
pub(super) const STDERR_LINE_BYTES: usize = 8 << 10;

const CHUNK_BYTES: usize = 16 << 10;

/// One line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub bytes: Vec<u8>,
    /// The line was longer than is kept; the rest is gone.
    pub cut: bool,
}

impl Line {
    /// For people: a cut line says so, broken UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        let text = String::from_utf8_lossy(&self.bytes);
        if self.cut { Cow::Owned(format!("{text} … (line cut)")) } else { text }
    }
}

/// How much stdout and stderr may still write together.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    left: Arc<AtomicU64>,
    spent: CancellationToken,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(bytes)), spent: CancellationToken::new() }
    }

    pub(super) async fn exhausted(&self) {
        self.spent.cancelled().await;
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.spent.is_cancelled()
    }

    fn take(&self, bytes: u64) -> bool {
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if taken.is_err() {
            self.spent.cancel();
        }
        taken.is_ok()
    }
}

/// The lines a program writes. Nothing is read ahead of the caller, so a program that writes faster
/// than it is read waits; dropping this closes the pipe.
pub struct Lines {
    pipe: Pin<Box<dyn AsyncRead + Send>>,
    budget: Budget,
    longest: usize,
    chunk: Vec<u8>,
    seen: usize,
    line: Line,
    begun: bool,
    ended: bool,
}

impl Lines {
    pub(super) fn new(
        pipe: impl AsyncRead + Send + 'static,
        longest: usize,
        budget: Budget,
    ) -> Self {
        Self {
            pipe: Box::pin(pipe),
            budget,
            longest,
            chunk: Vec::with_capacity(CHUNK_BYTES),
            seen: 0,
            line: Line { bytes: Vec::new(), cut: false },
            begun: false,
            ended: false,
        }
    }

    /// The next line, `None` at the end. May be cancelled and called again without losing anything.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            if self.fill_line() {
                return Some(self.take_line());
            }
            if self.ended {
                return self.begun.then(|| self.take_line());
            }
            self.chunk.clear();
            self.seen = 0;
            let read = self.pipe.read_buf(&mut self.chunk).await.unwrap_or(0);
            if read == 0 || !self.budget.take(read as u64) {
                self.chunk.clear();
                self.ended = true;
            }
        }
    }

    /// Moves bytes of the chunk into the line; true when its end was found.
    fn fill_line(&mut self) -> bool {
        let rest = &self.chunk[self.seen..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        let piece = &rest[..end.unwrap_or(rest.len())];
        let room = self.longest - self.line.bytes.len();
        self.line.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        self.line.cut |= piece.len() > room;
        self.begun |= !rest.is_empty();
        self.seen += piece.len() + usize::from(end.is_some());
        end.is_some()
    }

    fn take_line(&mut self) -> Line {
        self.begun = false;
        std::mem::replace(&mut self.line, Line { bytes: Vec::new(), cut: false })
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("ended", &self.ended).finish_non_exhaustive()
    }
}
