use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    Engine, EngineOutcome, Finding, Profile, Scan, ScanError, ScanEvent, ScanStatus, Target,
    Warning,
};
use crate::{Decision, Service, Timestamp};

/// Findings in one event: at about 1 kB each it stays far below what a message may carry.
pub const MAX_BATCH_FINDINGS: usize = 200;

/// Warnings kept of one engine; the last of them says how many more there were.
pub const MAX_WARNINGS: usize = 100;

/// What can be asked of a scan.
#[derive(Debug, Clone, PartialEq)]
pub enum ScanCommand {
    Request {
        target: Target,
        /// All that fit the target when left out.
        engines: Option<Vec<Engine>>,
        profile: Profile,
        now: Timestamp,
    },
    /// A worker takes the attempt. It is taken once: a second taker is refused, whatever fence it
    /// brings, unless it is the same worker repeating itself with the same fence.
    StartAttempt {
        attempt: u32,
        fence: Uuid,
        worker: String,
        now: Timestamp,
    },
    StartEngine {
        fence: Uuid,
        engine: Engine,
        now: Timestamp,
    },
    RecordFindings {
        fence: Uuid,
        engine: Engine,
        batch: u32,
        findings: Vec<Finding>,
    },
    FinishEngine {
        fence: Uuid,
        engine: Engine,
        outcome: EngineOutcome,
        warnings: Vec<Warning>,
        summary: String,
        now: Timestamp,
    },
    /// All engines have ended: the result stands.
    Complete {
        fence: Uuid,
        now: Timestamp,
    },
    /// The attempt cannot go on. With a delay it may be tried again, as long as attempts are left.
    FailAttempt {
        fence: Uuid,
        reason: String,
        retry_after: Option<TimeDelta>,
        now: Timestamp,
    },
    /// The holder of the attempt is gone. `fence` is the one it held.
    AbandonAttempt {
        fence: Uuid,
        reason: String,
        now: Timestamp,
    },
    /// The holder ends in good order before its work is done. This is no fault of the scan, so it
    /// costs none of its attempts.
    GiveBack {
        fence: Uuid,
        reason: String,
        now: Timestamp,
    },
    RequestCancel {
        now: Timestamp,
    },
    /// The holder has stopped all work, because cancellation was requested.
    ConfirmCancelled {
        fence: Uuid,
        now: Timestamp,
    },
}

type Outcome = Result<Decision<ScanEvent>, ScanError>;

/// Asking for a scan is left to people and their keys, and for its end to them and to what ends it for
/// those who may ask for nothing any more.
pub(super) fn serves(service: Service, command: &ScanCommand) -> bool {
    match command {
        ScanCommand::Request { .. } => false,
        ScanCommand::StartAttempt { .. }
        | ScanCommand::StartEngine { .. }
        | ScanCommand::RecordFindings { .. }
        | ScanCommand::FinishEngine { .. }
        | ScanCommand::Complete { .. }
        | ScanCommand::GiveBack { .. }
        | ScanCommand::ConfirmCancelled { .. } => service == Service::Worker,
        ScanCommand::FailAttempt { .. } => matches!(service, Service::Worker | Service::Sweeper),
        ScanCommand::AbandonAttempt { .. } | ScanCommand::RequestCancel { .. } => {
            service == Service::Sweeper
        }
    }
}

