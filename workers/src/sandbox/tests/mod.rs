//! Against the real bubblewrap. Where there is none, each test says why it was skipped.

mod ending;
mod fuzz;
mod limits;
mod output;
mod walls;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bubblewrap::{Identity, Walls};
use super::hierarchy::Hierarchy;
use super::{Limits, Mode, Output, Sandbox, probe};

async fn sandbox() -> Option<Sandbox> {
    match Sandbox::detect(Mode::Required).await {
        Ok(sandbox) => Some(sandbox),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

/// Every kind of walls that can be built here, with and without control groups.
async fn sandboxes() -> Vec<Sandbox> {
    let Some(best) = sandbox().await else { return Vec::new() };
    let program = Walls::find().unwrap();
    let help = "--disable-userns --size";
    let mut all = vec![best];
    for identity in [Identity::Own, Identity::StagedNobody, Identity::DroppedNobody] {
        let walls = Walls::new(program.clone(), identity, help);
        if probe::runs(&walls, None).await.is_ok() {
            all.push(Sandbox::new(Some(walls.clone()), None, None));
            all.extend(
                Hierarchy::find().map(|groups| Sandbox::new(Some(walls), Some(groups), None)),
            );
        }
    }
    all
}

fn quick() -> Limits {
    Limits { time: Duration::from_secs(20), ..Limits::default() }
}

async fn sh(sandbox: &Sandbox, script: &str) -> Output {
    let mut command = sandbox.command("sh");
    command.args(["-c", script]).limits(quick());
    command.spawn().unwrap().output().await
}

/// Processes of the whole machine whose command line has the marker.
fn processes_with(marker: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let numbered =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().parse::<u32>().is_ok();
    let line = |path: PathBuf| fs::read(path.join("cmdline")).unwrap_or_default();
    entries
        .filter(numbered)
        .map(|path| String::from_utf8_lossy(&line(path)).replace('\0', " "))
        .filter(|line| line.contains(marker))
        .collect()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came true: {what}");
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
