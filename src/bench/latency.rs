//! From a command to those who wait for it, at a quarter of the load that the front end takes.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use async_nats::jetstream::consumer::{DeliverPolicy, push::OrderedConfig};
use domain::ids::OrganizationId;
use futures::StreamExt;
use journal::Bus;
use tokio::{sync::Mutex, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    IN_FLIGHT,
    figures::{Board, Figure, Sample},
    http::{self, Post},
    load::{self, Plan},
    site::Site,
    wire::{self, Wire},
    world::World,
};

/// The last events may take so long to arrive.
const LAST: Duration = Duration::from_secs(2);
/// Every so many commands is followed by a read of what it did.
const READ_EVERY: u64 = 10;

type Moments = Vec<(u64, Instant)>;

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let world = site.world().await?;
    let (org, key) = http::key(&world).await?;
    let running = world.run(&http::FOLLOWED).await?;
    let bench = Bench { address: http::address(&running)?, org, key, world: &world };
    let measured = bench.rounds(plan).await;
    running.stop().await;
    let figures = measured?;
    site.leave(world).await?;
    Ok(figures)
}

struct Bench<'a> {
    address: SocketAddr,
    org: OrganizationId,
    key: String,
    world: &'a World,
}

/// What the clients saw.
struct Seen {
    /// Of each command, the position of its event and when it was sent.
    sent: Moments,
    accepted: Vec<Duration>,
    read: Vec<Duration>,
}

impl Bench<'_> {
    async fn rounds(&self, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
        let command = Post::Command { key: self.key.clone() };
        let most = http::drive(self.address, command, plan.round, None).await?;
        let per_s = most.count as f64 / most.elapsed.as_secs_f64() / 4.0;
        let mut board = Board::default();
        for counts in plan.rounds() {
            // What the load before left to be done is not of this round.
            tokio::time::sleep(LAST).await;
            let (nats, sse) = (self.follow_stream().await?, self.follow_sse().await?);
            let started = Instant::now();
            let seen = self.send(plan.round, per_s).await?;
            let elapsed = started.elapsed();
            let (nats, sse) = (arrived(nats, &seen.sent).await?, arrived(sse, &seen.sent).await?);
            if counts {
                let times = [("accepted", seen.accepted), ("read", seen.read)];
                for (name, times) in times.into_iter().chain([("nats", nats), ("sse", sse)]) {
                    board.note(name, Sample { count: times.len() as u64, times, elapsed });
                }
            }
        }
        board.note("raw", self.raw(plan).await?);
        Ok(board.figures())
    }

    /// Commands at a steady pace; some are followed by a read that must hold what they did.
    async fn send(&self, time: Duration, per_s: f64) -> anyhow::Result<Seen> {
        let (address, key) = (self.address, self.key.clone());
        http::own_thread(async move {
            let seen = Seen { sent: Vec::new(), accepted: Vec::new(), read: Vec::new() };
            let seen = Arc::new(std::sync::Mutex::new(seen));
            let mut workers = Vec::new();
            for _ in 0..IN_FLIGHT {
                let wire = Arc::new(Mutex::new(Wire::connect(address).await?));
                let (seen, key) = (Arc::clone(&seen), key.clone());
                workers.push(move || {
                    let (wire, seen, key) = (Arc::clone(&wire), Arc::clone(&seen), key.clone());
                    async move { one(&mut *wire.lock().await, &key, &seen).await }
                });
            }
            load::paced(workers, time, per_s).await?;
            let seen = Arc::into_inner(seen).and_then(|seen| seen.into_inner().ok());
            seen.ok_or_else(|| anyhow::anyhow!("a client did not end"))
        })
        .await
    }

    /// When each event came to a consumer of the stream.
    async fn follow_stream(&self) -> anyhow::Result<AbortOnDropHandle<Moments>> {
        let bus: &Bus = &self.world.installation.bus;
        let stream = bus.jetstream().get_stream(bus.stream("EVENTS")).await?;
        let config = OrderedConfig {
            deliver_subject: bus.client().new_inbox(),
            deliver_policy: DeliverPolicy::New,
            filter_subject: bus.subject(&format!("events.{}.>", self.org)),
            ..OrderedConfig::default()
        };
        let mut messages = stream.create_consumer(config).await?.messages().await?;
        Ok(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut came = Moments::new();
            let mut patience = Duration::from_secs(3600);
            while let Ok(Some(Ok(message))) = timeout(patience, messages.next()).await {
                patience = LAST;
                if let Ok(info) = message.info() {
                    came.push((info.stream_sequence, Instant::now()));
                }
            }
            came
        })))
    }

    /// When each event came to a client that follows the log over HTTP.
    async fn follow_sse(&self) -> anyhow::Result<AbortOnDropHandle<Moments>> {
        let lines = format!("authorization: Bearer {}\r\n", self.key);
        let mut wire = Wire::connect(self.address).await?;
        let head = wire.begin(&wire::request("GET", "/v1/events/stream", &lines, "")).await?;
        ensure!(head.status == 200, "the event stream was answered with {}", head.status);
        Ok(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut came = Moments::new();
            let mut patience = Duration::from_secs(3600);
            while let Ok(Ok(line)) = timeout(patience, wire.line()).await {
                if let Some(id) = line.strip_prefix("id: ").and_then(|id| id.parse().ok()) {
                    came.push((id, Instant::now()));
                    patience = LAST;
                }
            }
            came
        })))
    }

    /// A commit and a read of it, by one client on an idle server.
    async fn raw(&self, plan: &Plan) -> anyhow::Result<Sample> {
        let pool = self.world.pool(1).await?;
        sqlx::query("CREATE TABLE raw_seen (id bigserial PRIMARY KEY, at timestamptz)")
            .execute(&pool)
            .await?;
        let worker = move || {
            let pool = pool.clone();
            async move {
                let id: i64 =
                    sqlx::query_scalar("INSERT INTO raw_seen (at) VALUES (now()) RETURNING id")
                        .fetch_one(&pool)
                        .await?;
                let seen = sqlx::query("SELECT at FROM raw_seen WHERE id = $1").bind(id);
                seen.fetch_one(&pool).await?;
                Ok(())
            }
        };
        load::closed(vec![worker], plan.round).await
    }
}

