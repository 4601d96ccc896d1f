//! The metrics, for Prometheus.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Error;

const UPKEEP_PAUSE: Duration = Duration::from_secs(5);
const SERVE_IDLE: Duration = Duration::from_secs(30);
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
const APPEND_SECONDS: &[f64] =
    &[0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const JOB_SECONDS: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0];
const BATCH_SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

const HISTOGRAMS: [(&str, &[f64], &str); 6] = [
    ("http_request_duration_seconds", REQUEST_SECONDS, "From a request's head to its answer's."),
    (
        "http_heard_after_seconds",
        REQUEST_SECONDS,
        "How long a client waited to be heard while there was no room for its request.",
    ),
    ("append_batch_requests", BATCH_SIZES, "Requests committed in one transaction."),
    ("append_duration_seconds", APPEND_SECONDS, "One batch, from being sent to being committed."),
    ("job_wait_seconds", JOB_SECONDS, "From when an attempt may begin to when it does."),
    ("job_run_seconds", JOB_SECONDS, "One attempt."),
];

const COUNTERS: [(&str, &str); 16] = [
    ("append_conflicts_total", "Appends refused because the stream had moved on."),
    ("bus_disconnects_total", "Connections to NATS lost."),
    ("bus_slow_consumers_total", "NATS subscriptions that lost messages for being slow."),
    (
        "http_refused_total",
        "Requests refused for want of room (busy, streams), for their body, or clients for being slow.",
    ),
    ("job_consumer_rebuilds_total", "Consumers of the jobs stream that had to be made again."),
    ("job_messages_lost_total", "Jobs released again because their message was lost."),
    ("job_retries_total", "Attempts after the first."),
    ("jobs_swept_total", "Running attempts ended because their worker was gone or stuck."),
    ("log_lines_dropped_total", "Output lines of jobs that could not be kept."),
    ("audit_deliveries_failed_total", "Batches of audit logs that a collector did not take."),
    ("audit_entries_sent_total", "Entries of audit logs that collectors took."),
    ("mails_sent_total", "Mails handed to the mail server, or put into the folder."),
    ("projection_events_total", "Events applied to a read model."),
    ("relay_consumers_reset_total", "Consumers set back because the stream had lost data."),
    ("relay_published_total", "Events put on the stream."),
    ("relay_stream_losses_total", "Times the stream was found behind what it had."),
];

const GAUGES: [(&str, &str); 13] = [
    ("append_queue_depth", "Requests waiting for the appender."),
    (
        "http_connections",
        "Connections whose client may ask (head), moves a body or an answer (transfer), or is served.",
    ),
    ("http_requests_running", "Requests worked on."),
    ("relay_lag_positions", "Events committed and not yet on the stream."),
    ("relay_state", "0 stopped, 1 publishing, 2 standby, 3 retrying, 4 refusing."),
    ("projection_lag_positions", "Events committed and not yet in a read model."),
    ("projection_lag_seconds", "Age of the oldest event not yet in a read model."),
    ("dead_letters", "Events a read model could not take, and those parked behind them."),
    (
        "dispatcher_backlog",
        "Jobs that wait for an attempt, released ones and those put off included.",
    ),
    ("jobs_running", "Jobs running in this process."),
    ("outbox_backlog", "Mails and erasures that are still to be done."),
    ("outbox_dead_letters", "Mails given up; `millrace outbox list --dead` shows them."),
    ("sse_clients", "Live event streams open."),
];

/// Every metric this program has.
pub fn names() -> impl Iterator<Item = &'static str> {
    let histograms = HISTOGRAMS.iter().map(|(name, ..)| *name);
    histograms.chain(COUNTERS.iter().chain(&GAUGES).map(|(name, _)| *name))
}

/// Begins to collect, once in a process and within its runtime.
pub fn install() -> Result<PrometheusHandle, Error> {
    let handle = builder()?.install_recorder()?;
    HISTOGRAMS.iter().for_each(|(name, _, text)| describe_histogram!(*name, *text));
    COUNTERS.iter().for_each(|(name, text)| describe_counter!(*name, *text));
    GAUGES.iter().for_each(|(name, text)| describe_gauge!(*name, *text));
    tokio::spawn(upkeep(handle.clone()));
    Ok(handle)
}

/// Folds what was recorded into the buckets, which otherwise happens only when somebody asks for the
/// metrics: without it the memory of a server nobody watches grows.
async fn upkeep(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_PAUSE).await;
        handle.run_upkeep();
    }
}

/// Shows the metrics at `/metrics` of an address of their own, for a process without the front end,
/// until it is told to stop.
pub async fn start(
    listen: SocketAddr,
    handle: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} for telemetry.metrics_listen"))?;
    Ok(vec![tokio::spawn(serve(listener, handle, stop))])
}

async fn serve(
    listener: TcpListener,
    handle: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let page = poem::endpoint::make_sync(move |_| {
        poem::Response::builder().content_type("text/plain; version=0.0.4").body(handle.render())
    });
    let acceptor = poem::listener::TcpAcceptor::from_tokio(listener)?;
    let server = poem::Server::new_with_acceptor(acceptor).idle_timeout(SERVE_IDLE);
    let routes = poem::Route::new().at("/metrics", poem::get(page));
    server.run_with_graceful_shutdown(routes, stop.cancelled(), Some(SERVE_IDLE)).await?;
    Ok(())
}

fn builder() -> Result<PrometheusBuilder, Error> {
    HISTOGRAMS.iter().try_fold(PrometheusBuilder::new(), |builder, (name, buckets, _)| {
        Ok(builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?)
    })
}

#[cfg(test)]
mod tests {
    use metrics::{counter, histogram};

    use super::*;

    #[test]
    fn every_histogram_is_shown_in_buckets() {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for (name, ..) in HISTOGRAMS {
                histogram!(name).record(0.3);
            }
            counter!("append_conflicts_total").increment(1);
        });
        let text = recorder.handle().render();
        for (name, buckets, _) in HISTOGRAMS {
            assert!(text.contains(&format!("# TYPE {name} histogram")), "{text}");
            let shown = text.matches(&format!("{name}_bucket{{")).count();
            assert_eq!(shown, buckets.len() + 1, "{text}");
        }
    }

    #[tokio::test]
    async fn a_process_without_the_front_end_shows_its_metrics_at_an_address_of_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || counter!("job_retries_total").increment(3));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, recorder.handle(), stop.clone()));
        let client = crate::http::client(Some(Duration::from_secs(5))).unwrap();
        let answer = client.get(format!("http://{address}/metrics")).send().await.unwrap();
        let page = answer.text().await.unwrap();
        assert!(page.contains("job_retries_total 3"), "{page}");
        stop.cancel();
        serving.await.unwrap().unwrap();
    }
}
