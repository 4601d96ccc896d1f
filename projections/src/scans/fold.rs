//! The one meaning of a scan's events: for live tables, for rebuilds and for the past.

use std::collections::HashSet;

use domain::{
    Timestamp,
    ids::ScanId,
    scans::{
        Engine, EngineOutcome, Finding, FindingStatus, ScanEvent, ScanStatus, SeverityCounts,
        Warning,
    },
};
use journal::Recorded;

use super::row::{EngineProgress, EngineStatus, ScanRow};
use crate::event::storable;

/// A scan while events are folded over it.
#[derive(Debug, Default)]
pub(super) struct ScanFold<'e> {
    pub row: Option<ScanRow>,
    /// The tables hold the scan already.
    pub stored: bool,
    /// Engine and fingerprint of findings that the scan has already.
    pub seen: HashSet<(Engine, String)>,
    /// The findings that were there before are gone.
    pub cleared: bool,
    /// New findings with their numbers; none of them when `count_only`.
    pub fresh: Vec<(u64, Engine, &'e Finding)>,
    pub count_only: bool,
}

impl<'e> ScanFold<'e> {
    /// Gives the reason when the event does not fit what is known of the scan.
    pub fn apply(&mut self, recorded: &Recorded, event: &'e ScanEvent) -> Result<(), String> {
        if let ScanEvent::Requested { .. } = event {
            self.row = Some(request(recorded, event)?);
            return Ok(());
        }
        if let ScanEvent::AttemptStarted { .. } = event {
            self.clear();
        }
        if let ScanEvent::FindingsRecorded { engine, findings, .. } = event {
            self.record(*engine, findings)?;
        }
        let row = self.row.as_mut().ok_or(UNKNOWN)?;
        row.apply(event)?;
        row.sequence = recorded.sequence;
        row.position = recorded.position;
        Ok(())
    }

    fn clear(&mut self) {
        if self.row.as_ref().is_some_and(|row| row.findings > 0) {
            self.cleared = true;
            self.seen.clear();
            self.fresh.clear();
        }
    }

    /// Findings that the engine reported before are kept once.
    fn record(&mut self, engine: Engine, findings: &'e [Finding]) -> Result<(), String> {
        let row = self.row.as_mut().ok_or(UNKNOWN)?;
        let progress = row.engine(engine)?;
        for finding in findings {
            if !self.seen.insert((engine, storable(&finding.fingerprint))) {
                continue;
            }
            row.findings += 1;
            row.engines[progress].findings += 1;
            row.counts.add(&SeverityCounts::of([finding]));
            row.suppressed += u64::from(finding.status == FindingStatus::Suppressed);
            if !self.count_only {
                self.fresh.push((row.findings, engine, finding));
            }
        }
        Ok(())
    }
}

const UNKNOWN: &str = "the request of this scan is not in the view";

fn request(recorded: &Recorded, event: &ScanEvent) -> Result<ScanRow, String> {
    let ScanEvent::Requested { target, engines, profile, requested_at, .. } = event else {
        return Err("not the request of a scan".to_owned());
    };
    let id: ScanId = recorded.aggregate_id.parse().map_err(|e| format!("its aggregate id: {e}"))?;
    Ok(ScanRow {
        org: recorded.org,
        id,
        state: ScanStatus::Queued,
        target: target.clone(),
        profile: *profile,
        engines: engines.iter().copied().map(EngineProgress::waiting).collect(),
        attempt: 1,
        counts: SeverityCounts::default(),
        suppressed: 0,
        findings: 0,
        warnings: Vec::new(),
        complete: false,
        cancel_requested: false,
        requested_by: recorded.actor.clone(),
        requested_at: *requested_at,
        not_before: None,
        started_at: None,
        deadline: None,
        finished_at: None,
        reason: None,
        sequence: recorded.sequence,
        requested_position: recorded.position,
        position: recorded.position,
    })
}

impl ScanRow {
    fn apply(&mut self, event: &ScanEvent) -> Result<(), String> {
        match event {
            // These two are folded with the findings.
            ScanEvent::Requested { .. } | ScanEvent::FindingsRecorded { .. } => {}
            ScanEvent::AttemptStarted { attempt, started_at, deadline, .. } => {
                self.start(*attempt, *started_at, *deadline);
            }
            ScanEvent::EngineStarted { engine, started_at, .. } => {
                let index = self.engine(*engine)?;
                self.engines[index].status = EngineStatus::Running;
                self.engines[index].started_at = Some(*started_at);
            }
            ScanEvent::EngineFinished {
                engine, outcome, warnings, finished_at, summary, ..
            } => self.finish_engine(*engine, *outcome, warnings, *finished_at, summary)?,
            ScanEvent::Requeued { attempt, reason, not_before, fault: _ } => {
                self.stop_engines();
                self.state = ScanStatus::Queued;
                self.attempt = *attempt;
                self.reason = Some(storable(reason));
                self.not_before = Some(*not_before);
                self.deadline = None;
            }
            ScanEvent::Completed { complete, completed_at, .. } => {
                self.complete = *complete;
                self.end(ScanStatus::Completed, *completed_at, None);
            }
            ScanEvent::Failed { reason, failed_at, .. } => {
                self.end(ScanStatus::Failed, *failed_at, Some(storable(reason)));
            }
            ScanEvent::CancelRequested { .. } => self.cancel_requested = true,
            ScanEvent::Cancelled { cancelled_at } => {
                self.cancel_requested = true;
                self.end(ScanStatus::Cancelled, *cancelled_at, None);
            }
        }
        Ok(())
    }

    /// A new attempt begins from nothing.
    fn start(&mut self, attempt: u32, started_at: Timestamp, deadline: Timestamp) {
        for progress in &mut self.engines {
            *progress = EngineProgress::waiting(progress.engine);
        }
        self.state = ScanStatus::Running;
        self.attempt = attempt;
        self.counts = SeverityCounts::default();
        self.suppressed = 0;
        self.findings = 0;
        self.warnings.clear();
        self.started_at = Some(started_at);
        self.deadline = Some(deadline);
        self.not_before = None;
    }

    fn finish_engine(
        &mut self,
        engine: Engine,
        outcome: EngineOutcome,
        warnings: &[Warning],
        finished_at: Timestamp,
        summary: &str,
    ) -> Result<(), String> {
        let index = self.engine(engine)?;
        let progress = &mut self.engines[index];
        progress.status = outcome.into();
        progress.finished_at = Some(finished_at);
        progress.summary = Some(summary.to_owned());
        self.warnings.extend_from_slice(warnings);
        Ok(())
    }

    fn end(&mut self, state: ScanStatus, at: Timestamp, reason: Option<String>) {
        self.stop_engines();
        self.state = state;
        self.finished_at = Some(at);
        self.reason = reason;
        self.not_before = None;
    }

    fn stop_engines(&mut self) {
        for progress in &mut self.engines {
            if matches!(progress.status, EngineStatus::Waiting | EngineStatus::Running) {
                progress.status = EngineStatus::Stopped;
            }
        }
    }

    fn engine(&self, engine: Engine) -> Result<usize, String> {
        self.engines
            .iter()
            .position(|progress| progress.engine == engine)
            .ok_or_else(|| format!("the engine {engine} was not asked for"))
    }
}