async fn one(wire: &mut Wire, key: &str, seen: &std::sync::Mutex<Seen>) -> anyhow::Result<()> {
    let begun = Instant::now();
    let head = wire.ask(&Post::Command { key: key.to_owned() }.text()).await?;
    let (accepted, position) = (begun.elapsed(), head.position()?);
    let mut read = None;
    if position % READ_EVERY == 0
        && let Some(path) = head.get("location")
    {
        let lines = format!("authorization: Bearer {key}\r\nmillrace-min-position: {position}\r\n");
        wire.ask(&wire::request("GET", path, &lines, "")).await?;
        read = Some(begun.elapsed());
    }
    if let Ok(mut seen) = seen.lock() {
        seen.sent.push((position, begun));
        seen.accepted.push(accepted);
        seen.read.extend(read);
    }
    Ok(())
}

/// From the command to the arrival of its event, which every command must have.
async fn arrived(
    follower: AbortOnDropHandle<Moments>,
    sent: &Moments,
) -> anyhow::Result<Vec<Duration>> {
    let came: HashMap<u64, Instant> = follower.await?.into_iter().collect();
    let times: Vec<_> = sent
        .iter()
        .filter_map(|(position, begun)| Some(came.get(position)?.duration_since(*begun)))
        .collect();
    ensure!(
        times.len() == sent.len(),
        "only {} of {} events arrived within {LAST:?}",
        times.len(),
        sent.len()
    );
    Ok(times)
}
