//! Messages on the jobs stream that no dispatcher wrote.

use domain::scans::ScanEvent;
use futures::FutureExt;
use proptest::{
    prelude::Strategy,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use testkit::{misshapen, mutated};
use workers::dispatcher;

use crate::bench::{Bench, act, brisk, finish, wait_until, website};

const DAMAGED: usize = 100;

fn damaged() -> Vec<Vec<u8>> {
    let pointer = json!({ "job": "scan_01h455vb4pex5vsknk084sn02q", "attempt": 1 });
    let shaped = misshapen(vec![pointer.clone()]).prop_map(|value| value.to_string().into_bytes());
    let any = proptest::prop_oneof![shaped, mutated(vec![pointer.to_string().into_bytes()])];
    let mut runner = TestRunner::new(Config::default());
    // The stream refuses what is larger than any pointer.
    let drawn = std::iter::repeat_with(|| any.new_tree(&mut runner).unwrap().current())
        .filter(|bytes| bytes.len() < 4000)
        .take(DAMAGED);
    // Valid JSON that the database cannot be asked for.
    let nul = json!({ "job": "scan_\0", "attempt": 1 }).to_string().into_bytes();
    drawn.chain([nul]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_pointers_are_thrown_away_and_hold_up_no_job() {
    let bench = Bench::start().await;
    let jetstream = bench.backbone.bus.jetstream().clone();
    for payload in damaged() {
        jetstream.publish("jobs.scan.high", payload.into()).await.unwrap().await.unwrap();
    }
    bench.dispatch(dispatcher::Options::default());
    let _worker = bench.work(act(|job| async move { finish(&job).await }.boxed()), brisk("worker"));
    let job = bench.request(bench.org, website()).await;
    let events = bench.wait_for_end(&job).await;
    assert!(matches!(events.last(), Some(ScanEvent::Completed { attempt: 1, .. })));
    let stream = async || jetstream.get_stream("JOBS").await.unwrap().cached_info().state.clone();
    wait_until("nothing is left in the stream", || async { stream().await.messages == 0 }).await;
}
