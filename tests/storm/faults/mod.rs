//! What goes wrong, and when: all of it is known from the seed before the storm begins.

mod inject;
mod steal;
mod storage;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::{task::JoinSet, time::Instant};

use crate::{fleet, launch, record::Record, world::World};
pub use storage::Loss;

const SECONDS: u64 = 40;
/// Of the faults when nothing is asked for.
const SEED: u64 = 505;
/// Between two faults, in milliseconds.
const PAUSE: std::ops::Range<u64> = 400..1400;

#[derive(Debug, Clone, Copy)]
pub enum Server {
    Postgres,
    Nats,
}

#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Kill {
        role: usize,
        down: Duration,
    },
    /// Both processes of a role, so that nobody does its work.
    KillBoth {
        role: usize,
        down: Duration,
    },
    Freeze {
        role: usize,
        time: Duration,
    },
    /// A worker is stopped in the middle of a job, and goes on when another one holds it.
    StealJob {
        worker: usize,
    },
    /// The clock of a process jumps, and back again after a while.
    JumpClock {
        role: usize,
        seconds: i64,
        time: Duration,
    },
    /// Postgres is stopped in immediate mode.
    StopPostgres {
        down: Duration,
    },
    KillPostgres {
        down: Duration,
    },
    KillNats {
        down: Duration,
    },
    /// The nats-server is killed, and what it kept is not whole when it comes back.
    LoseStorage {
        loss: Loss,
        down: Duration,
    },
    PurgeEvents,
    RemoveStream {
        name: &'static str,
    },
    /// EVENTS is removed, and the connections are cut again and again while it is filled.
    CutWhileFilling {
        cuts: u32,
        pause: Duration,
    },
    /// EVENTS is removed while one relay is stopped, which goes on while the other fills it slowly.
    FillBehind {
        relay: usize,
        delay: Duration,
    },
    /// Every job that is handed out is handed out twice, at the same moment.
    RepeatJobs {
        time: Duration,
    },
    /// What the server did in the time before it was cut off is not heard of.
    Cut {
        server: Server,
        unheard: Duration,
    },
    /// Appends are committed, and whoever gave them hears nothing of it before the connection is cut.
    LoseAppends {
        unheard: Duration,
    },
    Slow {
        server: Server,
        delay: Duration,
        time: Duration,
    },
    Hold {
        server: Server,
        time: Duration,
    },
}

pub struct Plan {
    pub seed: u64,
    pub seconds: u64,
    faults: Vec<(Duration, Fault)>,
}

/// How often each kind of fault was injected, and what could not be.
pub struct Injected {
    kinds: BTreeMap<&'static str, usize>,
    impossible: Vec<&'static str>,
}

impl Plan {
    pub fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
        let seconds = number("MILLRACE_STORM_SECONDS");
        let drawn = || if seconds.is_some() { rand::rng().random() } else { SEED };
        let seed = number("MILLRACE_STORM_SEED").unwrap_or_else(drawn);
        let seconds = seconds.unwrap_or(SECONDS);
        Self { seed, seconds, faults: schedule(seed, Duration::from_secs(seconds)) }
    }

    /// Whether it is long enough for every kind of fault.
    pub fn is_whole(&self) -> bool {
        self.seconds >= SECONDS
    }

    /// Chance for one part of the load, which the faults do not depend on.
    pub fn chance(&self, part: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_add(1 + part))
    }
}

/// Every kind of fault in random order, then again, so that even a short storm has them all.
fn schedule(seed: u64, length: Duration) -> Vec<(Duration, Fault)> {
    let mut chance = StdRng::seed_from_u64(seed);
    let (mut faults, mut at) = (Vec::new(), Duration::ZERO);
    loop {
        let mut deck = Fault::deck(&mut chance);
        deck.shuffle(&mut chance);
        for fault in deck {
            at += Duration::from_millis(chance.random_range(PAUSE));
            if at > length {
                return faults;
            }
            faults.push((at, fault));
        }
    }
}

