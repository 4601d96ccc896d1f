//! Many clients, in a process of their own.
//!
//! They stand for other machines, which take nothing of the server's processors: the process has a
//! lower priority, so that the server, its database and the clients beside it come first.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{load::Outcome, target::Target};

/// Holds what this process is to do, when it is not the test itself.
const PLAN: &str = "OVERLOAD_FLOOD";
const NICE: i32 = 5;

#[derive(Serialize, Deserialize)]
pub struct Flood {
    pub target: Target,
    pub clients: usize,
    /// Each client asks so often, or when it has its answer if that is later.
    pub every: Duration,
    pub time: Duration,
    /// Where the outcome is written.
    file: PathBuf,
}

impl Flood {
    pub fn new(target: Target, clients: usize, every: Duration, time: Duration) -> Self {
        let file = std::env::temp_dir().join(format!("millrace-flood-{}", std::process::id()));
        Self { target, clients, every, time, file }
    }

    /// What this process was started for, if it is the other one.
    pub fn asked() -> Option<Self> {
        std::env::var(PLAN).ok().map(|plan| serde_json::from_str(&plan).unwrap())
    }

    /// In a process that runs this same test.
    pub async fn elsewhere(self, test: &str) -> Outcome {
        let plan = serde_json::to_string(&self).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(PLAN, plan).stdout(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap();
        assert!(ended.success(), "the clients ended with {ended}");
        let outcome = std::fs::read(&self.file).unwrap();
        std::fs::remove_file(&self.file).unwrap();
        serde_json::from_slice(&outcome).unwrap()
    }

    pub fn run(self) {
        rustix::process::nice(NICE).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(self.ask());
        std::fs::write(&self.file, serde_json::to_vec(&outcome).unwrap()).unwrap();
    }

    async fn ask(&self) -> Outcome {
        let (begun, mut clients) = (Instant::now(), JoinSet::new());
        let Self { clients: count, every, time, .. } = *self;
        for number in 0..count {
            let target = self.target.clone();
            // They do not all ask in the same moment.
            let first = begun + every.mul_f64(number as f64 / count as f64);
            clients.spawn(async move {
                let (mut outcome, mut wire) = (Outcome::default(), target.wire());
                let mut turns = interval_at(first, every);
                turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
                while begun.elapsed() < time {
                    turns.tick().await;
                    match wire.ask_if_taken_in(&target.command()).await {
                        Ok(answer) => outcome.add(&answer),
                        Err(_closed) => outcome.closed += 1,
                    }
                }
                outcome
            });
        }
        let mut all = Outcome::default();
        while let Some(outcome) = clients.join_next().await {
            all.extend(outcome.unwrap());
        }
        Outcome { time: begun.elapsed(), ..all }
    }
}
