use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::server::Server;
use super::*;

#[tokio::test]
async fn a_quick_clone_has_the_newest_commit_and_goes_away() {
    let bench = Bench::new().await;
    bench.repository("a", &[("one", b"1"), ("dir/two", b"2")]);
    let server = Server::git(bench.repositories()).await;
    let checkout = bench.clone(&server.url("a/.git")).await.unwrap();
    assert_eq!(fs::read(checkout.path().join("dir/two")).unwrap(), b"2");
    assert_eq!(git(checkout.path(), &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(bench.scratch_entries(), 1);
    drop(checkout);
    bench.scratch_is_emptied().await;
    assert!(bench.said.lock().unwrap()[0].starts_with("cloning http://127.0.0.1:"));
}

#[tokio::test]
async fn a_full_clone_has_all_commits_of_all_branches() {
    let bench = Bench::new().await;
    let source = bench.repository("a", &[("one", b"1"), ("two", b"2")]);
    git(&source, &["checkout", "--quiet", "-b", "side"]);
    fs::write(source.join("three"), "3").unwrap();
    git(&source, &["add", "three"]);
    git(&source, &["commit", "--quiet", "-m", "three"]);
    git(&source, &["checkout", "--quiet", "main"]);
    let server = Server::git(bench.repositories()).await;
    let source = RepositorySource::Url(server.url("a/.git"));
    let checkout = bench.open(source, History::Full).await.unwrap();
    assert_eq!(git(checkout.path(), &["rev-list", "--count", "--all"]), "3");
}

#[tokio::test]
async fn a_name_is_cloned_from_the_addresses_that_were_judged() {
    let bench = Bench::new().await;
    bench.repository("a", &[("one", b"1")]);
    let server = Server::git(bench.repositories()).await;
    let url = format!("http://localhost.:{}/a/.git", server.port);
    let checkout = bench.clone(&url).await.unwrap();
    assert!(checkout.path().join("one").exists());
}

#[tokio::test]
async fn hostile_content_runs_nothing_and_leaves_no_links() {
    let bench = Bench::new().await;
    let source = bench.repository(
        "evil",
        &[
            (".gitattributes", b"* filter=evil diff=evil merge=evil\n"),
            (".gitconfig", b"[filter \"evil\"]\n\tsmudge = touch pwned\n\trequired\n"),
            ("hooks/post-checkout", b"#!/bin/sh\ntouch pwned\n"),
            (".githooks/post-checkout", b"#!/bin/sh\ntouch pwned\n"),
            (".lfsconfig", b"[lfs]\n\turl = ext::touch pwned\n"),
            (
                ".gitmodules",
                b"[submodule \"m\"]\n\tpath = m\n\turl = \"ext::touch pwned\"\n\tupdate = checkout\n",
            ),
        ],
    );
    let commit = git(&source, &["rev-parse", "HEAD"]);
    git(&source, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},m")]);
    std::os::unix::fs::symlink("/etc/shadow", source.join("link")).unwrap();
    git(&source, &["add", "link"]);
    git(&source, &["commit", "--quiet", "-m", "evil"]);
    let server = Server::git(bench.repositories()).await;
    let checkout = bench.clone(&server.url("evil/.git")).await.unwrap();
    let tree = checkout.path();
    assert!(tree.join(".gitmodules").exists());
    assert!(!tree.join("pwned").exists() && !tree.join(".git/pwned").exists());
    assert_eq!(fs::read_dir(tree.join("m")).map_or(0, Iterator::count), 0);
    assert!(fs::symlink_metadata(tree.join("link")).unwrap().is_file());
    assert_eq!(fs::read(tree.join("link")).unwrap(), b"/etc/shadow");
    assert!(!tree.join(".git/hooks").exists());
}

#[tokio::test]
async fn scratch_folders_of_crashed_workers_are_swept() {
    let bench = Bench::new().await;
    bench.repository("a", &[("one", b"1")]);
    let server = Server::git(bench.repositories()).await;
    let held = bench.clone(&server.url("a/.git")).await.unwrap();
    let scratch = &bench.checkouts.scratch;
    fs::create_dir_all(scratch.join("checkout-crashed/tree")).unwrap();
    fs::create_dir_all(scratch.join("of-somebody-else")).unwrap();
    assert_eq!(bench.checkouts.sweep_leftovers().unwrap(), 1);
    assert!(held.path().join("one").exists());
    assert!(scratch.join("of-somebody-else").exists());
    assert!(!scratch.join("checkout-crashed").exists());
}

#[tokio::test]
async fn a_leftover_that_cannot_be_removed_holds_up_no_other() {
    if rustix::process::geteuid().is_root() {
        println!("skipped: root can remove everything");
        return;
    }
    let bench = Bench::new().await;
    let scratch = &bench.checkouts.scratch;
    for name in ["a", "b", "c"] {
        fs::create_dir_all(scratch.join(format!("checkout-{name}/tree"))).unwrap();
    }
    let closed = scratch.join("checkout-b");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    assert_eq!(bench.checkouts.sweep_leftovers().unwrap(), 2);
    assert_eq!(bench.scratch_entries(), 1);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}
