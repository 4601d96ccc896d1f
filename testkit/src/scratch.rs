use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use embedded::DataDir;

/// Waits for the end of its input, which is the end of the test process however it comes, then for
/// Postgres to finish its shutdown, and removes the folder.
const CLEANER: &str = r#"
    read -r _
    tries=0
    while [ $tries -lt 100 ] && ls "$1"/*/servers/postgres/data/postmaster.pid; do
        tries=$((tries + 1))
        sleep 0.1
    done
    rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

/// A new data directory in the folder of this process.
pub fn data_dir(kind: &str) -> DataDir {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = folder().join(format!("{kind}-{number}"));
    DataDir::open(&path).unwrap_or_else(|error| panic!("no data directory for a test: {error}"))
}

fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::Builder::new()
            .prefix("millrace-test-")
            .permissions(PermissionsExt::from_mode(0o711))
            .tempdir()
            .unwrap_or_else(|error| panic!("no folder for tests: {error}"))
            .keep();
        let cleaner = Command::new("sh")
            .args(["-c", CLEANER, "sh"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start sh: {error}"));
        std::mem::forget(cleaner); // its input closes with the process, not before
        folder
    })
}
