use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Limits;
use super::cgroup::{Group, kill_all, write};
use super::claim::Claim;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// On version 2 one folder has them all and counts as `Memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Pids,
    Cpu,
    Cpuacct,
}

/// Where groups can be made: below the worker's own group, so that limits set for it still hold.
#[derive(Debug, Clone)]
pub(super) struct Hierarchy {
    version: Version,
    parents: Vec<(Controller, PathBuf)>,
}

const PREFIX: &str = "millrace-run-";
const CPU_PERIOD_MICROS: u64 = 100_000;
/// Names of groups whose creator crashed are stepped over; more than this many are no accident.
const CREATE_TRIES: usize = 1000;

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Hierarchy {
    /// The first hierarchy in which a group with a memory limit can really be made.
    pub(super) fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let two = version_two(&mounts, &own).into_iter().map(|parent| Self {
            version: Version::Two,
            parents: vec![(Controller::Memory, parent)],
        });
        let parents = version_one(&mounts, &own);
        // Not every controller need be writable; the first, memory, must be.
        let one = (1..=parents.len())
            .rev()
            .map(|count| Self { version: Version::One, parents: parents[..count].to_vec() });
        two.chain(one).find(|hierarchy| hierarchy.create(&Limits::default()).is_ok())
    }

    pub(super) fn describe(&self) -> &'static str {
        match self.version {
            Version::Two => "control groups version 2",
            Version::One => "control groups version 1",
        }
    }

    pub(super) fn create(&self, limits: &Limits) -> io::Result<Group> {
        for _ in 0..CREATE_TRIES {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{PREFIX}{}-{number}", std::process::id());
            if let Some(group) = self.create_named(&name, limits)? {
                return Ok(group);
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many groups of crashed workers"))
    }

    fn create_named(&self, name: &str, limits: &Limits) -> io::Result<Option<Group>> {
        let mut group = Vec::with_capacity(self.parents.len());
        for (controller, parent) in &self.parents {
            match make(parent.join(name)) {
                Ok(Some(claim)) => group.push((*controller, claim)),
                Ok(None) => {
                    drop(Group::new(self.version, group));
                    return Ok(None);
                }
                Err(error) => {
                    drop(Group::new(self.version, group));
                    return Err(error);
                }
            }
        }
        let group = Group::new(self.version, group);
        self.limit(&group, limits)?;
        Ok(Some(group))
    }

    fn limit(&self, group: &Group, limits: &Limits) -> io::Result<()> {
        let quota = CPU_PERIOD_MICROS * u64::from(limits.cpu_percent) / 100;
        for ((controller, _), folder) in self.parents.iter().zip(group.folders()) {
            match (self.version, controller) {
                (Version::Two, _) => limit_two(folder, limits, quota)?,
                (Version::One, Controller::Memory) => {
                    write(folder, "memory.limit_in_bytes", limits.memory_bytes)?;
                    // Exists only where swap is counted.
                    let _ = write(folder, "memory.memsw.limit_in_bytes", limits.memory_bytes);
                }
                (Version::One, Controller::Pids) => write(folder, "pids.max", limits.pids)?,
                (Version::One, Controller::Cpu) => {
                    write(folder, "cpu.cfs_period_us", CPU_PERIOD_MICROS)?;
                    write(folder, "cpu.cfs_quota_us", quota)?;
                }
                (Version::One, Controller::Cpuacct) => {}
            }
        }
        Ok(())
    }

    /// Removes the groups that no living worker holds; returns how many.
    pub(super) fn sweep_leftovers(&self) -> usize {
        self.parents.iter().map(|(_, parent)| sweep(parent)).max().unwrap_or(0)
    }
}

fn limit_two(folder: &Path, limits: &Limits, quota: u64) -> io::Result<()> {
    write(folder, "memory.max", limits.memory_bytes)?;
    write(folder, "pids.max", limits.pids)?;
    // These may be missing: swap accounting, the cpu controller, and kernels before 4.19.
    let _ = write(folder, "memory.swap.max", 0);
    let _ = write(folder, "cpu.max", format!("{quota} {CPU_PERIOD_MICROS}"));
    let _ = write(folder, "memory.oom.group", 1);
    Ok(())
}

/// `None` when the name is taken, or swept away before it was held.
fn make(folder: PathBuf) -> io::Result<Option<Claim>> {
    match fs::create_dir(&folder) {
        Ok(()) => Claim::take(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

fn sweep(parent: &Path) -> usize {
    let Ok(entries) = fs::read_dir(parent) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter_map(|entry| Claim::take(entry.path()).ok().flatten())
        .filter(|claim| {
            kill_all(claim.path());
            fs::remove_dir(claim.path()).is_ok()
        })
        .count()
}

/// The worker's own group when it was delegated, then the one above, which is where a service
/// with a delegated subgroup lives, then the root, which only root can write.
fn version_two(mounts: &str, own: &str) -> Vec<PathBuf> {
    let Some(mount) = mounts.lines().filter_map(Mount::parse).find(|mount| mount.kind == "cgroup2")
    else {
        return Vec::new();
    };
    let Some(group) = own.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Vec::new();
    };
    let folder = mount.folder(group);
    // Fails where processes live in the group itself, and then a parent may do.
    let _ = write(&folder, "cgroup.subtree_control", "+memory +pids +cpu");
    let above = folder.parent().filter(|above| above.starts_with(mount.point));
    let mut parents = vec![folder.clone()];
    parents.extend(above.map(Path::to_owned));
    parents.push(mount.point.into());
    parents.retain(|parent| {
        fs::read_to_string(parent.join("cgroup.subtree_control"))
            .is_ok_and(|list| list.split_whitespace().any(|name| name == "memory"))
    });
    parents
}

/// Memory comes first: without it the hierarchy is of no use.
fn version_one(mounts: &str, own: &str) -> Vec<(Controller, PathBuf)> {
    let controllers = [
        ("memory", Controller::Memory),
        ("pids", Controller::Pids),
        ("cpu", Controller::Cpu),
        ("cpuacct", Controller::Cpuacct),
    ];
    let mut parents: Vec<(Controller, PathBuf)> = Vec::new();
    for (name, controller) in controllers {
        let parent = version_one_parent(mounts, own, name);
        if parent.is_none() && controller == Controller::Memory {
            return Vec::new();
        }
        // `cpu` and `cpuacct` are often one folder.
        parents.extend(
            parent
                .filter(|parent| parents.iter().all(|(_, other)| other != parent))
                .map(|parent| (controller, parent)),
        );
    }
    parents
}

fn version_one_parent(mounts: &str, own: &str, name: &str) -> Option<PathBuf> {
    let mount = mounts.lines().filter_map(Mount::parse).find(|mount| {
        mount.kind == "cgroup" && mount.options.split(',').any(|option| option == name)
    })?;
    let group = own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (names, group) = rest.split_once(':')?;
        names.split(',').any(|other| other == name).then_some(group)
    })?;
    Some(mount.folder(group))
}

/// The parts of a line of `/proc/self/mountinfo` that matter here.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        Some(Self { root, point, kind: right.next()?, options: right.nth(1)? })
    }

    /// The folder of a group; in a container the mount may begin below the root of the hierarchy.
    fn folder(&self, group: &str) -> PathBuf {
        let relative = Path::new(group).strip_prefix(self.root).unwrap_or(Path::new(""));
        let folder = Path::new(self.point).join(relative);
        if folder.is_dir() { folder } else { PathBuf::from(self.point) }
    }
}
