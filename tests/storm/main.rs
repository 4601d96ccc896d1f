//! The whole platform under a mixed load while everything it stands on is killed, stopped, cut and
//! emptied at random. Afterwards a checker that knows nothing of the journal's code looks at plain
//! tables, plain messages and at what the clients wrote down, and says what was promised and broken.
//!
//! Left alone it has the same faults every time, so that what a change broke is told from what was
//! there before. `MILLRACE_STORM_SECONDS` sets how long it blows, and draws new faults;
//! `MILLRACE_STORM_SEED` repeats those of an earlier storm, `MILLRACE_STORM_BINARY` puts another build
//! of the program through it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checker;
mod clock;
mod faults;
mod fleet;
mod launch;
mod load;
mod proxy;
mod record;
mod settle;
mod subscribers;
mod watch;
mod world;

use std::{sync::Arc, time::Instant};

use crate::{
    faults::Plan, load::Load, record::Record, subscribers::Subscribers, watch::Watch, world::World,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_storm() {
    let plan = Plan::from_environment();
    println!("kill_storm: {} s, seed {}", plan.seconds, plan.seed);
    let begun = Instant::now();
    let world = Arc::new(World::start().await);
    let record = Arc::new(Record::default());
    let subscribers = Subscribers::start(&world);
    let watch = Watch::start(&world, &record);
    let load = Load::start(&world, &record, &plan);
    println!("everything runs after {:.1?}", begun.elapsed());

    let injected = faults::blow(&world, &record, &plan).await;
    println!("the storm is over after {:.1?}; settling", begun.elapsed());
    load.settle().await;
    settle::wait(&world, &record, &subscribers).await;
    watch.end().await;
    println!("settled after {:.1?}", begun.elapsed());

    let verdict = checker::check(&world, &record, subscribers.end().await, plan.is_whole()).await;
    println!("kill_storm: {} s, seed {}: {injected}", plan.seconds, plan.seed);
    println!("{}", record.summary());
    println!("{}\nall of it in {:.1?}", verdict.summary(), begun.elapsed());
    verdict.assert_kept(&world);
}
