//! Every subscriber got every event of its filter, in order; what came again came under its own id.

use std::collections::BTreeMap;

use super::{Verdict, log::Entry};
use crate::{
    subscribers::{Arrival, Seen},
    world::World,
};

pub fn check(world: &World, log: &[Entry], seen: &[Seen], verdict: &mut Verdict) {
    verdict.topic("a subscriber gets every event of its filter in order");
    for subscriber in seen {
        let name = subscriber.name;
        let expected: BTreeMap<u64, String> = log
            .iter()
            .filter(|entry| entry.is_of(subscriber.filter, &world.organization))
            .map(|entry| (entry.position as u64, entry.event_id.to_string()))
            .collect();
        for arrival in &subscriber.arrivals {
            let id = expected.get(&arrival.position);
            verdict.holds(id == Some(&arrival.event_id), || {
                format!("the {name} got {arrival:?} where the log has {id:?}")
            });
        }
        // What came of an earlier stream was in order too, but that stream may have lost its end.
        let runs: Vec<&[Arrival]> = subscriber.arrivals.chunk_by(|a, b| a.run == b.run).collect();
        let repeats = runs.iter().map(|run| in_order(name, run, &expected, verdict)).sum::<usize>();
        let last = runs.last().copied().unwrap_or_default();
        for position in expected.keys() {
            verdict.holds(last.iter().any(|arrival| arrival.position == *position), || {
                format!("the {name} never got {position}")
            });
        }
        let (arrivals, falls, holes) =
            (subscriber.arrivals.len(), subscriber.falls, subscriber.holes);
        println!(
            "the {name}: {arrivals} arrivals in {} runs, {repeats} of them again, {falls} falls, \
             {holes} holes noticed",
            runs.len()
        );
        // A reader of the log itself goes on exactly where it was.
        verdict.holds(repeats == 0 || !name.starts_with("SSE"), || {
            format!("the {name} was sent {repeats} events again")
        });
    }
}

/// Whatever is new comes right after what was new before; gives how many came again.
fn in_order(
    name: &str,
    run: &[Arrival],
    expected: &BTreeMap<u64, String>,
    verdict: &mut Verdict,
) -> usize {
    let (mut newest, mut repeats) = (0, 0);
    for arrival in run {
        let position = arrival.position;
        if position <= newest {
            repeats += 1;
            continue;
        }
        let passed_over = expected.range(newest + 1..position).map(|(position, _)| *position);
        let late: Vec<u64> =
            passed_over.filter(|over| run.iter().any(|other| other.position == *over)).collect();
        verdict.holds(late.is_empty(), || format!("the {name} got {position} before {late:?}"));
        newest = position;
    }
    repeats
}
