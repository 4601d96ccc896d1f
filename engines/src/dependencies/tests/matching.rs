use serde_json::{Value, json};

use crate::{
    advisories::{Advisory, Ecosystem},
    dependencies::matching::{Verdict, evaluate},
};

fn advisory(affected: Value) -> Advisory {
    let text = json!({"id": "X-1", "summary": "", "affected": affected});
    serde_json::from_value(text).unwrap()
}

fn range(kind: &str, events: Value) -> Advisory {
    advisory(json!([{"ranges": [{"type": kind, "events": events}]}]))
}

fn affected(ecosystem: Ecosystem, advisory: &Advisory, versions: &[&str]) {
    for version in versions {
        let verdict = evaluate(ecosystem, version, advisory);
        assert!(matches!(verdict, Verdict::Affected { .. }), "{version}: {verdict:?}");
    }
}

fn unaffected(ecosystem: Ecosystem, advisory: &Advisory, versions: &[&str]) {
    for version in versions {
        assert_eq!(evaluate(ecosystem, version, advisory), Verdict::Unaffected, "{version}");
    }
}

fn fixes(ecosystem: Ecosystem, advisory: &Advisory, version: &str) -> Vec<String> {
    match evaluate(ecosystem, version, advisory) {
        Verdict::Affected { fixed_in } => fixed_in,
        other => panic!("{version}: {other:?}"),
    }
}

#[test]
fn a_range_goes_from_introduced_to_before_fixed() {
    let all = range("SEMVER", json!([{"introduced": "0"}, {"fixed": "1.2.3"}]));
    affected(Ecosystem::CratesIo, &all, &["0.0.0", "0.0.0-alpha", "1.2.2", "1.2.3-rc.1"]);
    unaffected(Ecosystem::CratesIo, &all, &["1.2.3", "1.2.3+build", "1.2.4-alpha", "2.0.0"]);
    let from = range("SEMVER", json!([{"introduced": "1.0.0-0"}, {"fixed": "1.2.3-0"}]));
    affected(Ecosystem::CratesIo, &from, &["1.0.0-alpha", "1.0.0", "1.2.2"]);
    unaffected(Ecosystem::CratesIo, &from, &["0.9.9", "1.2.3-alpha", "1.2.3"]);
}

#[test]
fn a_last_affected_version_is_affected_itself() {
    let last = range("ECOSYSTEM", json!([{"introduced": "2.0.0"}, {"last_affected": "2.5.0"}]));
    affected(Ecosystem::Npm, &last, &["2.0.0", "2.5.0-beta", "2.5.0"]);
    unaffected(Ecosystem::Npm, &last, &["1.9.9", "2.5.1-beta", "2.5.1"]);
    assert!(fixes(Ecosystem::Npm, &last, "2.5.0").is_empty());
}

#[test]
fn events_are_evaluated_in_the_order_of_their_versions() {
    let events = json!([
        {"fixed": "3.1.0"}, {"introduced": "3.0.0"}, {"fixed": "1.5.0"}, {"introduced": "1.0.0"},
    ]);
    let several = range("SEMVER", events);
    affected(Ecosystem::Npm, &several, &["1.0.0", "1.4.9", "3.0.0", "3.0.5"]);
    unaffected(Ecosystem::Npm, &several, &["0.9.0", "1.5.0", "2.9.9", "3.1.0"]);
    assert_eq!(fixes(Ecosystem::Npm, &several, "1.2.0"), ["1.5.0"]);
    assert_eq!(fixes(Ecosystem::Npm, &several, "3.0.0"), ["3.1.0"]);
}

#[test]
fn the_fix_of_the_branch_in_use_is_told() {
    let branches = advisory(json!([
        {"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.8.2"}]}]},
        {"ranges": [{"type": "SEMVER", "events": [{"introduced": "2.0.0"}, {"fixed": "2.3.1"}]}]},
        {"ranges": [{"type": "SEMVER", "events": [{"introduced": "3.0.0"}]}]},
    ]));
    assert_eq!(fixes(Ecosystem::CratesIo, &branches, "1.0.0"), ["1.8.2"]);
    assert_eq!(fixes(Ecosystem::CratesIo, &branches, "2.0.0"), ["2.3.1"]);
    assert!(fixes(Ecosystem::CratesIo, &branches, "3.5.0").is_empty());
    unaffected(Ecosystem::CratesIo, &branches, &["1.8.2", "2.3.1"]);
}

#[test]
fn a_limit_bounds_what_is_spoken_of() {
    let limited = range("SEMVER", json!([{"introduced": "1.0.0"}, {"limit": "2.0.0"}]));
    affected(Ecosystem::Go, &limited, &["v1.0.0", "v1.9.9"]);
    unaffected(Ecosystem::Go, &limited, &["v0.9.0", "v2.0.0", "v2.1.0"]);
    let unlimited = range("SEMVER", json!([{"introduced": "1.0.0"}, {"limit": "*"}]));
    affected(Ecosystem::Go, &unlimited, &["v9.0.0"]);
}

#[test]
fn listed_versions_count_beside_ranges() {
    let listed = advisory(json!([{
        "versions": ["1.0", "1.1.post1", "weird"],
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "5"}, {"fixed": "5.1"}]}],
    }]));
    affected(Ecosystem::PyPI, &listed, &["1.0", "1.0.0", "1.0+cu118", "1.1-1", "5.0", "weird"]);
    unaffected(Ecosystem::PyPI, &listed, &["1.1", "1.2", "5.1"]);
}

#[test]
fn python_ranges_know_pre_and_post_releases() {
    let range = range("ECOSYSTEM", json!([{"introduced": "0"}, {"fixed": "2.0"}]));
    affected(Ecosystem::PyPI, &range, &["1.9.post1", "2.0rc1", "2.0.dev3", "1!0.0.dev1"][..3]);
    unaffected(Ecosystem::PyPI, &range, &["2.0", "2.0.0", "2.0.post1", "2.0+local", "1!0.1"]);
}

#[test]
fn go_pseudo_versions_are_compared_by_their_time() {
    let range = range(
        "SEMVER",
        json!([{"introduced": "0"}, {"fixed": "0.0.0-20211202192323-5770296d904e"}]),
    );
    affected(Ecosystem::Go, &range, &["v0.0.0-20190308221718-c2843e01d9a2"]);
    unaffected(
        Ecosystem::Go,
        &range,
        &["v0.0.0-20211202192323-5770296d904e", "v0.0.0-20220101000000-aaaaaaaaaaaa", "v0.1.0"],
    );
}

#[test]
fn ranges_of_commits_say_nothing() {
    let commits = range("GIT", json!([{"introduced": "0"}, {"fixed": "abc"}]));
    unaffected(Ecosystem::Npm, &commits, &["1.0.0", "not-a-version"]);
    unaffected(Ecosystem::Npm, &advisory(json!([])), &["1.0.0"]);
    unaffected(Ecosystem::Npm, &range("SEMVER", json!([])), &["1.0.0"]);
}

#[test]
fn what_cannot_be_compared_is_unclear() {
    let good = range("SEMVER", json!([{"introduced": "0"}, {"fixed": "1.0.0"}]));
    assert_eq!(evaluate(Ecosystem::Npm, "not-a-version", &good), Verdict::Unclear);
    let odd = range("SEMVER", json!([{"introduced": "0"}, {"fixed": "one"}]));
    assert_eq!(evaluate(Ecosystem::Npm, "0.1.0", &odd), Verdict::Unclear);
}
