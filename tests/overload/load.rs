//! As many commands as the server can take, and ten times as many.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    TEST,
    flood::Flood,
    polite::Polite,
    server_side::ServerSide,
    times::Times,
    wire::Answer,
    world::{REQUESTS, World},
};

const MEASURE: Duration = Duration::from_secs(3);
/// More clients than there are places for connections.
const CLIENTS: usize = 640;
const PROBE_PAUSE: Duration = Duration::from_millis(100);
/// What an answer may take: so many times what it takes when the server does all it can, and a
/// little, since so many clients take their share of the processors even at a lower priority.
const TIMES: u32 = 4;
const GRACE: Duration = Duration::from_millis(150);
/// The same for whoever is not let in and has to wait for a turn to hear so.
const GRACE_OF_OTHERS: Duration = Duration::from_millis(900);
/// The same for an accepted command, once it is heard.
const GRACE_IN_WORK: Duration = Duration::from_millis(75);
/// At least one part in so many of what the server can do goes on being done.
const LEAST: f64 = 4.0;

/// What came of a load.
#[derive(Default, Serialize, Deserialize)]
pub struct Outcome {
    pub time: Duration,
    /// The scans that were made.
    pub accepted: Vec<String>,
    pub taken: Times,
    pub refused: Times,
    /// Fresh connections that had to give way before anything came over them, as the client had no
    /// processor for so long.
    pub closed: usize,
}

/// A load, and what others saw of the server meanwhile.
pub struct Meanwhile {
    pub flood: Outcome,
    /// One after the other, of a client beside it.
    pub beside: Outcome,
    /// An operator's machinery.
    pub probes: Times,
    pub server: ServerSide,
}

/// Each client sends its next command once it has its answer.
pub async fn as_much_as_it_can(world: &World) -> Meanwhile {
    let flood = Flood::new(world.target.of("can"), REQUESTS, Duration::from_micros(1), MEASURE);
    beside(world, flood).await
}

/// Clients that do not care about being refused.
pub async fn ten_times(world: &World, can: &Meanwhile, time: Duration) -> Meanwhile {
    let every = Duration::from_secs_f64(CLIENTS as f64 / (10.0 * can.flood.rate()));
    beside(world, Flood::new(world.target.of("ten"), CLIENTS, every, time)).await
}

async fn beside(world: &World, flood: Flood) -> Meanwhile {
    let (time, before) = (flood.time, ServerSide::read(world).await);
    let (flood, beside, probes) =
        tokio::join!(flood.elsewhere(TEST), Polite::ask(world, time), probes(world, time));
    let server = ServerSide::read(world).await.since(&before);
    Meanwhile { flood, beside, probes, server }
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

impl Meanwhile {
    /// Beside what the server did when it was asked as much as it can do.
    pub fn assert_held(&self, can: &Self) {
        let Self { flood, beside, probes, server } = self;
        assert!(flood.refused.count() > flood.taken.count(), "no overload: {self}");
        assert!(flood.closed * 5 < flood.refused.count(), "many are not answered: {self}");
        let usual = can.beside.taken.percentile(95) * TIMES;
        for (what, times, grace) in [
            ("accepted", &beside.taken, GRACE),
            ("refused", &beside.refused, GRACE_OF_OTHERS),
            ("probes", probes, GRACE_OF_OTHERS),
        ] {
            let most = usual + grace;
            assert!(times.percentile(95) < most, "{what}: {times}, at most {most:?} allowed");
        }
        let most = can.server.accepted_p95() * TIMES + GRACE_IN_WORK;
        assert!(server.accepted_p95() < most, "in the server: {server}, at most {most:?} allowed");
        assert!(flood.rate() > can.flood.rate() / LEAST, "{flood} is little beside {}", can.flood);
    }
}

impl Outcome {
    pub fn add(&mut self, answer: &Answer) {
        if answer.status == 202 {
            self.accepted.push(answer.id());
            self.taken.add(answer.within);
        } else {
            answer.assert_refused();
            self.refused.add(answer.within);
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.taken.extend(other.taken);
        self.refused.extend(other.refused);
        self.closed += other.closed;
    }

    /// Accepted commands a second.
    fn rate(&self) -> f64 {
        self.taken.count() as f64 / self.time.as_secs_f64()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = (self.taken.count() + self.refused.count()) as f64 / self.time.as_secs_f64();
        let (rate, taken, refused) = (self.rate(), &self.taken, &self.refused);
        write!(f, "{asked:.0}/s asked, {rate:.0}/s accepted: {taken} accepted, {refused} refused")?;
        if self.closed > 0 { write!(f, ", {} closed", self.closed) } else { Ok(()) }
    }
}

impl fmt::Display for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flood, beside, probes, server } = self;
        writeln!(f, "{flood}")?;
        writeln!(f, "  beside: {beside}")?;
        write!(f, "  probes: {probes}; in the server: {server}")
    }
}