pub(super) fn decide(scan: &Scan, command: ScanCommand) -> Outcome {
    match command {
        ScanCommand::Request { target, engines, profile, now } => {
            request(scan, target, engines, profile, now)
        }
        ScanCommand::StartAttempt { attempt, fence, worker, now } => {
            start_attempt(scan, attempt, fence, worker, now)
        }
        ScanCommand::StartEngine { fence, engine, now } => start_engine(scan, fence, engine, now),
        ScanCommand::RecordFindings { fence, engine, batch, findings } => {
            record_findings(scan, fence, engine, batch, findings)
        }
        ScanCommand::FinishEngine { fence, engine, outcome, warnings, summary, now } => {
            holder(scan, fence)?;
            let state = running_engine(scan, engine)?;
            if state.outcome.is_some() {
                return Ok(Decision::AlreadyApplied);
            }
            Ok(Decision::one(ScanEvent::EngineFinished {
                attempt: scan.attempt,
                engine,
                outcome,
                warnings: bounded(warnings, engine),
                finished_at: now,
                summary,
            }))
        }
        ScanCommand::Complete { fence, now } => complete(scan, fence, now),
        ScanCommand::FailAttempt { fence, reason, retry_after, now } => {
            holder(scan, fence)?;
            Ok(Decision::one(end_attempt(scan, reason, retry_after, now)))
        }
        ScanCommand::AbandonAttempt { fence, reason, now } => {
            holder(scan, fence)?;
            Ok(Decision::one(end_attempt(scan, reason, Some(TimeDelta::zero()), now)))
        }
        ScanCommand::GiveBack { fence, reason, now } => {
            holder(scan, fence)?;
            Ok(Decision::one(if scan.cancel_requested {
                ScanEvent::Cancelled { cancelled_at: now }
            } else {
                requeued(scan, reason, now, false)
            }))
        }
        ScanCommand::RequestCancel { now } => request_cancel(scan, now),
        ScanCommand::ConfirmCancelled { fence, now } => {
            if scan.status == ScanStatus::Cancelled {
                return Ok(Decision::AlreadyApplied);
            }
            holder(scan, fence)?;
            Ok(Decision::one(ScanEvent::Cancelled { cancelled_at: now }))
        }
    }
}

fn request(
    scan: &Scan,
    target: Target,
    engines: Option<Vec<Engine>>,
    profile: Profile,
    now: Timestamp,
) -> Outcome {
    if scan.status != ScanStatus::New {
        return Err(ScanError::Exists);
    }
    target.validate()?;
    let mut engines = engines.unwrap_or_else(|| target.engines().to_vec());
    engines.sort_unstable();
    engines.dedup();
    if engines.is_empty() {
        return Err(ScanError::NoEngines);
    }
    if let Some(engine) = engines.iter().find(|engine| !target.engines().contains(engine)) {
        return Err(ScanError::EngineDoesNotFit { engine: *engine, target: target.kind() });
    }
    Ok(Decision::one(ScanEvent::Requested {
        target,
        engines,
        profile,
        requested_at: now,
        deadline_s: Scan::JOB.deadline_s(),
    }))
}

fn start_attempt(
    scan: &Scan,
    attempt: u32,
    fence: Uuid,
    worker: String,
    now: Timestamp,
) -> Outcome {
    if scan.status == ScanStatus::New {
        return Err(ScanError::NotFound);
    }
    if scan.status == ScanStatus::Running && scan.attempt == attempt && scan.fence == Some(fence) {
        return Ok(Decision::AlreadyApplied);
    }
    if scan.status != ScanStatus::Queued || scan.attempt != attempt {
        return Err(ScanError::NotWaiting(attempt));
    }
    Ok(Decision::one(ScanEvent::AttemptStarted {
        attempt,
        fence,
        worker,
        started_at: now,
        deadline: now + TimeDelta::seconds(i64::from(scan.deadline_s)),
    }))
}

fn start_engine(scan: &Scan, fence: Uuid, engine: Engine, now: Timestamp) -> Outcome {
    holder(scan, fence)?;
    match scan.engines.get(&engine) {
        None => Err(ScanError::EngineNotRunning(engine)),
        Some(state) if state.started => Ok(Decision::AlreadyApplied),
        Some(_) => Ok(Decision::one(ScanEvent::EngineStarted {
            attempt: scan.attempt,
            engine,
            started_at: now,
        })),
    }
}

