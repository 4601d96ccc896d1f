//! The connection to NATS, and what this installation calls its streams and subjects there.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr,
    jetstream::{self, context::ContextBuilder, stream},
};
use percent_encoding::percent_decode_str;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::MAX_EVENT_BYTES;

/// Room for subject and headers beside the payload of the largest event.
const HEADER_BYTES: usize = 64 * 1024;
/// How long a server may take to come up beside this process.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
const CONNECT_PAUSE: Duration = Duration::from_millis(200);
/// A dead peer is noticed after two of these.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_PREFIX: usize = 32;

#[derive(Clone)]
pub struct BusOptions {
    /// One or more server addresses, separated by commas.
    pub url: String,
    /// Put before every stream and subject, so that installations can share a server. May be empty.
    pub prefix: String,
    /// Copies that a cluster keeps of each stream.
    pub replicas: usize,
    /// How the server shows the connection.
    pub name: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("the NATS prefix `{0}` is not made of up to {MAX_PREFIX} letters, digits, `-` and `_`")]
    Prefix(String),
    #[error("the address of the NATS server is not valid")]
    Address(#[source] std::io::Error),
    #[error("no connection to the NATS server")]
    Connect(#[source] async_nats::ConnectError),
    #[error("nats-server {0} is too old: 2.10 is the oldest that will do")]
    TooOld(String),
    #[error(
        "the NATS server takes messages of at most {actual} bytes: set its max_payload to {needed}"
    )]
    MaxPayload { actual: usize, needed: usize },
    #[error("the NATS server answers no JetStream request: enable JetStream for this account")]
    JetStream(#[source] jetstream::context::AccountError),
}

/// A connection to NATS. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    jetstream: jetstream::Context,
    prefix: String,
    replicas: usize,
    disconnects: watch::Receiver<u64>,
}

impl Bus {
    /// Connects, waiting a while for a server that is not up yet, and makes sure that it will do.
    pub async fn connect(options: BusOptions) -> Result<Self, BusError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if options.prefix.len() > MAX_PREFIX || !options.prefix.chars().all(fits) {
            return Err(BusError::Prefix(options.prefix));
        }
        let (disconnected, disconnects) = watch::channel(0);
        let client = connect(&options, disconnected).await?;
        let jetstream = ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
        check(&client, &jetstream).await?;
        let inner = Inner {
            client,
            jetstream,
            prefix: options.prefix,
            replicas: options.replicas.max(1),
            disconnects,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    pub fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    pub fn replicas(&self) -> usize {
        self.inner.replicas
    }

    /// The name of a stream of this installation.
    pub fn stream(&self, name: &str) -> String {
        match self.inner.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}_{name}"),
        }
    }

    /// A subject of this installation.
    pub fn subject(&self, subject: &str) -> String {
        match self.inner.prefix.as_str() {
            "" => subject.to_owned(),
            prefix => format!("{prefix}.{subject}"),
        }
    }

    /// A stream, made if it is missing.
    pub(crate) async fn ensure(
        &self,
        config: stream::Config,
    ) -> Result<stream::Stream, async_nats::Error> {
        let name = config.name.clone();
        match self.jetstream().get_or_create_stream(config).await {
            Ok(stream) => Ok(stream),
            // Another process may have made it in between, with a start of its own.
            Err(error) => self.jetstream().get_stream(name).await.map_err(|_| error.into()),
        }
    }

    /// Changes when the connection is lost: what was sent before may or may not have arrived.
    pub(crate) fn disconnects(&self) -> watch::Receiver<u64> {
        let mut disconnects = self.inner.disconnects.clone();
        disconnects.mark_unchanged();
        disconnects
    }
}

/// The login of the first address that has one, which async-nats does not look for by itself. A name
/// alone is a token.
fn with_login(options: ConnectOptions, addresses: &[ServerAddr]) -> ConnectOptions {
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login =
        addresses.iter().find_map(|address| Some((address.username()?, address.password())));
    match login {
        Some((user, Some(password))) => options.user_and_password(plain(user), plain(password)),
        Some((token, None)) => options.token(plain(token)),
        None => options,
    }
}

async fn connect(
    options: &BusOptions,
    disconnected: watch::Sender<u64>,
) -> Result<Client, BusError> {
    let addresses = options
        .url
        .split(',')
        .map(|address| address.trim().parse::<ServerAddr>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(BusError::Address)?;
    let disconnected = Arc::new(disconnected);
    let deadline = Instant::now() + CONNECT_PATIENCE;
    loop {
        let disconnected = Arc::clone(&disconnected);
        let attempt = with_login(ConnectOptions::new(), &addresses)
            .name(&options.name)
            .ping_interval(PING_INTERVAL)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .event_callback(move |event| {
                observe(&event, &disconnected);
                std::future::ready(())
            })
            .connect(&addresses)
            .await;
        match attempt {
            Ok(client) => return Ok(client),
            Err(error) if is_final(&error) || Instant::now() >= deadline => {
                return Err(BusError::Connect(error));
            }
            Err(_) => sleep(CONNECT_PAUSE).await,
        }
    }
}

/// Trying again would not help.
fn is_final(error: &async_nats::ConnectError) -> bool {
    use ConnectErrorKind::{Authentication, AuthorizationViolation, ServerParse, Tls};
    matches!(error.kind(), Authentication | AuthorizationViolation | ServerParse | Tls)
}

fn observe(event: &Event, disconnected: &watch::Sender<u64>) {
    match event {
        Event::Disconnected => {
            disconnected.send_modify(|count| *count += 1);
            metrics::counter!("bus_disconnects_total").increment(1);
            tracing::warn!("connection to NATS lost");
        }
        Event::SlowConsumer(_) => {
            metrics::counter!("bus_slow_consumers_total").increment(1);
            tracing::warn!("a NATS subscription is too slow and has lost messages");
        }
        Event::ServerError(error) => tracing::warn!(%error, "NATS server reports an error"),
        Event::ClientError(error) => tracing::warn!(%error, "NATS client reports an error"),
        Event::Connected | Event::LameDuckMode | Event::Draining | Event::Closed => {
            tracing::info!(%event, "connection to NATS");
        }
    }
}

async fn check(client: &Client, jetstream: &jetstream::Context) -> Result<(), BusError> {
    if !client.is_server_compatible(2, 10, 0) {
        return Err(BusError::TooOld(client.server_info().version));
    }
    let (actual, needed) = (client.max_payload(), MAX_EVENT_BYTES + HEADER_BYTES);
    if actual < needed {
        return Err(BusError::MaxPayload { actual, needed });
    }
    jetstream.query_account().await.map_err(BusError::JetStream)?;
    Ok(())
}
