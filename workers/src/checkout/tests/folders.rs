use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn folder(path: &Path, mode: u32) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn an_allowed_folder_is_used_where_it_is() {
    let bench = Bench::new().await;
    let target = bench.folder.path().join("allowed/project");
    folder(&target, 0o755);
    let checkout = bench.path(&target).await.unwrap();
    assert_eq!(checkout.path(), target.canonicalize().unwrap());
    drop(checkout);
    assert!(target.exists());
    assert_eq!(bench.scratch_entries(), 0);
}

#[tokio::test]
async fn a_path_outside_the_allowed_folders_is_refused_with_the_setting() {
    let bench = Bench::new().await;
    let inside = bench.folder.path().join("allowed");
    let outside = bench.folder.path().join("allowed-not");
    folder(&inside, 0o755);
    folder(&outside, 0o755);
    symlink(&outside, inside.join("link")).unwrap();
    let missing = bench.folder.path().join("nowhere");
    for path in [outside, inside.join("link"), PathBuf::from("/etc"), missing] {
        let fault = bench.path(&path).await.unwrap_err();
        assert!(matches!(fault, Error::NotAllowed { .. }), "{fault}");
        assert!(fault.to_string().contains(crate::checkout::FOLDERS_SETTING));
        assert!(!fault.retryable());
    }
}

#[tokio::test]
async fn a_missing_folder_and_a_file_are_told() {
    let bench = Bench::new().await;
    let inside = bench.folder.path().join("allowed");
    folder(&inside, 0o755);
    fs::write(inside.join("file"), "").unwrap();
    for name in ["gone", "file"] {
        let fault = bench.path(&inside.join(name)).await.unwrap_err();
        assert!(matches!(fault, Error::Missing { .. }), "{fault}");
        assert!(!fault.retryable());
    }
}

#[tokio::test]
async fn a_folder_the_sandbox_cannot_read_is_told() {
    let bench = Bench::new().await;
    let target = bench.folder.path().join("allowed/closed");
    folder(&target, 0o000);
    if bench.checkouts.sandbox.warning().is_some() && fs::read_dir(&target).is_ok() {
        println!("skipped: without walls the worker reads it");
        return;
    }
    let fault = bench.path(&target).await.unwrap_err();
    assert!(matches!(fault, Error::Unreadable { .. }), "{fault}");
}
