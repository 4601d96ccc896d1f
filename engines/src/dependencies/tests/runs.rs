use std::{fs, os::unix::fs::symlink, path::Path};

use domain::scans::{EngineOutcome, Finding, Location, Severity};
use serde_json::{Value, json};

use crate::{Limits, Message, advisories, dependencies};

const LIMITS: Limits = Limits {
    time_s: 60,
    max_findings: 1000,
    max_files: 10_000,
    max_file_bytes: 10_000_000,
    max_total_bytes: 1_000_000_000,
};

const VECTOR: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";

fn advisory(id: &str, package: &str, aliases: Value, more: Value) -> Value {
    let mut advisory = json!({
        "id": id,
        "summary": format!("{package} leaks"),
        "details": "Long text.",
        "aliases": aliases,
        "affected": [{
            "package": {"ecosystem": "crates.io", "name": package},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]}],
        }],
        "references": [{"type": "WEB", "url": format!("https://example.org/{id}")}],
    });
    for (key, value) in more.as_object().unwrap() {
        advisory[key] = value.clone();
    }
    advisory
}

fn store(all: &[Value]) -> tempfile::TempDir {
    let source = tempfile::tempdir().unwrap();
    for (number, advisory) in all.iter().enumerate() {
        fs::write(source.path().join(format!("{number}.json")), advisory.to_string()).unwrap();
    }
    let store = tempfile::tempdir().unwrap();
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    advisories::import(source.path(), store.path(), now).unwrap();
    store
}

fn cargo_lock(packages: &[(&str, &str)]) -> String {
    let mut text = "version = 4\n".to_owned();
    for (name, version) in packages {
        text += &format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry+x\"\n"
        );
    }
    text
}

fn scan(root: &Path, store: Option<&Path>, limits: &Limits) -> Vec<Message> {
    let mut messages = Vec::new();
    dependencies::run(root, store, limits, &mut messages).unwrap();
    let ends = messages.iter().filter(|message| matches!(message, Message::Done { .. })).count();
    assert_eq!(ends, 1);
    messages
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

fn warnings(messages: &[Message]) -> Vec<(&str, &str)> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Warning { warning } => Some((warning.code.as_str(), warning.message.as_str())),
            _ => None,
        })
        .collect()
}

fn codes(messages: &[Message]) -> Vec<&str> {
    warnings(messages).into_iter().map(|(code, _)| code).collect()
}

