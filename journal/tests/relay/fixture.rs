use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    Message,
    consumer::{AckPolicy, pull, pull::OrderedConfig},
    stream::{Info, Stream},
};
use domain::ids::OrganizationId;
use futures::{StreamExt, TryStreamExt};
use journal::{
    AppendRequest, Bus, BusOptions, Clock, Filter, Journal, NewEvent, SystemClock,
    relay::{self, RelayOptions},
};
use serde_json::value::RawValue;
use sqlx::PgPool;
use testkit::{TestDatabase, TestNats};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);
const PER_REQUEST: usize = 50;

/// A log in a database of its own.
pub struct Log {
    pub journal: Journal,
    pub pool: PgPool,
    stop: CancellationToken,
    _database: TestDatabase,
}

/// A relay as one process runs it, with a connection of its own.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), relay::Error>>,
}

pub async fn connect(nats: &TestNats) -> Bus {
    let options = BusOptions {
        url: nats.url().to_owned(),
        prefix: "test".into(),
        replicas: 1,
        name: "relay test".into(),
    };
    Bus::connect(options).await.unwrap()
}

pub fn quick() -> RelayOptions {
    RelayOptions {
        ack_timeout: Duration::from_secs(1),
        recheck: Duration::from_millis(20),
        takeover: Duration::from_millis(100),
        ..RelayOptions::default()
    }
}

impl Log {
    pub async fn open() -> Self {
        let database = testkit::database().await;
        let pool = database.pool();
        journal::migrate(&pool).await.unwrap();
        let stop = CancellationToken::new();
        let (journal, _task) =
            Journal::open(pool.clone(), Arc::new(SystemClock), stop.clone()).await.unwrap();
        Self { journal, pool, stop, _database: database }
    }

    /// Another log that takes itself for this one, as one restored from an old backup does.
    pub async fn older_copy(&self) -> Self {
        let copy = Self::open().await;
        let identity = sqlx::query_scalar::<_, uuid::Uuid>("SELECT log_id FROM log_head")
            .fetch_one(&self.pool)
            .await
            .unwrap();
        sqlx::query("UPDATE log_head SET log_id = $1")
            .bind(identity)
            .execute(&copy.pool)
            .await
            .unwrap();
        copy
    }

    pub async fn append(&self, count: usize) {
        append(&self.journal, count).await;
    }

    pub fn keep_appending(&self, count: usize) -> JoinHandle<()> {
        let journal = self.journal.clone();
        tokio::spawn(async move { append(&journal, count).await })
    }

    /// That the stream is this log: at every sequence the event of that position.
    pub async fn assert_copied(&self, bus: &Bus) {
        let events = self.journal.read(0, &Filter::default(), 10_000).await.unwrap();
        let messages = messages(bus, events.len()).await;
        assert_eq!(messages.len(), events.len());
        for (message, event) in messages.iter().zip(&events) {
            assert_eq!(message.info().unwrap().stream_sequence, event.position);
            assert_eq!(header(message, "Nats-Msg-Id"), event.event_id.to_string());
            assert_eq!(header(message, "Millrace-Position"), event.position.to_string());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn append(journal: &Journal, count: usize) {
    let mut left = count;
    while left > 0 {
        let size = left.min(PER_REQUEST);
        journal.append_request(request(size)).await.unwrap();
        left -= size;
    }
}

pub fn request(events: usize) -> AppendRequest {
    let payload = r#"{"type":"created","name":"n","slug":"s","created_at":"2026-01-01T00:00:00Z"}"#;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let event = |_| NewEvent {
        event_id: SystemClock.new_id(),
        event_type: "organization.created".into(),
        event_version: "1".into(),
        payload: RawValue::from_string(payload.into()).unwrap(),
    };
    AppendRequest {
        org,
        aggregate_type: "organization",
        aggregate_id: org.to_string(),
        expected_version: 0,
        events: (0..events).map(event).collect(),
        claims: Vec::new(),
        idempotency: None,
        command_id: SystemClock.new_id(),
        correlation_id: SystemClock.new_id(),
        causation_id: None,
        actor: "operator".into(),
        metadata: Default::default(),
    }
}

impl Running {
    pub fn start(log: &Log, bus: &Bus, options: RelayOptions) -> Self {
        let stop = CancellationToken::new();
        let work = relay::run(log.journal.clone(), bus.clone(), options, stop.clone());
        Self { stop, task: tokio::spawn(work) }
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Ends it wherever it is.
    pub async fn abort(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub async fn stream(bus: &Bus) -> Option<Stream> {
    bus.jetstream().get_stream(bus.stream("EVENTS")).await.ok()
}

pub async fn info(bus: &Bus) -> Info {
    stream(bus).await.unwrap().cached_info().clone()
}

pub async fn last(bus: &Bus) -> u64 {
    stream(bus).await.map_or(0, |stream| stream.cached_info().state.last_sequence)
}

/// Until the stream has reached a position.
pub async fn reached(bus: &Bus, position: u64) {
    let wait = async {
        while last(bus).await < position {
            sleep(POLL).await;
        }
    };
    let reached = tokio::time::timeout(PATIENCE, wait).await;
    assert!(reached.is_ok(), "the stream came to {} instead of {position}", last(bus).await);
}

/// Until the stream has so many messages.
pub async fn holds(bus: &Bus, count: u64) {
    let wait = async {
        while stream(bus).await.is_none_or(|stream| stream.cached_info().state.messages < count) {
            sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

/// Until a relay has looked at the stream so many times more.
pub async fn looked_at(bus: &Bus, times: usize) {
    let subject = format!("$JS.API.STREAM.INFO.{}", bus.stream("EVENTS"));
    let looks = bus.client().subscribe(subject).await.unwrap().take(times).count();
    assert_eq!(tokio::time::timeout(PATIENCE, looks).await.unwrap(), times);
}

pub async fn messages(bus: &Bus, count: usize) -> Vec<Message> {
    let stream = stream(bus).await.unwrap();
    let consumer = stream.create_consumer(OrderedConfig::default()).await.unwrap();
    let messages = consumer.messages().await.unwrap().take(count);
    tokio::time::timeout(PATIENCE, messages.try_collect()).await.unwrap().unwrap()
}

pub fn header(message: &Message, name: &str) -> String {
    message
        .headers
        .iter()
        .find_map(|headers| headers.get(name))
        .map_or_else(String::new, ToString::to_string)
}

/// A durable consumer as a subscriber of another house has it.
pub async fn durable(bus: &Bus) -> pull::Config {
    let config = pull::Config {
        durable_name: Some("subscriber".into()),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    };
    stream(bus).await.unwrap().create_consumer(config.clone()).await.unwrap();
    config
}

/// Takes messages as the durable consumer delivers them; gives their positions.
pub async fn consume(bus: &Bus, count: usize) -> Vec<u64> {
    let stream = stream(bus).await.unwrap();
    let consumer = stream.get_consumer::<pull::Config>("subscriber").await.unwrap();
    let wait = async {
        let mut positions = Vec::new();
        let mut messages = consumer.messages().await.unwrap().take(count);
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            message.double_ack().await.unwrap();
            positions.push(message.info().unwrap().stream_sequence);
        }
        positions
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}
