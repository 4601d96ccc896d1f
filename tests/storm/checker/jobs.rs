//! An attempt is started once, reports come from its holder alone, and every scan ends.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::PgPool;

use super::{Verdict, log::Entry};

/// Only the holder of an attempt can know of these.
const OF_HOLDERS: [&str; 4] =
    ["scan.engine_started", "scan.findings_recorded", "scan.engine_finished", "scan.completed"];

/// A scan as its events have told so far.
#[derive(Default)]
struct Story<'a> {
    attempts: BTreeSet<i64>,
    /// The attempt that runs.
    running: Option<i64>,
    /// Its fence.
    fence: Option<&'a str>,
    /// The attempt that waits.
    waiting: Option<i64>,
    started: BTreeSet<&'a str>,
    finished: BTreeSet<&'a str>,
    batches: BTreeMap<&'a str, i64>,
    ended: bool,
}

pub async fn check(pool: &PgPool, log: &[Entry], verdict: &mut Verdict) -> Result<(), sqlx::Error> {
    verdict.topic("an attempt is started once and reported by its holder alone");
    let mut stories: BTreeMap<&str, Story> = BTreeMap::new();
    let mut fences = HashSet::new();
    for entry in log.iter().filter(|entry| entry.aggregate_type == "scan") {
        let story = stories.entry(&entry.aggregate_id).or_default();
        if entry.event_type == "scan.attempt_started" {
            let fence = entry.payload["fence"].as_str();
            verdict.holds(fence.is_some_and(|fence| fences.insert(fence)), || {
                format!("a fence was used twice: {entry:?}")
            });
        }
        let fault = story.tell(entry).err();
        verdict.holds(fault.is_none(), || format!("{}: {entry:?}", fault.unwrap_or_default()));
    }
    verdict.topic("every scan has ended");
    for (scan, story) in &stories {
        verdict.holds(story.ended, || format!("{scan} has not"));
    }
    verdict.topic("nothing is left of jobs that have ended");
    for (what, query) in [
        ("releases", "SELECT count(*) FROM job_releases"),
        ("leases in force", "SELECT count(*) FROM job_leases WHERE expires_at > clock_timestamp()"),
        ("dead letters", "SELECT count(*) FROM dead_letters"),
    ] {
        let left: i64 = sqlx::query_scalar(query).fetch_one(pool).await?;
        verdict.holds(left == 0, || format!("{left} {what} are left"));
    }
    Ok(())
}

impl<'a> Story<'a> {
    fn tell(&mut self, entry: &'a Entry) -> Result<(), &'static str> {
        let attempt = entry.payload["attempt"].as_i64();
        if self.ended {
            return Err("something happened after the end");
        }
        match (entry.event_type.as_str(), entry.fence.as_deref()) {
            ("scan.attempt_started", fence) => {
                self.fence = entry.payload["fence"].as_str();
                if fence != self.fence {
                    return Err("an attempt was started under the fence of another");
                }
            }
            (_, fence @ Some(_)) if fence != self.fence => {
                return Err("it was written by an attempt that is over");
            }
            (kind, None) if OF_HOLDERS.contains(&kind) => {
                return Err("it was not written by an attempt");
            }
            _ => {}
        }
        match entry.event_type.as_str() {
            "scan.requested" if entry.sequence == 1 => self.waiting = Some(1),
            "scan.attempt_started" => self.start(attempt)?,
            "scan.engine_started" | "scan.findings_recorded" | "scan.engine_finished" => {
                self.report(entry, attempt)?;
            }
            "scan.requeued" => {
                let before = self.running.take().ok_or("what did not run was queued again")?;
                self.waiting = attempt;
                if attempt != Some(before + 1) {
                    return Err("attempts are not counted one by one");
                }
            }
            "scan.completed" | "scan.failed" => {
                self.ended = true;
                if self.running.is_none() || self.running != attempt {
                    return Err("an attempt that did not run gave the result");
                }
            }
            "scan.cancel_requested" if self.running.is_some() => {}
            "scan.cancelled" => self.ended = true,
            _ => return Err("this does not follow from what was before"),
        }
        Ok(())
    }

    fn start(&mut self, attempt: Option<i64>) -> Result<(), &'static str> {
        let number = attempt.ok_or("an attempt without a number was started")?;
        let (was_running, due) = (self.running.replace(number), self.waiting.take());
        (self.started, self.finished, self.batches) = Default::default();
        if !self.attempts.insert(number) {
            return Err("an attempt was started twice");
        }
        if was_running.is_some() || due != attempt {
            return Err("an attempt was started that did not wait");
        }
        Ok(())
    }

    fn report(&mut self, entry: &'a Entry, attempt: Option<i64>) -> Result<(), &'static str> {
        if self.running.is_none() || self.running != attempt {
            return Err("a report came from an attempt that does not run");
        }
        let engine = entry.payload["engine"].as_str().ok_or("a report without an engine")?;
        match entry.event_type.as_str() {
            "scan.engine_started" if !self.started.insert(engine) => {
                return Err("an engine was started twice in one attempt");
            }
            "scan.engine_finished" if !self.finished.insert(engine) => {
                return Err("an engine was finished twice in one attempt");
            }
            "scan.findings_recorded" => {
                let due = self.batches.entry(engine).or_default();
                if entry.payload["batch"].as_i64() != Some(*due) {
                    return Err("batches of findings are not counted one by one");
                }
                *due += 1;
            }
            _ => {}
        }
        if !self.started.contains(engine) {
            return Err("an engine reported before it was started");
        }
        Ok(())
    }
}
