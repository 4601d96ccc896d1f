use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use domain::scans::{EngineOutcome, Location, Profile};

use super::{LIMITS, assert_hidden, findings, outcome, quick, samples, scan, warnings};
use crate::{
    Limits, Message,
    secrets::patch::{Added, Patches},
};

fn token(seed: u64) -> String {
    format!("gh{}_{}", "p", samples::mixed(36, seed))
}

fn git(root: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@localhost"])
        .args(arguments)
        .current_dir(root)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn repository() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    git(root.path(), &["init", "--quiet", "--initial-branch=main"]);
    root
}

/// The hash of a commit of everything in the tree.
fn commit(root: &Path) -> String {
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--message=a change"]);
    git(root, &["rev-parse", "HEAD"])
}

fn full(root: &Path) -> Vec<Message> {
    scan(root, Profile::Full, &LIMITS)
}

#[test]
fn what_was_taken_out_again_is_found_with_its_commit() {
    let root = repository();
    let file = root.path().join("with space & \"quotes\".txt");
    fs::write(&file, format!("first\nsecond\nkey {}\n", token(1))).unwrap();
    let hash = commit(root.path());
    fs::write(&file, "first\nsecond\n").unwrap();
    commit(root.path());
    assert!(findings(&quick(root.path())).is_empty());
    let messages = full(root.path());
    let found = findings(&messages);
    assert_eq!(found.len(), 1);
    let expected = Location::File {
        path: "with space & \"quotes\".txt".to_owned(),
        line: Some(3),
        column: Some(5),
        commit: Some(hash),
    };
    assert_eq!(found[0].location, expected);
    assert_hidden(&messages, &token(1));
    let (state, summary) = outcome(&messages);
    assert_eq!(state, EngineOutcome::Completed);
    assert!(summary.ends_with("2 commits, 1 finding"), "{summary}");
}

#[test]
fn what_still_stands_in_the_tree_is_told_once() {
    let root = repository();
    for number in 0..3 {
        fs::write(root.path().join("a"), format!("{number}\n{}\n", token(2))).unwrap();
        commit(root.path());
    }
    let messages = full(root.path());
    assert_eq!(findings(&messages).len(), 1);
    assert!(matches!(findings(&messages)[0].location, Location::File { commit: None, .. }));
}

#[test]
fn merges_and_other_branches_are_searched() {
    let root = repository();
    fs::write(root.path().join("a"), "one\n").unwrap();
    commit(root.path());
    git(root.path(), &["checkout", "--quiet", "-b", "side"]);
    fs::write(root.path().join("a"), format!("{}\n", token(3))).unwrap();
    commit(root.path());
    git(root.path(), &["checkout", "--quiet", "main"]);
    fs::write(root.path().join("b"), "two\n").unwrap();
    commit(root.path());
    git(root.path(), &["merge", "--quiet", "--no-commit", "side"]);
    // Neither branch had this: only the merge itself shows it.
    fs::write(root.path().join("a"), format!("{}\n", token(4))).unwrap();
    commit(root.path());
    fs::write(root.path().join("a"), "clean\n").unwrap();
    commit(root.path());
    assert_eq!(findings(&full(root.path())).len(), 2);
}

