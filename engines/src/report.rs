use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use domain::scans::{Engine, EngineOutcome, Finding, MAX_WARNINGS, Warning};

use crate::{
    Limits, Message, Output, RunError,
    tree::{LeftOut, Reason, TreeLimits},
};

/// The answer of one engine run while it is being given. It keeps to the limits of the run and
/// remembers whether anything was left out.
pub(crate) struct Report<'a> {
    out: &'a mut dyn Output,
    engine: Engine,
    deadline: Instant,
    max_findings: u64,
    findings: u64,
    warnings: usize,
    partial: bool,
    time_told: bool,
}

impl<'a> Report<'a> {
    pub fn new(engine: Engine, limits: &Limits, out: &'a mut dyn Output) -> Self {
        Self {
            out,
            engine,
            deadline: Instant::now() + Duration::from_secs(limits.time_s.into()),
            max_findings: limits.max_findings,
            findings: 0,
            warnings: 0,
            partial: false,
            time_told: false,
        }
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn tree_limits(&self, limits: &Limits) -> TreeLimits {
        TreeLimits {
            max_files: limits.max_files,
            max_file_bytes: limits.max_file_bytes,
            max_total_bytes: limits.max_total_bytes,
            deadline: self.deadline,
        }
    }

    pub fn findings(&self) -> u64 {
        self.findings
    }

    /// Whether something was left out so far.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Findings that can still be taken, and one more to notice that there are too many.
    pub fn room(&self) -> usize {
        let left = self.max_findings.saturating_sub(self.findings).saturating_add(1);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Breaks when no further finding can be taken.
    pub fn finding(&mut self, finding: Finding) -> Result<ControlFlow<()>, RunError> {
        if self.findings >= self.max_findings {
            let max = self.max_findings;
            self.left_out(
                "too-many-findings",
                format!("there are more than {max} findings; the rest was left out"),
            )?;
            return Ok(ControlFlow::Break(()));
        }
        self.findings += 1;
        self.out.send(Message::Finding { finding: Box::new(finding) })?;
        Ok(ControlFlow::Continue(()))
    }

    /// Breaks when the time is over.
    pub fn check_time(&mut self) -> Result<ControlFlow<()>, RunError> {
        if Instant::now() < self.deadline {
            return Ok(ControlFlow::Continue(()));
        }
        if !self.time_told {
            self.time_told = true;
            self.left_out("time-limit", "the time was over before everything was looked at")?;
        }
        Ok(ControlFlow::Break(()))
    }

    /// A warning that says that something was not looked at: the outcome is partial.
    pub fn left_out(&mut self, code: &str, message: impl Into<String>) -> Result<(), RunError> {
        self.partial = true;
        self.warn(code, message)
    }

    /// More warnings than a scan keeps are not sent.
    pub fn warn(&mut self, code: &str, message: impl Into<String>) -> Result<(), RunError> {
        self.warnings += 1;
        if self.warnings > MAX_WARNINGS {
            return Ok(());
        }
        self.out.send(Message::Warning {
            warning: Warning {
                code: code.to_owned(),
                message: message.into(),
                engine: Some(self.engine),
            },
        })?;
        Ok(())
    }

    pub fn progress(&mut self, text: impl Into<String>) -> Result<(), RunError> {
        self.out.send(Message::Progress { text: text.into() })?;
        Ok(())
    }

    pub fn tell_left_out(&mut self, left_out: &LeftOut) -> Result<(), RunError> {
        for (code, message, missed) in left_out.warnings() {
            self.partial |= missed;
            self.time_told |= code == Reason::TimeOver.code();
            self.warn(code, message)?;
        }
        Ok(())
    }

    /// The last line: complete unless something was left out.
    pub fn done(self, summary: String) -> Result<(), RunError> {
        let outcome = if self.partial { EngineOutcome::Partial } else { EngineOutcome::Completed };
        self.done_as(outcome, summary)
    }

    pub fn done_as(self, outcome: EngineOutcome, summary: String) -> Result<(), RunError> {
        self.out.send(Message::Done { outcome, summary })?;
        Ok(())
    }
}

/// `3.1 MB`, for people.
pub(crate) fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
impl Output for Vec<Message> {
    fn send(&mut self, message: Message) -> std::io::Result<()> {
        self.push(message);
        Ok(())
    }
}
