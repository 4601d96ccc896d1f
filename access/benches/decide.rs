//! How long a decision takes at 0, 100 and 1,000 policies of an organisation.
//!
//! `cargo bench --package access`

use std::{hint::black_box, time::Instant};

use access::workload::workloads;
use chrono::DateTime;

const ROUNDS: usize = 20_000;

fn main() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    for policies in [1, 100, 1_000] {
        let started = Instant::now();
        let all = workloads(policies, noon).expect("the workloads compile");
        println!("{policies} policies: three sets compiled in {:?}", started.elapsed());
        for workload in all {
            let mut took: Vec<_> = workload
                .questions
                .iter()
                .cycle()
                .take(ROUNDS)
                .map(|question| {
                    let started = Instant::now();
                    black_box(workload.policies.decide(&black_box(question).request()));
                    started.elapsed()
                })
                .collect();
            took.sort_unstable();
            let at = |share: f64| took[(took.len() as f64 * share) as usize];
            println!(
                "  {:45} p50 {:>9.2?}  p99 {:>9.2?}  p99.9 {:>9.2?}",
                workload.name,
                at(0.5),
                at(0.99),
                at(0.999)
            );
        }
    }
}
