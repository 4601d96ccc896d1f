mod addresses;
mod certificates;
mod hostile;
mod pages;
mod server;
mod sites;

use std::{io, sync::Arc, time::Duration};

use domain::scans::{EngineOutcome, Finding, Profile, Severity};
use rustls::RootCertStore;

use super::{client::Settings, run_with};
use crate::{Limits, Message, NetworkPolicy, Output};

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

/// What a scan said.
#[derive(Debug, Default)]
struct Report {
    messages: Vec<Message>,
}

impl Output for Report {
    fn send(&mut self, message: Message) -> io::Result<()> {
        self.messages.push(message);
        Ok(())
    }
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.messages.iter().filter_map(|message| match message {
            Message::Finding { finding } => Some(&**finding),
            _ => None,
        })
    }

    fn finding(&self, rule: &str) -> &Finding {
        let rule = format!("website.{rule}");
        self.findings()
            .find(|f| f.rule_id == rule)
            .unwrap_or_else(|| panic!("no {rule}: {self:#?}"))
    }

    /// Names of the rules, without the prefix, each once and sorted.
    fn rules(&self) -> Vec<&str> {
        let rules = self.findings().map(|f| f.rule_id.strip_prefix("website.").unwrap());
        let mut rules: Vec<&str> = rules.collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    fn above_info(&self) -> Vec<&str> {
        let weak = self.findings().filter(|f| f.severity > Severity::Info);
        weak.map(|f| f.rule_id.as_str()).collect()
    }

    fn warnings(&self) -> Vec<(&str, &str)> {
        let warnings = self.messages.iter().filter_map(|message| match message {
            Message::Warning { warning } => Some((warning.code.as_str(), warning.message.as_str())),
            _ => None,
        });
        warnings.collect()
    }

    fn warns(&self, code: &str) -> bool {
        self.warnings().iter().any(|(found, _)| *found == code)
    }

    /// Of the only `Done`, which must be the last message.
    fn done(&self) -> (EngineOutcome, &str) {
        let is_done = |message: &&Message| matches!(message, Message::Done { .. });
        assert_eq!(self.messages.iter().filter(is_done).count(), 1);
        match self.messages.last() {
            Some(Message::Done { outcome, summary }) => (*outcome, summary),
            other => panic!("the last message is {other:?}"),
        }
    }

    fn outcome(&self) -> EngineOutcome {
        self.done().0
    }

    fn text(&self) -> String {
        serde_json::to_string(&self.messages).unwrap()
    }
}

struct Scan {
    profile: Profile,
    limits: Limits,
    allowed: Vec<String>,
    roots: RootCertStore,
    request_timeout: Duration,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            profile: Profile::Full,
            limits: Limits {
                time_s: 60,
                max_findings: 1_000,
                max_files: 0,
                max_file_bytes: 0,
                max_total_bytes: 16 * 1024 * 1024,
            },
            allowed: LOOPBACK.map(str::to_owned).to_vec(),
            roots: RootCertStore::empty(),
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl Scan {
    fn impatient() -> Self {
        Self { request_timeout: Duration::from_millis(500), ..Self::default() }
    }

    fn run(self, url: &str) -> Report {
        let settings = Settings {
            roots: Arc::new(self.roots),
            request_timeout: self.request_timeout,
            pace: Duration::ZERO,
        };
        let network = NetworkPolicy { allowed_ranges: self.allowed };
        let mut report = Report::default();
        run_with(url, &network, self.profile, &self.limits, settings, &mut report).unwrap();
        report
    }
}

fn scan(url: &str) -> Report {
    Scan::default().run(url)
}
