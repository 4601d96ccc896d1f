//! A client that does nothing wrong.

use std::time::Duration;

use tokio::time::Instant;

use crate::{load::Outcome, times::Times, world::World};

const ALONE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// An answer may take so many times what it takes alone, and a little, since the slow clients live on
/// the same machine. What the slow could cost without the rules is seconds.
const TIMES: u32 = 6;
const GRACE: Duration = Duration::from_millis(600);
/// For the first answer after a load: nothing is left of it.
const AT_ONCE: Duration = Duration::from_secs(1);

pub struct Polite {
    /// Until a command was taken, however often it was sent.
    pub times: Times,
    pub refused: usize,
}

impl Polite {
    /// What the server does for one client that is alone.
    pub async fn alone(world: &World) -> Self {
        // What is made once and kept is made now.
        for _ in 0..10 {
            world.target.wire().ask(&world.target.command()).await;
        }
        Self::for_a_while(world, ALONE).await
    }

    /// One command after the other, in turn on a connection that stays and on a new one.
    pub async fn for_a_while(world: &World, time: Duration) -> Self {
        let (mut times, mut refused, mut wire) = (Times::default(), 0, world.target.wire());
        let end = Instant::now() + time;
        while Instant::now() < end {
            let (command, begun) = (world.target.command(), Instant::now());
            while wire.ask(&command).await.status != 202 {
                refused += 1;
                tokio::time::sleep(PAUSE).await;
            }
            times.add(begun.elapsed());
            if times.count() % 2 == 0 {
                wire.close();
            }
            tokio::time::sleep(PAUSE).await;
        }
        Self { times, refused }
    }

    /// The same, and what came of each request.
    pub async fn ask(world: &World, time: Duration) -> Outcome {
        let (mut outcome, mut wire, begun) =
            (Outcome::default(), world.target.wire(), Instant::now());
        while begun.elapsed() < time {
            outcome.add(&wire.ask(&world.target.command()).await);
            tokio::time::sleep(PAUSE / 10).await;
        }
        Outcome { time: begun.elapsed(), ..outcome }
    }

    pub fn assert_as_if(&self, alone: &Self, meanwhile: &str) {
        let most = alone.times.percentile(95) * TIMES + GRACE;
        let took = self.times.percentile(95);
        assert!(took < most, "{took:?} while there are {meanwhile}, and at most {most:?} allowed");
    }

    /// The very next request is answered as ever.
    pub async fn assert_recovered(&self, world: &World) {
        let answer = world.target.wire().ask(&world.target.command()).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let most = self.times.percentile(95) + AT_ONCE;
        assert!(answer.within < most, "{:?} right after, at most {most:?} allowed", answer.within);
        println!("the next request took {:.1?}", answer.within);
    }
}
