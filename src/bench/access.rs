//! Decisions on who may do what, as an organisation has more and more policies of its own.

use std::time::{Duration, Instant};

use access::{Policies, workload::workloads};
use chrono::DateTime;

use super::{
    figures::{Board, Figure, Sample},
    load::Plan,
};

const POLICIES: [usize; 3] = [1, 100, 1000];
/// Decisions between two looks at the clock of the round.
const AT_ONCE: usize = 100;

pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let round = plan.round / 4;
    let rounds: Vec<bool> = plan.rounds().collect();
    tokio::task::spawn_blocking(move || measure(&rounds, round)).await?
}

fn measure(rounds: &[bool], round: Duration) -> anyhow::Result<Vec<Figure>> {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    let built_in = Policies::built_in();
    let mut board = Board::default();
    for count in POLICIES {
        let made = workloads(count, noon).map_err(|error| anyhow::anyhow!("{error}"))?;
        for (workload, kind) in made.iter().zip(["spread", "unmatched", "last"]) {
            for counts in rounds {
                let sample = decisions(workload, &workload.policies, round);
                if *counts {
                    board.note(&format!("{kind}_{count}"), sample);
                }
            }
        }
        if let Some(workload) = made.first().filter(|_| count == POLICIES[0]) {
            for counts in rounds {
                let sample = decisions(workload, &built_in, round);
                if *counts {
                    board.note("raw", sample);
                }
            }
        }
    }
    Ok(board.figures())
}

fn decisions(
    workload: &access::workload::Workload,
    policies: &Policies,
    round: Duration,
) -> Sample {
    let started = Instant::now();
    let mut times = Vec::new();
    let mut questions = workload.questions.iter().cycle();
    while started.elapsed() < round {
        for question in questions.by_ref().take(AT_ONCE) {
            let begun = Instant::now();
            std::hint::black_box(policies.decide(&std::hint::black_box(question).request()));
            times.push(begun.elapsed());
        }
    }
    Sample { count: times.len() as u64, times, elapsed: started.elapsed() }
}
