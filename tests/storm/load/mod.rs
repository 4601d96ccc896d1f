//! What the clients do while the storm blows, and how they come to know what became of it.

mod client;
mod commands;
mod operators;
mod readers;
mod rebuilds;

use std::{
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{faults::Plan, record::Record, world::World};
pub use client::Client;

const COMMANDERS: u64 = 4;
const READERS: u64 = 3;
/// After the storm every outcome must be known by then.
const SETTLING: Duration = Duration::from_secs(60);

pub struct Load {
    calm: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// What one of the tasks works with.
#[derive(Clone)]
pub struct Hand {
    pub world: Arc<World>,
    pub record: Arc<Record>,
    pub client: Client,
    calm: Arc<AtomicBool>,
}

impl Load {
    pub fn start(world: &Arc<World>, record: &Arc<Record>, plan: &Plan) -> Self {
        let calm = Arc::new(AtomicBool::new(false));
        let hand = Hand {
            world: Arc::clone(world),
            record: Arc::clone(record),
            client: Client::new(world),
            calm: Arc::clone(&calm),
        };
        let mut tasks = JoinSet::new();
        for number in 0..COMMANDERS {
            tasks.spawn(commands::give(hand.clone(), number, plan.chance(number)));
        }
        for number in 0..READERS {
            tasks.spawn(readers::read(hand.clone(), plan.chance(100 + number)));
        }
        tasks.spawn(operators::found(hand.clone(), plan.chance(200)));
        tasks.spawn(rebuilds::rebuild(hand.clone(), plan.chance(300)));
        Self { calm, tasks }
    }

    /// Nothing new is begun; what was begun is repeated until its outcome is known.
    pub async fn settle(mut self) {
        self.calm.store(true, Ordering::Relaxed);
        let ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended.unwrap();
            }
        };
        let settled = tokio::time::timeout(SETTLING, ended).await;
        assert!(settled.is_ok(), "clients still get no answer {SETTLING:?} after the storm");
    }
}

impl Hand {
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }
}
