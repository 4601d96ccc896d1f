//! Commands a second through the front end, from a thread of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use domain::{ids::OrganizationId, organizations::KeyTerms};
use journal::{Clock, SystemClock};
use projections::Status;
use tokio::sync::Mutex;

use super::{
    IN_FLIGHT,
    figures::{Board, Figure, Sample},
    load::{self, Plan},
    projection, relay,
    site::Site,
    stock::{self, Stock},
    wire::{self, Wire},
    world::World,
};
use crate::{cli::Role, first_start, roles::Running};

const SCAN: &str = r#"{"target":{"kind":"website","url":"https://shop.example.com/products"}}"#;
const STOCK: &str = r#"{"url":"https://shop.example.com/products"}"#;

/// What a command looks like on the wire.
#[derive(Clone)]
pub enum Post {
    /// To the front end, with a key of its own each time.
    Command { key: String },
    /// To a path of the stock front end.
    Stock(&'static str),
}

impl Post {
    pub fn text(&self) -> String {
        match self {
            Self::Command { key } => {
                let lines = format!(
                    "authorization: Bearer {key}\r\nidempotency-key: {}\r\n",
                    SystemClock.new_id()
                );
                wire::request("POST", "/v1/scans", &lines, SCAN)
            }
            Self::Stock(path) => wire::request("POST", path, "", STOCK),
        }
    }
}

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let world = site.world().await?;
    let key = key(&world).await?.1;
    let stock = stock::serve(Stock::open(&world).await?).await?;
    let command = Post::Command { key };
    let mut board = Board::default();
    for counts in plan.rounds() {
        let samples = [
            ("http", serving(&world, &[Role::Api], &command, plan).await?),
            ("http_followed", followed(&world, &command, plan).await?),
            ("stock", drive(stock.address, Post::Stock("/stock"), plan.round, None).await?),
            ("raw", drive(stock.address, Post::Stock("/raw"), plan.round, None).await?),
        ];
        for (name, sample) in samples {
            if counts {
                board.note(name, sample);
            }
        }
    }
    drop(stock);
    site.leave(world).await?;
    Ok(board.figures())
}

/// With whatever else the events are for.
pub const FOLLOWED: [Role; 3] = [Role::Api, Role::Relay, Role::Projector];

/// Commands while these roles run in this process.
pub async fn serving(
    world: &World,
    roles: &[Role],
    command: &Post,
    plan: &Plan,
) -> anyhow::Result<Sample> {
    let running = world.run(roles).await?;
    let sample = match address(&running) {
        Ok(address) => drive(address, command.clone(), plan.round, None).await,
        Err(error) => Err(error),
    };
    running.stop().await;
    sample
}

/// While everything follows that is there to follow, and has nothing else to catch up with.
async fn followed(world: &World, command: &Post, plan: &Plan) -> anyhow::Result<Sample> {
    relay::catch_up(world).await?;
    projection::catch_up(world, Status::Live).await?;
    serving(world, &FOLLOWED, command, plan).await
}

pub fn address(running: &Running) -> anyhow::Result<SocketAddr> {
    running.api.context("the front end does not run")
}

/// The organisation of a new key and its secret, known to the view that checks it.
pub async fn key(world: &World) -> anyhow::Result<(OrganizationId, String)> {
    let running = world.run(&[Role::Projector]).await?;
    let (journal, views) = (&world.installation.journal, &world.installation.views);
    let made = async {
        let organization = first_start::create_organization(journal, "Bench", "bench").await?;
        first_start::issue_key(journal, views, organization, KeyTerms::everything("bench")).await
    };
    let made: anyhow::Result<_> = made.await;
    running.stop().await;
    let made = made?;
    Ok((made.organization, made.secret))
}

/// Sends the same again and again over as many connections as there are commands under way, as fast
/// as they are answered or `per_s` a second.
pub async fn drive(
    address: SocketAddr,
    post: Post,
    time: Duration,
    per_s: Option<f64>,
) -> anyhow::Result<Sample> {
    own_thread(async move {
        let mut workers = Vec::new();
        for _ in 0..IN_FLIGHT {
            let wire = Arc::new(Mutex::new(Wire::connect(address).await?));
            let post = post.clone();
            workers.push(move || {
                let (wire, text) = (Arc::clone(&wire), post.text());
                async move { wire.lock().await.ask(&text).await.map(|_| ()) }
            });
        }
        match per_s {
            Some(per_s) => load::paced(workers, time, per_s).await,
            None => load::closed(workers, time).await,
        }
    })
    .await
}

/// Clients do not share the threads of the server.
pub async fn own_thread<T: Send + 'static>(
    work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
    })
    .await?
}
