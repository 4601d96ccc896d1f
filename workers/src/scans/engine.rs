use std::path::Path;

use domain::scans::{Engine, EngineOutcome, Scan, ScanCommand};
use engines::{Message, Spec};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::findings::Findings;
use super::request::Request;
use super::warnings::Warnings;
use super::{Scans, bound};
use crate::runtime::{JobContext, JobError};
use crate::sandbox::{Command, Lines, Reason, Running};

const SUMMARY_CHARS: usize = 300;
const LINE_CHARS: usize = 2000;
/// Lines of stderr shown of one engine.
const STDERR_LINES: usize = 200;

/// How an engine came to its end, as far as its messages tell.
enum Said {
    Done {
        outcome: EngineOutcome,
        summary: String,
    },
    /// It broke the protocol.
    Nonsense(String),
    /// It ended without a last message.
    Nothing,
}

impl Scans {
    /// Runs one engine and records what it found and how it ended. An error means that the whole
    /// attempt cannot go on.
    pub(super) async fn run_engine(
        &self,
        job: &JobContext,
        request: &Request,
        engine: Engine,
        root: Option<&Path>,
        engines_left: usize,
    ) -> Result<(), JobError> {
        let mut warnings = Warnings::new(engine);
        self.prepare(job, engine, &mut warnings).await?;
        let (command, spec) = self.plan(job, request, engine, root, engines_left)?;
        let (fence, now) = (job.fence, job.now());
        job.execute::<Scan>(ScanCommand::StartEngine { fence, engine, now }).await?;
        job.log.progress(&format!("{engine}: started"));
        if let Some(warning) = self.checkouts.sandbox.warning() {
            warnings.say("sandbox-missing", warning.to_owned());
        }
        let mut findings = Findings::new(job, engine, self.options.limits.max_findings);
        let (said, exit, last_words) =
            follow(job, &command, &spec, &mut findings, &mut warnings).await?;
        if job.cancel.is_cancelled() {
            return Err(JobError::retry("the attempt was cancelled"));
        }
        findings.flush().await?;
        let (outcome, summary) = judge(&said, exit, &last_words, &mut warnings);
        let (outcome, summary) = count(&findings, outcome, summary, &mut warnings);
        job.log.progress(&format!("{engine}: {summary}"));
        job.execute::<Scan>(ScanCommand::FinishEngine {
            fence,
            engine,
            outcome,
            warnings: warnings.into_list(),
            summary,
            now: job.now(),
        })
        .await
    }

    /// Sees that the newest advisories are here. Without them the older ones do, with a warning.
    async fn prepare(
        &self,
        job: &JobContext,
        engine: Engine,
        warnings: &mut Warnings,
    ) -> Result<(), JobError> {
        let Some(advisories) =
            self.options.advisories.as_ref().filter(|_| engine == Engine::Dependencies)
        else {
            return Ok(());
        };
        match job.cancel.run_until_cancelled(advisories.refresh()).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                tracing::warn!(error = %crate::chain(&error), "advisories could not be refreshed");
                let message = format!("newer advisories may have been published: {error}");
                warnings.say("advisories-not-refreshed", message);
                Ok(())
            }
            None => Err(JobError::retry("the attempt was cancelled")),
        }
    }
}

async fn follow(
    job: &JobContext,
    command: &Command,
    spec: &Spec,
    findings: &mut Findings<'_>,
    warnings: &mut Warnings,
) -> Result<(Said, Reason, String), JobError> {
    let spec = serde_json::to_vec(spec).map_err(JobError::fail)?;
    let running = command.spawn().map_err(|error| JobError::retry(crate::chain(&error)))?;
    let Running { stdin, stdout, stderr, mut process } = running;
    let messages = async {
        let said = read(job, stdout, findings, warnings).await;
        if matches!(said, Ok(Said::Nonsense(_)) | Err(_)) {
            process.kill();
        }
        (said, process.wait().await)
    };
    let ((), (said, exit), last_words) =
        tokio::join!(give(stdin, &spec), messages, show(job, stderr));
    Ok((said?, exit.reason, last_words))
}

/// An engine that does not read its specification will say so by its end.
async fn give(stdin: Option<ChildStdin>, spec: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _: std::io::Result<()> = stdin.write_all(spec).await;
    }
}

async fn read(
    job: &JobContext,
    mut stdout: Lines,
    findings: &mut Findings<'_>,
    warnings: &mut Warnings,
) -> Result<Said, JobError> {
    while let Some(line) = stdout.next().await {
        if line.cut {
            return Ok(Said::Nonsense("a line is too long".to_owned()));
        }
        match serde_json::from_slice(&line.bytes) {
            Ok(Message::Finding { finding }) => match bound::finding(*finding) {
                Ok(finding) => findings.add(finding).await?,
                Err(reason) => return Ok(Said::Nonsense(reason.to_owned())),
            },
            Ok(Message::Warning { warning }) => warnings.add(warning),
            Ok(Message::Progress { text }) => job.log.output(&bound::line(&text, LINE_CHARS)),
            Ok(Message::Done { outcome, summary }) => {
                let summary = bound::line(&summary, SUMMARY_CHARS);
                return Ok(Said::Done { outcome, summary });
            }
            Err(error) => return Ok(Said::Nonsense(error.to_string())),
        }
    }
    Ok(Said::Nothing)
}

/// Shows what the engine complains about; returns the last of it.
async fn show(job: &JobContext, mut stderr: Lines) -> String {
    let (mut last, mut shown) = (String::new(), 0);
    while let Some(line) = stderr.next().await {
        last = bound::line(&line.text(), LINE_CHARS);
        if shown < STDERR_LINES {
            job.log.output(&last);
            shown += 1;
        }
    }
    last
}

/// What the messages and the end of the process come to.
fn judge(
    said: &Said,
    exit: Reason,
    last_words: &str,
    warnings: &mut Warnings,
) -> (EngineOutcome, String) {
    let (code, reason) = match (said, exit) {
        (Said::Done { outcome, summary }, Reason::Exited(0)) => return (*outcome, summary.clone()),
        (_, Reason::OutOfMemory) => {
            ("engine-out-of-memory", "it needed more memory than it may use".to_owned())
        }
        (_, Reason::TimedOut) => ("engine-timed-out", "it took longer than it may".to_owned()),
        (_, Reason::TooMuchOutput) => {
            ("engine-protocol", "it wrote more than can be read".to_owned())
        }
        (Said::Nonsense(reason), _) => {
            ("engine-protocol", format!("its answer cannot be read: {reason}"))
        }
        (Said::Done { .. } | Said::Nothing, exit) if last_words.is_empty() => {
            ("engine-crashed", format!("it ended without a result: {exit}"))
        }
        (Said::Done { .. } | Said::Nothing, exit) => {
            ("engine-crashed", format!("it ended without a result: {exit}: {last_words}"))
        }
    };
    warnings.say(code, reason.clone());
    (EngineOutcome::Failed, bound::line(&reason, SUMMARY_CHARS))
}

/// Findings that were left out make a complete result a partial one.
fn count(
    findings: &Findings<'_>,
    outcome: EngineOutcome,
    summary: String,
    warnings: &mut Warnings,
) -> (EngineOutcome, String) {
    if findings.left_out() == 0 {
        return (outcome, summary);
    }
    let (kept, left_out) = (findings.taken(), findings.left_out());
    let message = format!("{kept} findings were kept and {left_out} more were left out");
    warnings.say("too-many-findings", message);
    match outcome {
        EngineOutcome::Completed => (EngineOutcome::Partial, summary),
        EngineOutcome::Partial | EngineOutcome::Failed => (outcome, summary),
    }
}
