//! What was promised, checked against plain tables, plain messages and the clients' own record.

pub mod builds;
mod claims;
mod commands;
mod jobs;
pub mod log;
mod processes;
mod stream;
mod subscribers;
mod views;

use std::{collections::BTreeMap, fmt::Write};

use crate::{record::Record, subscribers::Seen, world::World};

/// Faults told of one topic; more of the same say little.
const TOLD: usize = 8;

/// Without these it would prove little.
const DONE: [&str; 8] = [
    "answers not waited for",
    "jobs handed out twice",
    "looks at the end of EVENTS",
    "looks at the log",
    "organisations made",
    "reads no older than asked for",
    "repeats",
    "slugs taken",
];

/// What was looked at and what was found wrong.
#[derive(Default)]
pub struct Verdict {
    topic: &'static str,
    checked: BTreeMap<&'static str, usize>,
    faults: BTreeMap<&'static str, Vec<String>>,
}

impl Verdict {
    /// What the next checks are about.
    pub fn topic(&mut self, topic: &'static str) {
        self.topic = topic;
        self.checked.entry(topic).or_default();
    }

    pub fn holds(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        *self.checked.entry(self.topic).or_default() += 1;
        if !holds {
            self.faults.entry(self.topic).or_default().push(fault());
        }
    }

    pub fn summary(&self) -> String {
        let mut text = String::from("checked:");
        for (topic, count) in &self.checked {
            let faults = self.faults.get(topic).map_or(0, Vec::len);
            let _ = write!(text, "\n  {count:>6} times {topic}");
            if faults > 0 {
                let _ = write!(text, ": {faults} FAULTS");
            }
        }
        text
    }

    pub fn assert_kept(&self, world: &World) {
        let mut text = String::new();
        for (topic, faults) in &self.faults {
            let _ = writeln!(text, "not kept: {topic}");
            for fault in faults.iter().take(TOLD) {
                let _ = writeln!(text, "    {fault}");
            }
        }
        assert!(text.is_empty(), "{text}logs: {}", world.path().display());
    }
}

/// `whole` for a storm that had every kind of fault.
pub async fn check(world: &World, record: &Record, seen: Vec<Seen>, whole: bool) -> Verdict {
    let mut verdict = Verdict::default();
    let all = async {
        let log = log::read_log(&world.pool).await?;
        log::check(&world.pool, &log, &mut verdict).await?;
        commands::check(&world.pool, &log, record, &mut verdict).await?;
        claims::check(&world.pool, &log, record, &mut verdict).await?;
        jobs::check(&world.pool, &log, &mut verdict).await?;
        stream::check(world, &log, &mut verdict).await?;
        subscribers::check(world, &log, &seen, &mut verdict);
        views::check(world, &log, record, &mut verdict).await?;
        processes::check(world, &mut verdict).await;
        Ok::<(), async_nats::Error>(())
    };
    all.await.unwrap();
    if whole {
        verdict.topic("the storm did what it was to do");
        for what in DONE {
            verdict.holds(record.counted(what) > 0, || format!("never: {what}"));
        }
    }
    verdict.topic("no promise was broken while the storm went on");
    let broken = record.all_broken();
    verdict.holds(broken.is_empty(), || broken.join("\n    "));
    verdict
}
