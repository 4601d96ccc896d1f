mod files;
mod fuzz;
mod history;
mod rules;
mod samples;

use std::path::Path;

use domain::scans::{EngineOutcome, Finding, Profile};

use crate::{Limits, Message, secrets};

const LIMITS: Limits = Limits {
    time_s: 60,
    max_findings: 1000,
    max_files: 10_000,
    max_file_bytes: 10_000_000,
    max_total_bytes: 1_000_000_000,
};

fn scan(root: &Path, profile: Profile, limits: &Limits) -> Vec<Message> {
    let mut messages = Vec::new();
    secrets::run(root, profile, limits, &mut messages).unwrap();
    let ends = messages.iter().filter(|message| matches!(message, Message::Done { .. })).count();
    assert_eq!(ends, 1);
    assert!(matches!(messages.last(), Some(Message::Done { .. })));
    messages
}

fn quick(root: &Path) -> Vec<Message> {
    scan(root, Profile::Quick, &LIMITS)
}

fn findings(messages: &[Message]) -> Vec<&Finding> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Finding { finding } => Some(&**finding),
            _ => None,
        })
        .collect()
}

fn warnings(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Warning { warning } => Some(warning.code.as_str()),
            _ => None,
        })
        .collect()
}

fn outcome(messages: &[Message]) -> (EngineOutcome, &str) {
    match messages.last() {
        Some(Message::Done { outcome, summary }) => (*outcome, summary),
        other => panic!("{other:?}"),
    }
}

fn assert_hidden(messages: &[Message], value: &str) {
    for message in messages {
        let line = serde_json::to_string(message).unwrap();
        assert!(!line.contains(value), "shows the value: {line}");
    }
}
