use std::{fs, io, os::unix::fs::symlink, path::Path};

use domain::scans::{EngineOutcome, FindingStatus, Location, Profile};

use super::{LIMITS, assert_hidden, findings, outcome, quick, samples, scan, warnings};
use crate::{Limits, Message, Output, RunError, secrets};

fn github(seed: u64) -> String {
    format!("gh{}_{}", "p", samples::mixed(36, seed))
}

fn fingerprints(root: &Path) -> Vec<String> {
    findings(&quick(root)).iter().map(|finding| finding.fingerprint.clone()).collect()
}

#[test]
fn a_finding_says_where_it_is() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("src")).unwrap();
    fs::write(root.path().join("src/a.rs"), format!("one\ntwo\nlet t = \"{}\";\n", github(1)))
        .unwrap();
    let messages = quick(root.path());
    let expected = Location::File {
        path: "src/a.rs".to_owned(),
        line: Some(3),
        column: Some(10),
        commit: None,
    };
    assert_eq!(findings(&messages)[0].location, expected);
    assert_eq!(outcome(&messages), (EngineOutcome::Completed, "1 file, 60 bytes, 1 finding"));
    assert!(messages.iter().any(|message| matches!(message, Message::Progress { .. })));
}

#[test]
fn fingerprints_survive_moves_of_the_line() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("config");
    let url = format!("url = postgres://app:{}@db/app", samples::mixed(10, 3));
    fs::write(&path, format!("{url}\n{}\n", github(2))).unwrap();
    let before = fingerprints(root.path());
    fs::write(&path, format!("# new\n\n  {}\nmore\n\t{url}\n", github(2))).unwrap();
    let mut after = fingerprints(root.path());
    after.reverse();
    assert_eq!(before.len(), 2);
    assert_eq!(before, after);
}

#[test]
fn fingerprints_of_passwords_say_nothing_about_them() {
    let root = tempfile::tempdir().unwrap();
    let of = |password: &str| {
        fs::write(root.path().join("c"), format!("redis://:{password}@cache:6379/0\n")).unwrap();
        fingerprints(root.path())
    };
    assert_eq!(of("hunter2-a"), of("hunter2-b"));
    assert_eq!(of("hunter2-a").len(), 1);
}

#[test]
fn the_same_credential_twice_makes_two_fingerprints() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), format!("{0}\n{0}\n", github(3))).unwrap();
    let found = fingerprints(root.path());
    assert_eq!(found.len(), 2);
    assert_ne!(found[0], found[1]);
}

#[test]
fn an_accepted_credential_is_kept_as_suppressed() {
    let root = tempfile::tempdir().unwrap();
    let text =
        format!("{} # millrace:allow\n{} // gitleaks:allow\n{}\n", github(4), github(5), github(6));
    fs::write(root.path().join("a"), text).unwrap();
    let messages = quick(root.path());
    let states: Vec<_> = findings(&messages).iter().map(|finding| finding.status).collect();
    assert_eq!(states, [FindingStatus::Suppressed, FindingStatus::Suppressed, FindingStatus::Open]);
}

#[test]
fn nothing_outside_the_tree_is_read() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a"), github(7)).unwrap();
    let root = tempfile::tempdir().unwrap();
    symlink(outside.path().join("a"), root.path().join("link")).unwrap();
    symlink(outside.path(), root.path().join("folder")).unwrap();
    let messages = quick(root.path());
    assert!(findings(&messages).is_empty());
    assert_eq!(warnings(&messages), ["symlink-not-followed"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Completed);
}

#[test]
fn a_file_that_is_too_large_makes_the_result_partial() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), format!("{}\n", github(8))).unwrap();
    fs::write(root.path().join("large"), "text\n".repeat(1000)).unwrap();
    let limits = Limits { max_file_bytes: 1000, ..LIMITS };
    let messages = scan(root.path(), Profile::Quick, &limits);
    assert_eq!(findings(&messages).len(), 1);
    assert_eq!(warnings(&messages), ["file-too-large"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
}

#[test]
fn findings_and_time_are_bounded() {
    let root = tempfile::tempdir().unwrap();
    let text: String = (10..30).map(|seed| github(seed) + "\n").collect();
    fs::write(root.path().join("a"), text).unwrap();
    let messages = scan(root.path(), Profile::Quick, &Limits { max_findings: 5, ..LIMITS });
    assert_eq!(findings(&messages).len(), 5);
    assert_eq!(warnings(&messages), ["too-many-findings"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
    let exactly = scan(root.path(), Profile::Quick, &Limits { max_findings: 20, ..LIMITS });
    assert_eq!(outcome(&exactly).0, EngineOutcome::Completed);
    let messages = scan(root.path(), Profile::Quick, &Limits { time_s: 0, ..LIMITS });
    assert_eq!(warnings(&messages), ["time-limit"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
}

#[test]
fn packed_and_garbled_files_are_searched_and_hide_their_values() {
    let root = tempfile::tempdir().unwrap();
    let line = "var a=1;".repeat(200_000);
    fs::write(root.path().join("a.js"), format!("{line}'{}';{line}", github(31))).unwrap();
    let mut bytes = b"\xff\xfe caf\xe9 = ".to_vec();
    bytes.extend(github(32).as_bytes());
    bytes.extend(b"\xc3\n");
    fs::write(root.path().join("b.txt"), bytes).unwrap();
    let messages = quick(root.path());
    assert_eq!(findings(&messages).len(), 2);
    assert_hidden(&messages, &github(31)[6..]);
    assert_hidden(&messages, &github(32)[6..]);
}

#[test]
fn hashes_in_lock_files_are_no_secrets() {
    let root = tempfile::tempdir().unwrap();
    let text = format!("\"secret_token\": \"{}\"\n", samples::mixed(40, 33));
    fs::write(root.path().join("package-lock.json"), &text).unwrap();
    assert!(findings(&quick(root.path())).is_empty());
    fs::write(root.path().join("settings.json"), &text).unwrap();
    assert_eq!(findings(&quick(root.path())).len(), 1);
}

/// Keeps nothing, as a process that writes to a pipe does.
#[derive(Default)]
struct Counted {
    findings: u64,
    lost_after: Option<u64>,
}

impl Output for Counted {
    fn send(&mut self, message: Message) -> io::Result<()> {
        if let Message::Finding { .. } = message {
            self.findings += 1;
        }
        match self.lost_after {
            Some(after) if self.findings >= after => Err(io::ErrorKind::BrokenPipe.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn findings_are_sent_as_they_are_found_and_a_lost_reader_ends_the_run() {
    let root = tempfile::tempdir().unwrap();
    for file in 0..10 {
        let text: String = (0..100).map(|line| github(file * 100 + line + 1) + "\n").collect();
        fs::write(root.path().join(format!("{file}")), text).unwrap();
    }
    let mut all = Counted::default();
    secrets::run(root.path(), Profile::Quick, &LIMITS, &mut all).unwrap();
    assert_eq!(all.findings, 1000);
    let mut lost = Counted { lost_after: Some(150), ..Counted::default() };
    let error = secrets::run(root.path(), Profile::Quick, &LIMITS, &mut lost).unwrap_err();
    assert!(matches!(error, RunError::Output(_)));
    assert_eq!(lost.findings, 150);
}
