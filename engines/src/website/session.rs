use std::{collections::HashSet, io};

use domain::scans::{Engine, EngineOutcome, Finding, Warning};

use super::{
    client::{Client, Request},
    failure::Failure,
    response::Response,
    show,
};
use crate::{Limits, Message, Output};

/// After this many requests in a row without an answer the target is left alone.
const MAX_SILENT: u32 = 3;

/// Why the checks end before all were made.
#[derive(Debug)]
pub(super) enum Stop {
    Output(io::Error),
    Time,
    Bytes,
    Findings,
    Silent,
    SlowDown,
}

/// One scan of one site: what it asks, what it reports, and what went wrong.
pub(super) struct Session<'a> {
    pub client: Client,
    /// Scheme of the first page, for the summary.
    pub scheme: String,
    findings: u64,
    out: &'a mut dyn Output,
    max_findings: u64,
    reported: HashSet<String>,
    unanswered: u32,
    silent_in_a_row: u32,
    first_failure: Option<String>,
    is_partial: bool,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Stop {
    fn warning(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Output(_) => None,
            Self::Time => {
                Some(("time-limit", "the time of the scan was used up before all checks were made"))
            }
            Self::Bytes => Some((
                "byte-limit",
                "the scan read as many bytes as it may before all checks were made",
            )),
            Self::Findings => Some((
                "too-many-findings",
                "the scan reported as many findings as it may; there are more",
            )),
            Self::Silent => Some((
                "stopped-answering",
                "the site stopped answering, so the remaining checks were left out; it may be overloaded or block scanners",
            )),
            Self::SlowDown => Some((
                "rate-limited",
                "the site asked for fewer requests (status 429), so the remaining checks were left out",
            )),
        }
    }
}

impl<'a> Session<'a> {
    pub fn new(client: Client, out: &'a mut dyn Output, limits: &Limits) -> Self {
        Self {
            client,
            scheme: "no page".to_owned(),
            findings: 0,
            out,
            max_findings: limits.max_findings,
            reported: HashSet::new(),
            unanswered: 0,
            silent_in_a_row: 0,
            first_failure: None,
            is_partial: false,
        }
    }

    /// `None` when there was no answer: that is counted, and ends the scan when it keeps happening.
    pub async fn ask(&mut self, request: &Request<'_>) -> Result<Option<Response>, Stop> {
        match self.client.ask(request).await {
            Ok(answer) if answer.status == hyper::StatusCode::TOO_MANY_REQUESTS => {
                Err(Stop::SlowDown)
            }
            Ok(answer) => {
                self.silent_in_a_row = 0;
                Ok(Some(answer))
            }
            Err(Failure::TimeUp) => Err(Stop::Time),
            Err(Failure::BytesUp) => Err(Stop::Bytes),
            Err(failure) => self.count(request, &failure).map(|()| None),
        }
    }

    fn count(&mut self, request: &Request<'_>, failure: &Failure) -> Result<(), Stop> {
        self.unanswered += 1;
        self.silent_in_a_row += 1;
        self.first_failure.get_or_insert_with(|| {
            show::text(&format!("{} {}: {failure}", request.method, request.url.path()))
        });
        if self.silent_in_a_row == MAX_SILENT { Err(Stop::Silent) } else { Ok(()) }
    }

    /// A finding with the identity of an earlier one is left out.
    pub fn report(&mut self, finding: Finding) -> Result<(), Stop> {
        if !self.reported.insert(finding.fingerprint.clone()) {
            return Ok(());
        }
        if self.findings >= self.max_findings {
            return Err(Stop::Findings);
        }
        self.findings += 1;
        Ok(self.out.send(Message::Finding { finding: Box::new(finding) })?)
    }

    pub fn report_all(&mut self, findings: Vec<Finding>) -> Result<(), Stop> {
        findings.into_iter().try_for_each(|finding| self.report(finding))
    }

    /// Something the reader should know, which takes nothing from the result.
    pub fn note(&mut self, code: &str, message: String) -> io::Result<()> {
        let warning = Warning { code: code.to_owned(), message, engine: Some(Engine::Website) };
        self.out.send(Message::Warning { warning })
    }

    /// Something could not be looked at.
    pub fn warn(&mut self, code: &str, message: String) -> io::Result<()> {
        self.is_partial = true;
        self.note(code, message)
    }

    pub fn progress(&mut self, text: impl Into<String>) -> io::Result<()> {
        self.out.send(Message::Progress { text: text.into() })
    }

    /// Writes the last line.
    pub fn finish(mut self, result: Result<Ended, Stop>) -> io::Result<()> {
        let ended = match result {
            Ok(ended) => ended,
            Err(Stop::Output(error)) => return Err(error),
            Err(stop) => {
                if let Some((code, message)) = stop.warning() {
                    self.warn(code, message.to_owned())?;
                }
                Ended::Examined
            }
        };
        if let Some(first) = self.first_failure.take() {
            let message = format!(
                "{} of {} requests had no answer; the first of them: {first}",
                self.unanswered, self.client.requests
            );
            self.warn("unanswered-requests", message)?;
        }
        let outcome = match ended {
            Ended::Unreachable => EngineOutcome::Failed,
            Ended::Examined if self.is_partial => EngineOutcome::Partial,
            Ended::Examined => EngineOutcome::Completed,
        };
        let summary = format!(
            "{} requests, {}, {} findings",
            self.client.requests, self.scheme, self.findings
        );
        self.out.send(Message::Done { outcome, summary })
    }
}

/// How far a scan came that was not stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Examined,
    Unreachable,
}