fn outcome(messages: &[Message]) -> (EngineOutcome, &str) {
    match messages.last() {
        Some(Message::Done { outcome, summary }) => (*outcome, summary),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_affected_package_is_told_with_its_fix() {
    let store = store(&[advisory(
        "RUSTSEC-2026-0001",
        "leaky",
        json!(["CVE-2026-1"]),
        json!({"severity": [{"type": "CVSS_V3", "score": VECTOR}]}),
    )]);
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("part")).unwrap();
    let lock = cargo_lock(&[("fine", "1.0.0"), ("leaky", "1.2.2"), ("leaky", "1.2.3")]);
    fs::write(root.path().join("part/Cargo.lock"), lock).unwrap();
    let messages = scan(root.path(), Some(store.path()), &LIMITS);
    let found = findings(&messages);
    assert_eq!(found.len(), 1);
    let found = found[0];
    assert_eq!(
        (found.rule_id.as_str(), found.title.as_str()),
        ("RUSTSEC-2026-0001", "leaky leaks")
    );
    assert_eq!(found.severity, Severity::High);
    assert_eq!(found.cvss.as_ref().map(|cvss| cvss.score), Some(7.5));
    assert_eq!(found.aliases, ["CVE-2026-1"]);
    assert_eq!(found.cwe, [1395]);
    let package = found.package.as_ref().unwrap();
    assert_eq!(
        (package.purl.as_str(), package.fixed_in.as_slice()),
        ("pkg:cargo/leaky@1.2.2", &["1.2.3".to_owned()][..])
    );
    assert_eq!(found.fix.as_deref(), Some("Upgrade leaky to 1.2.3 or later."));
    let place = Location::File {
        path: "part/Cargo.lock".to_owned(),
        line: Some(8),
        column: None,
        commit: None,
    };
    assert_eq!(found.location, place);
    let expected = (EngineOutcome::Completed, "1 lock file, 3 packages, 1 finding");
    assert_eq!(outcome(&messages), expected);
}

#[test]
fn the_standard_library_of_go_is_compared_too() {
    let store = store(&[advisory(
        "GO-2026-0001",
        "stdlib",
        json!([]),
        json!({"affected": [{
            "package": {"ecosystem": "Go", "name": "stdlib"},
            "ranges": [{"type": "SEMVER", "events": [
                {"introduced": "0"}, {"fixed": "1.22.5"},
                {"introduced": "1.23.0-0"}, {"fixed": "1.23.0-rc.2"},
            ]}],
        }]}),
    )]);
    for (go, fixed_in) in
        [("1.22.3", Some("1.22.5")), ("1.22.5", None), ("1.23rc1", Some("1.23.0-rc.2"))]
    {
        let root = tempfile::tempdir().unwrap();
        let text = format!("module example.org/own\n\ngo {go}\n");
        fs::write(root.path().join("go.mod"), text).unwrap();
        let messages = scan(root.path(), Some(store.path()), &LIMITS);
        let found = findings(&messages);
        assert_eq!(found.len(), usize::from(fixed_in.is_some()), "{go}");
        if let (Some(found), Some(fixed_in)) = (found.first(), fixed_in) {
            let fix = found.fix.as_deref().unwrap();
            assert!(fix.starts_with(&format!("Build with Go {fixed_in} or later")), "{fix}");
            assert!(found.package.as_ref().unwrap().purl.starts_with("pkg:golang/stdlib@1.2"));
        }
    }
}

#[test]
fn fingerprints_survive_moves_and_other_affected_versions() {
    let store = store(&[advisory("RUSTSEC-2026-0001", "leaky", json!([]), json!({}))]);
    let root = tempfile::tempdir().unwrap();
    let of = |packages: &[(&str, &str)]| {
        fs::write(root.path().join("Cargo.lock"), cargo_lock(packages)).unwrap();
        let messages = scan(root.path(), Some(store.path()), &LIMITS);
        findings(&messages)[0].fingerprint.clone()
    };
    let first = of(&[("leaky", "1.0.0")]);
    assert_eq!(first, of(&[("a", "1.0.0"), ("leaky", "1.1.0")]));
    assert_eq!(first.len(), 32);
}

#[test]
fn the_same_weakness_of_two_databases_is_told_once() {
    let store = store(&[
        advisory(
            "GHSA-aaaa",
            "leaky",
            json!(["CVE-2026-1"]),
            json!({"database_specific": {"severity": "CRITICAL", "cwe_ids": ["CWE-22"]}}),
        ),
        advisory("RUSTSEC-2026-0001", "leaky", json!(["CVE-2026-1"]), json!({})),
        advisory("RUSTSEC-2026-0002", "leaky", json!(["CVE-2026-2"]), json!({})),
    ]);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("Cargo.lock"), cargo_lock(&[("leaky", "1.0.0")])).unwrap();
    let messages = scan(root.path(), Some(store.path()), &LIMITS);
    let found = findings(&messages);
    let ids: Vec<_> = found.iter().map(|finding| finding.rule_id.as_str()).collect();
    assert_eq!(ids, ["RUSTSEC-2026-0001", "RUSTSEC-2026-0002"]);
    assert_eq!(found[0].aliases, ["CVE-2026-1", "GHSA-aaaa"]);
    assert_eq!((found[0].severity, found[0].cwe.as_slice()), (Severity::Critical, &[22][..]));
    assert_eq!(found[1].severity, Severity::Medium);
}

#[test]
fn without_advisories_nothing_is_called_clean() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("Cargo.lock"), cargo_lock(&[("leaky", "1.0.0")])).unwrap();
    let empty = tempfile::tempdir().unwrap();
    for store in [None, Some(empty.path())] {
        let messages = scan(root.path(), store, &LIMITS);
        assert_eq!(codes(&messages), ["advisories-missing"]);
        assert!(warnings(&messages)[0].1.contains("millrace advisories import"));
        assert_eq!(outcome(&messages).0, EngineOutcome::Failed);
    }
    fs::write(empty.path().join("crates.io.json"), "{").unwrap();
    let messages = scan(root.path(), Some(empty.path()), &LIMITS);
    assert_eq!(codes(&messages), ["advisories-unreadable", "advisories-missing"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Failed);
}

