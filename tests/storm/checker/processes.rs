//! No process is left behind, none ends on its own, none panics.

use std::{fs, time::Duration};

use super::Verdict;
use crate::{
    fleet,
    launch::{CRAMPED, full_disk_is_possible},
    world::World,
};

/// A role that cannot reach its servers when it is started gives up after a while.
const STARTING: Duration = Duration::from_secs(40);

pub async fn check(world: &World, verdict: &mut Verdict) {
    verdict.topic("no sandbox is left running");
    let roles = world.fleet.pids();
    let folder = world.path().display().to_string();
    let strangers: Vec<_> =
        related(&folder).into_iter().filter(|(pid, _)| !roles.contains(pid)).collect();
    verdict.holds(strangers.is_empty(), || format!("{strangers:?}"));

    verdict.topic("roles only end when they are ended, and in good order");
    for (name, after, how) in world.fleet.deaths() {
        println!("{name} ended by itself after {after:.1?}: {how}");
        verdict.holds(after < STARTING, || format!("{name} after {after:?}: {how}"));
    }
    for fault in world.end_roles() {
        verdict.holds(false, || fault);
    }
    let left = related(&folder);
    verdict.holds(left.is_empty(), || format!("left behind: {left:?}"));

    verdict.topic("a full disk costs the output of jobs and nothing else");
    let full = world.fleet.log(CRAMPED).matches("No space left on device").count();
    verdict.holds(full > 0 || !full_disk_is_possible(), || "the disk was never full".to_owned());

    verdict.topic("no role panicked");
    for index in 0..fleet::ROLES.len() {
        let log = world.fleet.log(index);
        let panic = log.lines().find(|line| line.contains("panicked at"));
        verdict.holds(panic.is_none(), || format!("{}: {panic:?}", fleet::name(index)));
    }
}

/// Processes that name the folder on their command line or have something of it mounted, as
/// everything in a sandbox has.
fn related(folder: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let text = |file: &str| {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let command = text("cmdline");
        if command.contains(folder) || text("mountinfo").contains(folder) {
            found.push((pid, command));
        }
    }
    found
}
