//! Requests and findings that nobody should send: whatever comes, the answer has its form.

mod reports;
mod requests;
mod sockets;

use std::time::Duration;

use api::Options;
use proptest::{
    strategy::Strategy,
    test_runner::{TestCaseError, TestRunner},
};
use tokio::runtime::Runtime;

use crate::support::{Server, send};

/// Runs a property against one server, which must be as good as new afterwards.
fn against_a_server<S, F>(cases: u32, wait: Duration, strategy: &S, property: F)
where
    S: Strategy,
    F: AsyncFn(&Server, S::Value) -> Result<(), TestCaseError>,
{
    let runtime = Runtime::new().unwrap();
    let mut server = runtime.block_on(Server::with(unlimited(wait)));
    // A connection whose body was not read to its end is closed, maybe under the next request.
    server.client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let ran = TestRunner::new(testkit::cases(cases))
        .run(strategy, |input| runtime.block_on(property(&server, input)));
    if let Err(error) = ran {
        panic!("{error}");
    }
    runtime.block_on(async {
        // Every view has taken in what was written, and answers.
        let mut answer = server.fresh("/v1/scans").await;
        for _ in 0..100 {
            if answer.status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = server.fresh("/v1/scans").await;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        let ready = send(server.bare(reqwest::Method::GET, "/health/live")).await;
        assert_eq!(ready.status, 200);
    });
}

/// Long enough for a view to catch up.
const FOR_A_VIEW: Duration = Duration::from_secs(10);

fn unlimited(wait: Duration) -> Options {
    Options {
        streams_per_key: 1000,
        keep_alive: Duration::from_millis(50),
        default_wait: wait,
        max_wait: wait,
        ..Options::default()
    }
}
