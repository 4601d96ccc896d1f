use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::Error;
use crate::config::Telemetry;

const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The exporter's own requests would be traced, exported, traced..
const EXPORTER_TARGETS: [&str; 4] = ["hyper", "h2", "reqwest", "opentelemetry"];

/// W3C `traceparent` in and out, with or without an exporter.
pub fn propagate() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
}

/// Makes the span a part of the trace that a W3C `traceparent` names. Without an exporter it changes
/// nothing.
pub fn link(span: &tracing::Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = opentelemetry::global::get_text_map_propagator(|w3c| w3c.extract(&carrier));
    // It fails for a span that nobody exports.
    let _ = span.set_parent(parent);
}

pub fn exporter(telemetry: &Telemetry) -> Result<Option<SdkTracerProvider>, Error> {
    let Some(endpoint) = &telemetry.otlp_endpoint else { return Ok(None) };
    let exporter = build(endpoint)
        .map_err(|source| Error::Exporter { endpoint: endpoint.to_string(), source })?;
    let resource = Resource::builder().with_service_name(telemetry.service_name.clone()).build();
    let provider = SdkTracerProvider::builder().with_resource(resource);
    Ok(Some(provider.with_batch_exporter(exporter).build()))
}

pub fn spans<S>(provider: &SdkTracerProvider) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let foreign = |target: &str| EXPORTER_TARGETS.iter().any(|own| target.starts_with(own));
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("millrace"))
        .with_filter(filter_fn(move |metadata| !foreign(metadata.target())))
}

fn build(endpoint: &Url) -> Result<SpanExporter, Box<dyn std::error::Error + Send + Sync>> {
    let client = crate::http::client(Some(EXPORT_TIMEOUT))?;
    let traces = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(OnRuntime { client, runtime: Handle::current() })
        .with_endpoint(traces)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    Ok(exporter)
}

/// The batch exporter runs on a thread of its own, and the client needs the runtime.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_reach_the_collector_at_the_latest_at_shutdown() {
        let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let received = tokio::spawn(async move {
            let (mut stream, _) = collector.accept().await.unwrap();
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("weigh the grain") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(reply).await.unwrap();
            String::from_utf8_lossy(&request).into_owned()
        });
        let telemetry = Telemetry {
            otlp_endpoint: Some(endpoint.parse().unwrap()),
            service_name: "mill".to_owned(),
            ..Telemetry::default()
        };
        let provider = exporter(&telemetry).unwrap().unwrap();
        let subscriber = tracing_subscriber::registry().with(spans(&provider));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("weigh the grain").in_scope(|| {});
        });
        crate::telemetry::Telemetry { traces: Some(provider) }.shutdown();
        let request = received.await.unwrap();
        assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
        assert!(request.contains("mill"));
    }
}