#[test]
fn a_missing_ecosystem_makes_the_result_partial() {
    let store = store(&[advisory("RUSTSEC-2026-0001", "leaky", json!([]), json!({}))]);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("Cargo.lock"), cargo_lock(&[("fine", "1.0.0")])).unwrap();
    fs::write(root.path().join("requirements.txt"), "django==4.2.1\n").unwrap();
    let messages = scan(root.path(), Some(store.path()), &LIMITS);
    assert_eq!(codes(&messages), ["advisories-missing"]);
    assert!(warnings(&messages)[0].1.contains("PyPI"));
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
}

#[test]
fn a_tree_without_lock_files_says_so() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("node_modules/a")).unwrap();
    fs::write(root.path().join("node_modules/a/yarn.lock"), "# yarn lockfile v1\n").unwrap();
    let messages = scan(root.path(), None, &LIMITS);
    assert_eq!(codes(&messages), ["no-lock-files"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Completed);
}

#[test]
fn broken_foreign_and_unpinned_files_are_told() {
    let store = store(&[advisory("RUSTSEC-2026-0001", "leaky", json!([]), json!({}))]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("lock"), cargo_lock(&[("leaky", "1.0.0")])).unwrap();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("b")).unwrap();
    fs::write(root.path().join("Cargo.lock"), "<<<<<<< HEAD\n").unwrap();
    symlink(outside.path().join("lock"), root.path().join("b/Cargo.lock")).unwrap();
    fs::write(root.path().join("requirements.txt"), "flask\nnumpy>=1\n").unwrap();
    let messages = scan(root.path(), Some(store.path()), &LIMITS);
    assert!(findings(&messages).is_empty());
    let expected =
        ["lock-file-unreadable", "unpinned-packages", "symlink-not-followed", "advisories-missing"];
    assert_eq!(codes(&messages), expected);
    assert!(warnings(&messages)[1].1.ends_with("flask, numpy"));
}

#[test]
fn go_sum_is_read_only_where_there_is_no_go_mod() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("old")).unwrap();
    let sum = "example.org/a v1.0.0 h1:x=\nexample.org/b v1.0.0 h1:x=\n";
    fs::write(root.path().join("go.mod"), "module m\nrequire example.org/a v1.0.0\n").unwrap();
    fs::write(root.path().join("go.sum"), sum).unwrap();
    fs::write(root.path().join("old/go.sum"), sum).unwrap();
    let messages = scan(root.path(), None, &LIMITS);
    assert_eq!(outcome(&messages).1, "2 lock files, 3 packages, 0 findings");
}

#[test]
fn findings_and_time_are_bounded() {
    let names: Vec<_> = (0..30).map(|number| format!("leaky-{number}")).collect();
    let advisories: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(number, name)| advisory(&format!("RUSTSEC-{number}"), name, json!([]), json!({})))
        .collect();
    let store = store(&advisories);
    let root = tempfile::tempdir().unwrap();
    let packages: Vec<_> = names.iter().map(|name| (name.as_str(), "1.0.0")).collect();
    fs::write(root.path().join("Cargo.lock"), cargo_lock(&packages)).unwrap();
    let limits = Limits { max_findings: 5, ..LIMITS };
    let messages = scan(root.path(), Some(store.path()), &limits);
    assert_eq!(findings(&messages).len(), 5);
    assert_eq!(codes(&messages), ["too-many-findings"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
    let limits = Limits { time_s: 0, ..LIMITS };
    let messages = scan(root.path(), Some(store.path()), &limits);
    assert_eq!(codes(&messages), ["time-limit"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
}

#[test]
fn versions_that_cannot_be_compared_make_the_result_partial() {
    let store = store(&[advisory("RUSTSEC-2026-0001", "leaky", json!([]), json!({}))]);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("Cargo.lock"), cargo_lock(&[("leaky", "odd")])).unwrap();
    let messages = scan(root.path(), Some(store.path()), &LIMITS);
    let expected = "versions could not be compared: RUSTSEC-2026-0001 for leaky odd";
    assert_eq!(warnings(&messages), [("version-not-understood", expected)]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
}
