//! What this process tells about itself: log lines, traces and metrics.

mod logs;
pub mod metrics;
mod traces;

pub use traces::link;

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config;

const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("log.level is not a filter")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    #[error("cannot export traces to {endpoint}")]
    Exporter {
        endpoint: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("this process writes log lines already")]
    Installed(#[from] TryInitError),
    #[error("cannot collect metrics")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Held while the process runs; [`Telemetry::shutdown`] sends the spans still waiting.
#[must_use]
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Begins to write log lines and, with an endpoint, to export traces. Within a tokio runtime, once in
/// a process.
pub fn init(log: &config::Log, telemetry: &config::Telemetry) -> Result<Telemetry, Error> {
    traces::propagate();
    let traces = traces::exporter(telemetry)?;
    tracing_subscriber::registry()
        .with(logs::filter(log)?)
        .with(logs::lines(log.format, std::io::stderr))
        .with(traces.as_ref().map(traces::spans))
        .try_init()?;
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Waits a few seconds at most. Not for a thread the runtime needs: the exporter works on it.
    pub fn shutdown(self) {
        let Some(traces) = self.traces else { return };
        if let Err(error) = traces.shutdown_with_timeout(FLUSH_PATIENCE) {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}
