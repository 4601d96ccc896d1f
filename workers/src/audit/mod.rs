//! Sends audit logs to the collectors that organisations name, and to that of the platform.
//!
//! Trigger: the view `audit` has moved. Each collector has a checkpoint of its own, which moves when a batch
//! has arrived: at least once, in order, and nothing is left out. What fails is tried again after longer and
//! longer delays, for ever, and holds up no other collector. Entries are masked before they leave the
//! house, since nobody can erase them there.
//!
//! Any number of processes may run it at once: a lease says who sends.

mod client;
mod form;

use std::{sync::Arc, time::Duration};

use domain::{
    audit::{SINK_TOKEN, SinkFormat},
    ids::SinkId,
};
use journal::Journal;
use outbound::AddressPolicy;
use projections::{
    Reach, TenantScope, Views,
    audit::{self, SinkRow},
};
use rand::Rng;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::runtime::Backoff;
use client::Client;

/// Longer than one request may take; a process that died holds a collector up for so long.
const LEASE: Duration = Duration::from_secs(60);
/// Entries and bytes of one batch: within what Splunk and Datadog take.
const BATCH: u32 = 500;
const MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone)]
pub struct Options {
    /// Which addresses may be reached.
    pub addresses: AddressPolicy,
    /// Without TLS too: for tests.
    pub plain_http: bool,
    /// That of the platform, which gets the entries of all organisations.
    pub platform: Option<PlatformSink>,
    pub backoff: Backoff,
    /// How often the view is looked at.
    pub idle: Duration,
    /// Collectors sent to at the same time.
    pub concurrency: usize,
}

#[derive(Debug, Clone)]
pub struct PlatformSink {
    pub url: Url,
    pub format: SinkFormat,
    pub header: String,
    pub token: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addresses: AddressPolicy::default(),
            plain_http: false,
            platform: None,
            backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(600) },
            idle: Duration::from_secs(1),
            concurrency: 8,
        }
    }
}

/// Where to send, and what.
#[derive(Clone)]
struct Sink {
    id: SinkId,
    reach: Reach,
    since: u64,
    target: Result<client::Target, String>,
    format: SinkFormat,
}

#[derive(Clone)]
struct Sender {
    journal: Journal,
    views: Views,
    client: Client,
    options: Arc<Options>,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Query(#[from] projections::QueryError),
    #[error(transparent)]
    View(#[from] projections::ViewError),
    #[error(transparent)]
    Personal(#[from] journal::PersonalError),
}

/// Sends until `stop`; a batch in hand is finished.
pub async fn run(journal: Journal, views: Views, options: Options, stop: CancellationToken) {
    let client = Client::new(options.addresses.clone(), options.plain_http);
    let sender = Sender { journal, views, client, options: Arc::new(options) };
    let places = Arc::new(Semaphore::new(sender.options.concurrency.max(1)));
    let mut running = JoinSet::new();
    while !stop.is_cancelled() {
        match sender.due().await {
            Ok(due) => {
                for sink in due {
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else { break };
                    let (sender, stop) = (sender.clone(), stop.clone());
                    running.spawn(async move {
                        if let Err(error) = sender.send(&sink, &stop).await {
                            let error = crate::chain(&error);
                            tracing::warn!(sink = %sink.id, error, "the audit log was not sent");
                        }
                        drop(place);
                    });
                }
            }
            Err(error) => {
                let error = crate::chain(&error);
                tracing::warn!(error, "the collectors of audit logs could not be looked up");
            }
        }
        let _ = tokio::time::timeout(sender.options.idle, stop.cancelled()).await;
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

impl Sender {
    /// The collectors that have not been sent everything.
    async fn due(&self) -> Result<Vec<Sink>, Fault> {
        let view = match self.views.open(audit::NAME, None, Duration::ZERO).await {
            // It comes with the projector.
            Err(projections::ViewError::NotBuilt { .. }) => return Ok(Vec::new()),
            view => view?,
        };
        let mut sinks: Vec<_> = audit::all_sinks(&view)
            .await?
            .into_iter()
            .map(|row| self.of_organization(row))
            .collect();
        sinks.extend(self.options.platform.as_ref().map(of_platform));
        let ids: Vec<_> = sinks.iter().map(|sink| sink.id).collect();
        let pool = self.journal.pool();
        audit::forget_others(pool, &ids).await?;
        let states = audit::deliveries(pool, &ids).await?;
        let position = view.position();
        sinks.retain(|sink| states.get(&sink.id).is_none_or(|state| state.position < position));
        Ok(sinks)
    }

    fn of_organization(&self, row: SinkRow) -> Sink {
        let token = row.token.map(|text| {
            let opened = self.journal.open_value(SINK_TOKEN, &row.sink.to_string(), &text);
            opened.map_err(|error| format!("the token cannot be opened: {error}"))
        });
        let target = token.transpose().and_then(|token| {
            let token = token.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            client::Target::new(&row.url, row.header, token)
        });
        let reach = Reach::Organization(TenantScope(row.org));
        Sink { id: row.sink, reach, since: row.since, target, format: row.format }
    }

    async fn send(&self, sink: &Sink, stop: &CancellationToken) -> Result<(), Fault> {
        let pool = self.journal.pool();
        let claimed = audit::claim(pool, sink.id, sink.since, LEASE).await?;
        let Some((mut position, tries)) = claimed else { return Ok(()) };
        while !stop.is_cancelled() {
            let view = self.views.open(audit::NAME, None, Duration::ZERO).await?;
            let entries = audit::after(sink.reach, &view, position, BATCH).await?;
            let (mut batch, mut count) = (form::Batch::new(sink.format), 0);
            let last = entries.last().map_or(0, |entry| entry.position);
            let mut sent_to = position;
            for entry in entries {
                let at = entry.position;
                let shown = audit::show(&self.journal, entry, audit::Sight::Masked).await?;
                if count > 0 && batch.len() + shown.to_json().to_string().len() > MAX_BYTES {
                    break;
                }
                batch.add(&shown);
                (sent_to, count) = (at, count + 1);
            }
            if count == 0 {
                // What others did is nothing for it, and is behind it all the same.
                audit::delivered(pool, sink.id, view.position(), 0, LEASE).await?;
                break;
            }
            let sent = match &sink.target {
                Ok(target) => self.client.send(target, sink.format, batch.finish()).await,
                Err(error) => Err(error.clone()),
            };
            if let Err(error) = sent {
                let chance = rand::rng().random();
                let delay = self.options.backoff.delay(tries.saturating_add(1), chance);
                metrics::counter!("audit_deliveries_failed_total").increment(1);
                return Ok(audit::failed(pool, sink.id, &error, delay).await?);
            }
            metrics::counter!("audit_entries_sent_total").increment(count);
            audit::delivered(pool, sink.id, sent_to, count as usize, LEASE).await?;
            position = sent_to;
            if sent_to == last && last >= view.position() {
                break;
            }
        }
        Ok(audit::release(pool, sink.id).await?)
    }
}

/// It has one place in the table, whatever its address.
fn of_platform(sink: &PlatformSink) -> Sink {
    Sink {
        id: SinkId::from_uuid(Uuid::nil()),
        reach: Reach::Installation,
        since: 0,
        target: client::Target::new(sink.url.as_str(), sink.header.clone(), sink.token.clone()),
        format: sink.format,
    }
}
