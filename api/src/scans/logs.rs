use std::{io, time::Duration};

use bytes::Bytes;
use domain::{
    Timestamp,
    ids::{OrganizationId, ScanId},
    scans::Scan,
};
use futures::{Stream, StreamExt, stream};
use journal::logs::{Lines, LogLine, LogSource};
use poem_openapi::{Enum, Object, types::ToJSON};
use projections::scans::ScanRow;

use crate::{
    live::{self, Live, Slot},
    problem::Problem,
    state::App,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "LogSource")]
enum Source {
    /// What the job printed.
    Out,
    /// What the platform says about the job.
    Progress,
}

/// A line of output.
#[derive(Debug, Object)]
#[oai(rename = "LogLine")]
pub(super) struct Line {
    at: Timestamp,
    stream: Source,
    text: String,
}

/// The output of the scan after the line with the id `after`. Of a scan that has ended it comes
/// from the archive, where ids count lines from 1; else from the stream, whose ids are far larger.
pub(super) async fn follow(
    app: &App,
    org: OrganizationId,
    slot: Slot,
    scan: &ScanRow,
    after: Option<u64>,
) -> Result<Live<Line>, Problem> {
    let id = scan.id.to_string();
    if scan.state.has_ended() {
        let kept = app.archive.read(org, &id).await.map_err(|e| Problem::unavailable(&e))?;
        let known = after.unwrap_or(0);
        if known <= kept.len() as u64 && !kept.is_empty() {
            let lines = (1..).zip(kept).skip(known as usize);
            return Ok(Live::new(whole(stream::iter(lines.map(Ok)).boxed(), slot)));
        }
        let lines = app.logs.stored(org, &id, after).await.map_err(|e| Problem::unavailable(&e))?;
        return Ok(Live::new(whole(lines, slot)));
    }
    let lines = app.logs.follow(org, &id, after).await.map_err(|e| Problem::unavailable(&e))?;
    Ok(Live::new(growing(app.clone(), org, scan.id, lines, slot)))
}

fn written(id: u64, line: LogLine) -> Bytes {
    let (name, stream) = match line.stream {
        LogSource::Out => ("out", Source::Out),
        LogSource::Progress => ("progress", Source::Progress),
    };
    let line = Line { at: line.at, stream, text: line.text };
    live::event(id, name, &line.to_json_string())
}

fn end() -> Bytes {
    Bytes::from_static(b"event: end\ndata: {}\n\n")
}

/// Lines that are all there.
fn whole(lines: Lines, slot: Slot) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let ended = slot.ended().clone().cancelled_owned();
    let lines = lines.take_until(ended).map(|line| match line {
        Ok((id, line)) => Ok(written(id, line)),
        Err(error) => Err(io::Error::other(error)),
    });
    let last = async move { Ok(if slot.is_over() { live::opening() } else { end() }) };
    stream::once(async { Ok(live::opening()) }).chain(lines).chain(stream::once(last))
}

struct Growing {
    app: App,
    org: OrganizationId,
    id: ScanId,
    lines: Lines,
    last: u64,
    keep_alive: Duration,
    slot: Slot,
}

/// Lines of a scan that may still run.
fn growing(
    app: App,
    org: OrganizationId,
    id: ScanId,
    lines: Lines,
    slot: Slot,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let keep_alive = app.options.keep_alive;
    let state = Growing { app, org, id, lines, last: 0, keep_alive, slot };
    let lines = stream::unfold(Some(state), |state| async {
        let mut state = state?;
        let (bytes, more) = state.next().await;
        Some((Ok(bytes), more.then_some(state)))
    });
    stream::once(async { Ok(live::opening()) }).chain(lines)
}

impl Growing {
    /// What to send next, and whether anything follows it.
    async fn next(&mut self) -> (Bytes, bool) {
        let next = tokio::select! {
            biased;
            () = self.slot.ended().cancelled() => return (live::opening(), false),
            next = tokio::time::timeout(self.keep_alive, self.lines.next()) => next,
        };
        match next {
            Ok(Some(Ok((id, line)))) => {
                self.last = id;
                (written(id, line), true)
            }
            Ok(None) => (end(), false),
            Ok(Some(Err(error))) => {
                let _logged = Problem::unavailable(&error);
                (live::opening(), false)
            }
            // A scan that was cancelled before it began has no last line.
            Err(_quiet) if has_ended(self.app.clone(), self.org, self.id).await => (end(), false),
            Err(_quiet) if self.last == 0 => (Bytes::from_static(b": alive\n\n"), true),
            Err(_quiet) => (live::alive(self.last), true),
        }
    }
}

async fn has_ended(app: App, org: OrganizationId, id: ScanId) -> bool {
    let state = app.journal.state::<Scan>(org, &id.to_string()).await;
    matches!(state, Ok(Some((scan, _))) if scan.status.has_ended())
}