#[test]
fn settings_of_the_repository_start_nothing() {
    let root = repository();
    let proof = root.path().join("proof");
    let script = root.path().join("script");
    fs::write(&script, format!("#!/bin/sh\ntouch '{}'\ncat \"$1\"\n", proof.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.path().join(".gitattributes"), "* diff=own\n").unwrap();
    fs::write(root.path().join("a"), format!("{}\n", token(5))).unwrap();
    commit(root.path());
    fs::write(root.path().join("a"), "clean\n").unwrap();
    commit(root.path());
    let script = script.to_str().unwrap();
    for key in [
        "diff.external",
        "diff.own.command",
        "diff.own.textconv",
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "gpg.program",
        "core.sshCommand",
        "alias.log",
    ] {
        git(root.path(), &["config", key, script]);
    }
    git(root.path(), &["config", "log.showSignature", "true"]);
    git(root.path(), &["config", "log.showRoot", "false"]);
    git(root.path(), &["config", "diff.noprefix", "true"]);
    git(root.path(), &["config", "core.hooksPath", root.path().to_str().unwrap()]);
    let messages = full(root.path());
    assert!(!proof.exists());
    assert_eq!(findings(&messages).len(), 1);
    assert_eq!(outcome(&messages).0, EngineOutcome::Completed);
}

#[test]
fn a_partial_clone_fetches_nothing() {
    let root = repository();
    fs::write(root.path().join("a"), "one\n").unwrap();
    commit(root.path());
    let blob = git(root.path(), &["rev-parse", "HEAD:a"]);
    fs::remove_file(root.path().join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..])))
        .unwrap();
    let proof = root.path().join("proof");
    let url = format!("ext::sh -c touch% {}", proof.display());
    for (key, value) in [
        ("remote.origin.url", url.as_str()),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
        ("protocol.ext.allow", "always"),
    ] {
        git(root.path(), &["config", key, value]);
    }
    let messages = full(root.path());
    assert!(!proof.exists());
    assert_eq!(warnings(&messages), ["history-unreadable"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
}

#[test]
fn a_history_elsewhere_is_not_read() {
    let elsewhere = repository();
    fs::write(elsewhere.path().join("a"), token(6)).unwrap();
    commit(elsewhere.path());
    let link = tempfile::tempdir().unwrap();
    symlink(elsewhere.path().join(".git"), link.path().join(".git")).unwrap();
    let file = tempfile::tempdir().unwrap();
    let text = format!("gitdir: {}\n", elsewhere.path().join(".git").display());
    fs::write(file.path().join(".git"), text).unwrap();
    let objects = repository();
    fs::remove_dir_all(objects.path().join(".git/objects")).unwrap();
    symlink(elsewhere.path().join(".git/objects"), objects.path().join(".git/objects")).unwrap();
    let borrowed = repository();
    let alternates = elsewhere.path().join(".git/objects");
    fs::write(
        borrowed.path().join(".git/objects/info/alternates"),
        format!("{}\n", alternates.display()),
    )
    .unwrap();
    for root in [link, file, objects, borrowed] {
        let messages = full(root.path());
        assert!(findings(&messages).is_empty());
        assert!(warnings(&messages).contains(&"history-skipped"), "{messages:?}");
        assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
    }
}

#[test]
fn a_history_with_a_place_that_could_hide_a_link_is_not_read() {
    let elsewhere = repository();
    fs::write(elsewhere.path().join("a"), token(7)).unwrap();
    commit(elsewhere.path());
    let cached = repository();
    fs::remove_dir(cached.path().join(".git/objects/pack")).unwrap();
    for entry in fs::read_dir(elsewhere.path().join(".git/objects")).unwrap() {
        let entry = entry.unwrap();
        let link = cached.path().join(".git/objects").join(entry.file_name());
        if !link.exists() {
            symlink(entry.path(), link).unwrap();
        }
    }
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n";
    fs::write(cached.path().join(".git/objects/CACHEDIR.TAG"), tag).unwrap();
    let head = git(elsewhere.path(), &["rev-parse", "HEAD"]);
    fs::write(cached.path().join(".git/refs/heads/main"), format!("{head}\n")).unwrap();
    let deep = repository();
    fs::create_dir_all(deep.path().join(".git/refs").join("d/".repeat(120))).unwrap();
    for root in [cached, deep] {
        let messages = full(root.path());
        assert!(findings(&messages).is_empty());
        assert_eq!(warnings(&messages), ["history-skipped"]);
        assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
    }
}

#[test]
fn empty_broken_and_large_histories_end_well() {
    let empty = repository();
    assert_eq!(outcome(&full(empty.path())).0, EngineOutcome::Completed);
    let broken = tempfile::tempdir().unwrap();
    fs::create_dir(broken.path().join(".git")).unwrap();
    assert_eq!(warnings(&full(broken.path())), ["history-unreadable"]);
    let large = repository();
    fs::write(large.path().join("a"), "some text\n".repeat(20_000)).unwrap();
    commit(large.path());
    fs::remove_file(large.path().join("a")).unwrap();
    let limits = Limits { max_total_bytes: 100_000, ..LIMITS };
    let messages = scan(large.path(), Profile::Full, &limits);
    assert_eq!(warnings(&messages), ["history-too-large"]);
    assert_eq!(outcome(&messages).0, EngineOutcome::Partial);
}

#[test]
fn content_cannot_pass_for_a_header() {
    let patch = b"\0c1\n\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -0,0 +7,3 @@\n+++ b/forged\n\
        +\0c2\n+diff --git\n\\ No newline at end of file\ndiff --git a/b b/b\n+++ \"b/\\303\\251\\t\"\n\
        @@ -1 +9 @@ x\n-@@ -0,0 +1 @@\n+last\n@@@ -1 -1 +3,2 @@@\n +theirs\n++merged\n";
    let mut patches = Patches::new(&patch[..]);
    let mut next = |commit: &str, path: &str, first_line, text: &str| {
        let expected = Added { commit, path, first_line, text: text.as_bytes() };
        assert_eq!(patches.next_added().unwrap(), Some(expected));
    };
    next("c1", "a", 7, "++ b/forged\n\0c2\ndiff --git\n");
    next("c1", "é\\x09", 9, "last\n");
    next("c1", "é\\x09", 4, "merged\n");
    assert_eq!(patches.next_added().unwrap(), None);
}

#[test]
fn lines_and_hunks_of_a_patch_are_bounded() {
    let line = "x".repeat(3_000_000);
    let patch = format!("\0c\ndiff \n+++ b/a\n@@ -0,0 +1,3 @@\n+{line}\n+{line}\n+end\n");
    let mut patches = Patches::new(patch.as_bytes());
    let mut longest = 0;
    let mut last = Vec::new();
    while let Some(added) = patches.next_added().unwrap() {
        longest = longest.max(added.text.len());
        last = added.text.to_vec();
    }
    assert!(longest < 5_000_000);
    assert!(last.ends_with(b"\nend\n"));
    assert_eq!(patches.bytes(), patch.len() as u64);
}
