//! As many commands as the server can take, and ten times as many.

use std::{fmt, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    times::Times,
    wire::Answer,
    world::{REQUESTS, World},
};

const MEASURE: Duration = Duration::from_secs(3);
/// More clients than there are places for connections.
const CLIENTS: usize = 640;
const PROBE_PAUSE: Duration = Duration::from_millis(100);
/// What an accepted answer may take: so many times what it takes when the server does all it can,
/// and a little, since the load shares the machine with the server.
const TIMES: u32 = 4;
const GRACE: Duration = Duration::from_millis(900);
/// At least one part in so many of what the server can do goes on being done: the load and the
/// refusals want their share of the processors.
const LEAST: f64 = 10.0;

/// What came of a load.
#[derive(Default)]
pub struct Outcome {
    time: Duration,
    /// The scans that were made.
    pub accepted: Vec<String>,
    taken: Times,
    refused: Times,
    probes: Times,
}

/// Each client sends its next command once it has its answer.
pub async fn as_much_as_it_can(world: &World) -> Outcome {
    clients(world, REQUESTS, Duration::from_micros(1), MEASURE).await
}

/// Clients that do not care about being refused.
pub async fn ten_times(world: &World, can: &Outcome, time: Duration) -> Outcome {
    let every = Duration::from_secs_f64(CLIENTS as f64 / (10.0 * can.rate()));
    let (outcome, probes) = tokio::join!(clients(world, CLIENTS, every, time), probes(world, time));
    Outcome { probes, ..outcome }
}

/// What an operator's machinery asks all the while. It is always answered.
async fn probes(world: &World, time: Duration) -> Times {
    let (begun, mut wire, mut times) = (Instant::now(), world.target.wire(), Times::default());
    while begun.elapsed() < time {
        let answer = wire.ask(&world.target.head("GET /health/live", "\r\n")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        times.add(answer.within);
        tokio::time::sleep(PROBE_PAUSE).await;
    }
    times
}

async fn clients(world: &World, count: usize, every: Duration, time: Duration) -> Outcome {
    let (begun, mut clients) = (Instant::now(), JoinSet::new());
    for number in 0..count {
        let target = world.target.clone();
        // They do not all ask in the same moment.
        let first = begun + every.mul_f64(number as f64 / count as f64);
        clients.spawn(async move {
            let (mut outcome, mut wire) = (Outcome::default(), target.wire());
            let mut turns = interval_at(first, every);
            turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
            while begun.elapsed() < time {
                turns.tick().await;
                outcome.add(&wire.ask(&target.command()).await);
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

impl Outcome {
    fn add(&mut self, answer: &Answer) {
        if answer.status == 202 {
            self.accepted.push(answer.id());
            self.taken.add(answer.within);
        } else {
            answer.assert_refused();
            self.refused.add(answer.within);
        }
    }

    fn extend(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.taken.extend(other.taken);
        self.refused.extend(other.refused);
    }

    /// Accepted commands a second.
    fn rate(&self) -> f64 {
        self.taken.count() as f64 / self.time.as_secs_f64()
    }

    /// Beside what the server did when it was asked as much as it can do.
    pub fn assert_held(&self, can: &Self) {
        assert!(self.refused.count() > self.taken.count(), "{self} is no overload beside {can}");
        let most = can.taken.percentile(95) * TIMES + GRACE;
        assert!(self.taken.percentile(95) < most, "accepted: {self}, at most {most:?} allowed");
        assert!(self.refused.percentile(95) < most, "refused: {self}, at most {most:?} allowed");
        assert!(self.probes.percentile(95) < most, "probes: {}", self.probes);
        assert!(self.rate() > can.rate() / LEAST, "{self} is little beside {can}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = (self.taken.count() + self.refused.count()) as f64 / self.time.as_secs_f64();
        let (rate, taken, refused) = (self.rate(), &self.taken, &self.refused);
        write!(
            f,
            "{asked:.0}/s asked, {rate:.0}/s accepted: {taken} accepted, {refused} refused, {} probes",
            self.probes
        )
    }
}