impl Fault {
    fn deck(chance: &mut StdRng) -> Vec<Self> {
        let mut deck = Vec::new();
        for pair in 0..fleet::ROLES.len() / 2 {
            let mut either = || pair * 2 + chance.random_range(0..2);
            let (one, another) = (either(), either());
            deck.push(Self::Kill { role: one, down: time(chance, 0..1500) });
            deck.push(Self::Freeze { role: another, time: time(chance, 200..4500) });
        }
        let role = chance.random_range(0..fleet::ROLES.len());
        deck.push(Self::KillBoth { role, down: time(chance, 0..1000) });
        for number in 0..2 {
            deck.push(Self::StealJob { worker: fleet::index("worker") + number });
        }
        for direction in [1, -1] {
            let role = chance.random_range(0..fleet::ROLES.len());
            // A job that is put off is late by as much as the clock of its worker was wrong.
            let most = if fleet::ROLES[role] == "worker" { 15 } else { 3600 };
            let seconds = direction * chance.random_range(1..=most);
            deck.push(Self::JumpClock { role, seconds, time: time(chance, 2000..8000) });
        }
        deck.push(Self::StopPostgres { down: time(chance, 0..1000) });
        deck.push(Self::KillPostgres { down: time(chance, 0..1000) });
        deck.push(Self::KillNats { down: time(chance, 0..1500) });
        for loss in Loss::ALL {
            deck.push(Self::LoseStorage { loss, down: time(chance, 0..500) });
        }
        deck.push(Self::PurgeEvents);
        deck.push(Self::RemoveStream { name: "EVENTS" });
        deck.push(Self::RemoveStream { name: "JOBS" });
        let cuts = chance.random_range(5..15);
        deck.push(Self::CutWhileFilling { cuts, pause: time(chance, 50..300) });
        // One of the two is the one that was at work.
        for number in 0..2 {
            let relay = fleet::index("relay") + number;
            deck.push(Self::FillBehind { relay, delay: time(chance, 10..60) });
        }
        deck.push(Self::RepeatJobs { time: time(chance, 6000..12_000) });
        for _ in 0..2 {
            deck.push(Self::LoseAppends { unheard: time(chance, 100..400) });
        }
        for server in [Server::Postgres, Server::Nats] {
            deck.push(Self::Cut { server, unheard: time(chance, 0..300) });
            deck.push(Self::Hold { server, time: time(chance, 200..3000) });
            let delay = time(chance, 20..400);
            deck.push(Self::Slow { server, delay, time: time(chance, 1000..5000) });
        }
        deck
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Kill { role, .. } => match fleet::ROLES[role] {
                "api" => "api killed",
                "relay" => "relay killed",
                "projector" => "projector killed",
                "dispatcher" => "dispatcher killed",
                _ => "worker killed",
            },
            Self::KillBoth { .. } => "both of a role killed",
            Self::Freeze { .. } => "roles stopped for a while",
            Self::StealJob { .. } => "jobs taken over",
            Self::JumpClock { seconds: 0.., .. } => "clocks ahead",
            Self::JumpClock { .. } => "clocks back",
            Self::StopPostgres { .. } => "Postgres stopped at once",
            Self::KillPostgres { .. } => "Postgres killed",
            Self::KillNats { .. } => "nats-server killed",
            Self::LoseStorage { .. } => "stream storage lost",
            Self::PurgeEvents => "EVENTS purged",
            Self::RemoveStream { .. } => "streams removed",
            Self::CutWhileFilling { .. } => "EVENTS filled under cuts",
            Self::FillBehind { .. } => "EVENTS filled behind a relay",
            Self::RepeatJobs { .. } => "jobs handed out twice",
            Self::Cut { .. } => "connections cut",
            Self::LoseAppends { .. } => "answers to appends lost",
            Self::Slow { .. } => "connections slowed",
            Self::Hold { .. } => "connections held",
        }
    }
}

fn time(chance: &mut StdRng, millis: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(chance.random_range(millis))
}

/// Steals some jobs, then injects the faults of the plan at their times; returns when all of them are over.
pub async fn blow(world: &Arc<World>, record: &Arc<Record>, plan: &Plan) -> Injected {
    // Between the other faults it seldom comes to it, and a worker that wakes may notice in time.
    for number in [0, 1, 0] {
        steal::steal(world, fleet::index("worker") + number, record).await;
    }
    let begun = Instant::now();
    let mut kinds = BTreeMap::new();
    let mut under_way = JoinSet::new();
    for (at, fault) in plan.faults.clone() {
        tokio::time::sleep_until(begun + at).await;
        println!("{:>6.1} s  {fault:?}", at.as_secs_f64());
        *kinds.entry(fault.kind()).or_default() += 1;
        under_way.spawn(inject::inject(Arc::clone(world), Arc::clone(record), fault));
    }
    tokio::time::sleep_until(begun + Duration::from_secs(plan.seconds)).await;
    while let Some(ended) = under_way.join_next().await {
        ended.unwrap();
    }
    let mut impossible = Vec::new();
    if !launch::full_disk_is_possible() {
        impossible.push("no full disk, which only root can mount");
    }
    if !world.clocks.are_there() {
        impossible.push("no clock of a process jumped, for want of a C compiler");
    }
    Injected { kinds, impossible }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults", self.kinds.values().sum::<usize>())?;
        for (kind, count) in &self.kinds {
            write!(f, "; {kind} {count}")?;
        }
        for impossible in &self.impossible {
            write!(f, "; {impossible}")?;
        }
        Ok(())
    }
}

#[test]
fn a_seed_repeats_its_faults_and_a_short_storm_has_every_kind() {
    let told = |seed| format!("{:?}", schedule(seed, Duration::from_secs(SECONDS)));
    let kinds = |faults: &[(Duration, Fault)]| {
        faults.iter().map(|(_, fault)| fault.kind()).collect::<BTreeSet<_>>()
    };
    let all = kinds(&schedule(0, Duration::from_secs(10 * SECONDS)));
    for seed in 0..100 {
        assert_eq!(told(seed), told(seed));
        assert_ne!(told(seed), told(seed + 1));
        assert_eq!(kinds(&schedule(seed, Duration::from_secs(SECONDS))), all, "seed {seed}");
    }
}
