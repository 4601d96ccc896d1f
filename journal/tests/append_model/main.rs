//! The append function against a model, with several appenders at once on a real Postgres.
//!
//! Random requests over few streams, claims and idempotency keys, some of them decided on each other,
//! are handed in by concurrent sessions. What was appended is put in the order of its positions and replayed in the model;
//! every refusal must be the model's answer in some state between its request and its verdict.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod model;
mod plan;
mod races;
mod run;

use proptest::test_runner::TestRunner;

/// `PROPTEST_CASES` asks for more.
const CASES: u32 = 24;

#[test]
fn every_verdict_is_the_models_answer_at_some_point_in_between() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    TestRunner::new(testkit::cases(CASES))
        .run(&plan::plan(), |plan| {
            runtime.block_on(async {
                let (database, history) = run::carry_out(plan).await;
                check::explain(&database.pool(), &history).await;
            });
            Ok(())
        })
        .unwrap();
}
