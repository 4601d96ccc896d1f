//! The roles as processes of their own, started again whenever they end.

use std::{
    fs::OpenOptions,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

const LOOK: Duration = Duration::from_millis(50);
/// Before a process that ended by itself is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// For processes that are asked to end.
const ENDING: Duration = Duration::from_secs(40);

/// Two of each, alive at once.
pub const ROLES: [&str; 10] = [
    "api",
    "api",
    "relay",
    "relay",
    "projector",
    "projector",
    "dispatcher",
    "dispatcher",
    "worker",
    "worker",
];

/// How one process is started.
pub type Launch = Box<dyn Fn() -> Command + Send + Sync>;

pub struct Fleet {
    roles: Mutex<Vec<Role>>,
    folder: PathBuf,
}

struct Role {
    name: String,
    launch: Launch,
    child: Option<Child>,
    started: Instant,
    start_at: Instant,
    killed: bool,
    /// Ends that nobody asked for: after how long and how.
    deaths: Vec<(Duration, String)>,
}

impl Fleet {
    /// Starts every role and keeps it running until the fleet is ended.
    pub fn start(folder: PathBuf, launches: Vec<Launch>) -> (Arc<Self>, JoinHandle<()>) {
        let now = Instant::now();
        let roles = launches.into_iter().enumerate().map(|(index, launch)| Role {
            name: name(index),
            launch,
            child: None,
            started: now,
            start_at: now,
            killed: false,
            deaths: Vec::new(),
        });
        let fleet = Arc::new(Self { roles: Mutex::new(roles.collect()), folder });
        let keeping = Arc::clone(&fleet);
        let keeper = tokio::spawn(async move {
            loop {
                keeping.look();
                tokio::time::sleep(LOOK).await;
            }
        });
        (fleet, keeper)
    }

    fn look(&self) {
        for role in self.roles.lock().unwrap().iter_mut() {
            role.look(&self.folder);
        }
    }

    /// SIGKILL; it is started again after `down`.
    pub fn kill(&self, index: usize, down: Duration) {
        let mut roles = self.roles.lock().unwrap();
        let role = &mut roles[index];
        role.start_at = Instant::now() + down;
        role.killed = true;
        if let Some(child) = &mut role.child {
            child.kill().unwrap();
        }
    }

    pub fn pid(&self, index: usize) -> Option<u32> {
        Some(self.roles.lock().unwrap()[index].child.as_ref()?.id())
    }

    /// SIGSTOP; gives the process to go on with, if there is one.
    pub fn freeze(&self, index: usize) -> Option<u32> {
        let roles = self.roles.lock().unwrap();
        let pid = roles[index].child.as_ref()?.id();
        signal(pid, "STOP");
        Some(pid)
    }

    /// SIGCONT, unless the process was killed meanwhile.
    pub fn go_on(&self, index: usize, pid: u32) {
        let roles = self.roles.lock().unwrap();
        if roles[index].child.as_ref().is_some_and(|child| child.id() == pid) {
            signal(pid, "CONT");
        }
    }

    pub fn pids(&self) -> Vec<u32> {
        self.roles
            .lock()
            .unwrap()
            .iter()
            .filter_map(|role| Some(role.child.as_ref()?.id()))
            .collect()
    }

    /// Processes that ended although nobody ended them: which, after how long, and how.
    pub fn deaths(&self) -> Vec<(String, Duration, String)> {
        let roles = self.roles.lock().unwrap();
        let of = |role: &Role| {
            let name = role.name.clone();
            role.deaths.clone().into_iter().map(move |(after, how)| (name.clone(), after, how))
        };
        roles.iter().flat_map(of).collect()
    }

    pub fn log(&self, index: usize) -> String {
        std::fs::read_to_string(log_of(&self.folder, &name(index))).unwrap_or_default()
    }

    /// Asks every process to end, and says which did not do so in good order.
    pub fn end(&self) -> Vec<String> {
        let mut roles = self.roles.lock().unwrap();
        for child in roles.iter().filter_map(|role| role.child.as_ref()) {
            signal(child.id(), "TERM");
        }
        let deadline = Instant::now() + ENDING;
        let mut faults = Vec::new();
        for role in roles.iter_mut() {
            let Some(mut child) = role.child.take() else { continue };
            while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
                std::thread::sleep(LOOK);
            }
            match child.try_wait().unwrap() {
                Some(status) if status.success() => {}
                Some(status) => faults.push(format!("{} ended with {status}", role.name)),
                None => {
                    faults.push(format!("{} does not end when it is asked to", role.name));
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
            }
        }
        faults
    }
}

impl Role {
    fn look(&mut self, folder: &std::path::Path) {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
        if let Some(status) = ended {
            self.child = None;
            if !std::mem::take(&mut self.killed) {
                self.deaths.push((self.started.elapsed(), status.to_string()));
                self.start_at = Instant::now() + RESTART_PAUSE;
            }
        }
        if self.child.is_none() && Instant::now() >= self.start_at {
            let log = OpenOptions::new().create(true).append(true).open(log_of(folder, &self.name));
            let mut command = (self.launch)();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.unwrap());
            self.child = Some(command.spawn().unwrap());
            self.started = Instant::now();
            self.killed = false;
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for role in self.roles.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner) {
            if let Some(mut child) = role.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// The first of the two processes of a role.
pub fn index(role: &str) -> usize {
    ROLES.iter().position(|name| *name == role).unwrap()
}

pub fn name(index: usize) -> String {
    format!("{}-{}", ROLES[index], index % 2)
}

fn log_of(folder: &std::path::Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

fn signal(pid: u32, signal: &str) {
    let sent = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
    assert!(sent.unwrap().success());
}