fn record_findings(
    scan: &Scan,
    fence: Uuid,
    engine: Engine,
    batch: u32,
    findings: Vec<Finding>,
) -> Outcome {
    holder(scan, fence)?;
    let state = running_engine(scan, engine)?;
    if batch.checked_add(1) == Some(state.next_batch) {
        return Ok(Decision::AlreadyApplied);
    }
    if batch != state.next_batch || state.outcome.is_some() {
        return Err(ScanError::BatchOutOfOrder {
            engine,
            given: batch,
            expected: state.next_batch,
        });
    }
    if findings.len() > MAX_BATCH_FINDINGS {
        return Err(ScanError::BatchTooLarge { given: findings.len(), max: MAX_BATCH_FINDINGS });
    }
    Ok(Decision::one(ScanEvent::FindingsRecorded {
        attempt: scan.attempt,
        engine,
        batch,
        findings,
    }))
}

fn complete(scan: &Scan, fence: Uuid, now: Timestamp) -> Outcome {
    if scan.status == ScanStatus::Completed && scan.fence == Some(fence) {
        return Ok(Decision::AlreadyApplied);
    }
    holder(scan, fence)?;
    let mut outcomes = Vec::with_capacity(scan.engines.len());
    for (engine, state) in &scan.engines {
        outcomes.push(state.outcome.ok_or(ScanError::EngineUnfinished(*engine))?);
    }
    if outcomes.iter().all(|outcome| *outcome == EngineOutcome::Failed) {
        return Ok(Decision::one(ScanEvent::Failed {
            attempt: scan.attempt,
            reason: "no engine could do its work; the warnings say why".to_owned(),
            failed_at: now,
        }));
    }
    Ok(Decision::one(ScanEvent::Completed {
        attempt: scan.attempt,
        counts: scan.counts,
        complete: outcomes.iter().all(|outcome| *outcome == EngineOutcome::Completed),
        completed_at: now,
    }))
}

fn request_cancel(scan: &Scan, now: Timestamp) -> Outcome {
    match scan.status {
        ScanStatus::New => Err(ScanError::NotFound),
        ScanStatus::Cancelled => Ok(Decision::AlreadyApplied),
        ScanStatus::Completed | ScanStatus::Failed => Err(ScanError::Ended(scan.status.as_str())),
        ScanStatus::Queued => Ok(Decision::one(ScanEvent::Cancelled { cancelled_at: now })),
        ScanStatus::Running if scan.cancel_requested => Ok(Decision::AlreadyApplied),
        ScanStatus::Running => Ok(Decision::one(ScanEvent::CancelRequested { requested_at: now })),
    }
}

/// What becomes of a scan whose attempt ended without a result.
fn end_attempt(
    scan: &Scan,
    reason: String,
    retry_after: Option<TimeDelta>,
    now: Timestamp,
) -> ScanEvent {
    if scan.cancel_requested {
        return ScanEvent::Cancelled { cancelled_at: now };
    }
    match retry_after {
        Some(delay) if scan.faults + 1 < Scan::JOB.max_attempts() => {
            requeued(scan, reason, now + delay, true)
        }
        _ => ScanEvent::Failed { attempt: scan.attempt, reason, failed_at: now },
    }
}

fn requeued(scan: &Scan, reason: String, not_before: Timestamp, fault: bool) -> ScanEvent {
    ScanEvent::Requeued { attempt: scan.attempt + 1, reason, not_before, fault }
}

fn holder(scan: &Scan, fence: Uuid) -> Result<(), ScanError> {
    match scan.status {
        ScanStatus::New => Err(ScanError::NotFound),
        ScanStatus::Running if scan.fence == Some(fence) => Ok(()),
        _ => Err(ScanError::StaleAttempt),
    }
}

fn running_engine(scan: &Scan, engine: Engine) -> Result<super::EngineState, ScanError> {
    scan.engines
        .get(&engine)
        .filter(|state| state.started)
        .copied()
        .ok_or(ScanError::EngineNotRunning(engine))
}

fn bounded(mut warnings: Vec<Warning>, engine: Engine) -> Vec<Warning> {
    let given = warnings.len();
    if given > MAX_WARNINGS {
        warnings.truncate(MAX_WARNINGS - 1);
        warnings.push(Warning {
            code: "more-warnings".to_owned(),
            message: format!("{} more warnings were left out", given - (MAX_WARNINGS - 1)),
            engine: Some(engine),
        });
    }
    warnings
}
