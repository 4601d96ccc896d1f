use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    time::{Duration, Instant},
};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;

const ALL: Selection = Selection { file: |_| true, skip_folders: &[".git"], text_only: true };

fn limits() -> TreeLimits {
    TreeLimits {
        max_files: 100,
        max_file_bytes: 1000,
        max_total_bytes: 10_000,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}

fn walk(root: &Path, selection: Selection, limits: TreeLimits) -> (Vec<String>, Tree) {
    let mut tree = Tree::open(root, selection, limits).unwrap();
    let mut paths = Vec::new();
    while let Some(file) = tree.next_file() {
        paths.push(file.path);
    }
    (paths, tree)
}

fn codes(tree: &Tree) -> Vec<(&'static str, bool)> {
    tree.left_out().warnings().map(|(code, _, missed)| (code, missed)).collect()
}

#[test]
fn files_come_in_the_order_of_their_names() {
    let root = tempfile::tempdir().unwrap();
    for path in ["b/2", "b/1", "c", "a/x/deep", ".git/config", "z"] {
        fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
        fs::write(root.path().join(path), path).unwrap();
    }
    let (paths, tree) = walk(root.path(), ALL, limits());
    assert_eq!(paths, ["a/x/deep", "b/1", "b/2", "c", "z"]);
    assert_eq!((tree.files(), tree.bytes()), (5, 16));
    assert!(codes(&tree).is_empty());
}

#[test]
fn links_pipes_and_sockets_are_not_read() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "outside").unwrap();
    let root = tempfile::tempdir().unwrap();
    symlink(outside.path().join("secret"), root.path().join("link")).unwrap();
    symlink(outside.path(), root.path().join("folder")).unwrap();
    symlink("/dev/zero", root.path().join("endless")).unwrap();
    mkfifoat(CWD, root.path().join("pipe"), Mode::RWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    fs::write(root.path().join("real"), "inside").unwrap();
    let (paths, tree) = walk(root.path(), ALL, limits());
    assert_eq!(paths, ["real"]);
    assert_eq!(codes(&tree), [("symlink-not-followed", false), ("special-file", false)]);
    assert_eq!(tree.left_out().count(Reason::Symlink), 3);
}

#[test]
fn a_huge_sparse_file_is_left_out_at_once() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("huge");
    fs::write(&path, "text ".repeat(2000)).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(2 << 30).unwrap();
    let started = Instant::now();
    let (paths, tree) = walk(root.path(), ALL, limits());
    assert!(paths.is_empty());
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(codes(&tree), [("file-too-large", true)]);
    let (_, message, _) = tree.left_out().warnings().next().unwrap();
    assert_eq!(message, "1 left out, larger than the limit for one file: huge");
}

#[test]
fn names_that_are_no_text_are_shown_escaped() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(OsStr::from_bytes(b"caf\xe9\n\x1b[31m")), "x").unwrap();
    let (paths, _) = walk(root.path(), ALL, limits());
    assert_eq!(paths, ["caf\\xe9\\x0a\\x1b[31m"]);
}

#[test]
fn binary_files_and_caches_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("binary"), b"\x7fELF\0\0").unwrap();
    fs::create_dir_all(root.path().join("target/debug")).unwrap();
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# made by a test\n";
    fs::write(root.path().join("target/CACHEDIR.TAG"), tag).unwrap();
    fs::write(root.path().join("target/debug/output"), "text").unwrap();
    let (paths, tree) = walk(root.path(), ALL, limits());
    assert!(paths.is_empty());
    assert_eq!(codes(&tree), [("cache-folder", false)]);
    let every = Selection { text_only: false, ..ALL };
    assert_eq!(walk(root.path(), every, limits()).0, ["binary"]);
}

#[test]
fn reaching_a_limit_ends_the_walk_and_is_told() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..20 {
        fs::write(root.path().join(format!("{number:02}")), "0123456789").unwrap();
    }
    let (paths, tree) = walk(root.path(), ALL, TreeLimits { max_files: 5, ..limits() });
    assert_eq!(paths.len(), 5);
    assert_eq!(codes(&tree), [("too-many-files", true)]);
    let (paths, tree) = walk(root.path(), ALL, TreeLimits { max_total_bytes: 35, ..limits() });
    assert_eq!(paths, ["00", "01", "02"]);
    assert_eq!(codes(&tree), [("too-many-bytes", true)]);
    let over = TreeLimits { deadline: Instant::now(), ..limits() };
    let (paths, tree) = walk(root.path(), ALL, over);
    assert!(paths.is_empty());
    assert_eq!(codes(&tree), [("time-limit", true)]);
}

#[test]
fn a_very_deep_tree_does_not_use_up_the_open_files() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("d/".repeat(300));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "x").unwrap();
    let (paths, tree) = walk(root.path(), ALL, TreeLimits { max_files: 1000, ..limits() });
    assert!(paths.is_empty());
    assert_eq!(codes(&tree), [("folder-too-deep", true)]);
}

#[test]
fn many_left_out_files_make_one_warning() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..50 {
        fs::write(root.path().join(format!("{number:02}")), "x".repeat(2000)).unwrap();
    }
    let (_, tree) = walk(root.path(), ALL, limits());
    let warnings: Vec<_> = tree.left_out().warnings().collect();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].1.ends_with("00, 01, 02 and 47 more"), "{}", warnings[0].1);
}

#[test]
fn a_missing_root_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let error = Tree::open(&root.path().join("none"), ALL, limits()).err().unwrap();
    assert!(error.to_string().contains("cannot open the folder"), "{error}");
}
