//! Doing it.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::time::{Instant, sleep, timeout};

use super::{Fault, Loss, Server, steal::steal};
use crate::{
    fleet,
    proxy::{Proxy, Who},
    record::Record,
    world::World,
};

/// The server of a stream may be away itself.
const REQUEST: Duration = Duration::from_secs(3);
const FILLING: Duration = Duration::from_secs(4);
/// For a relay that goes on, to do what it had in mind.
const AWAKE: Duration = Duration::from_secs(1);
/// For jobs to be handed out at all.
const LATEST: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

pub async fn inject(world: Arc<World>, record: Arc<Record>, fault: Fault) {
    match fault {
        Fault::Kill { role, down } => world.fleet.kill(role, down),
        Fault::KillBoth { role, down } => {
            world.fleet.kill(role, down);
            world.fleet.kill(role ^ 1, down);
        }
        Fault::Freeze { role, time } => freeze(&world, role, time).await,
        Fault::StealJob { worker } => steal(&world, worker, &record).await,
        Fault::JumpClock { role, seconds, time } => {
            world.clocks.set(&fleet::name(role), seconds);
            sleep(time).await;
            world.clocks.set(&fleet::name(role), 0);
        }
        Fault::StopPostgres { down } => {
            let mut postgres = world.postgres.lock().await;
            postgres.stop_immediately().await;
            sleep(down).await;
            postgres.restart().await;
        }
        Fault::KillPostgres { down } => {
            let mut postgres = world.postgres.lock().await;
            postgres.kill().await;
            sleep(down).await;
            postgres.restart().await;
        }
        Fault::KillNats { down } => lose_nats(&world, None, down).await,
        Fault::LoseStorage { loss, down } => lose_nats(&world, Some(loss), down).await,
        Fault::PurgeEvents => on_stream(&world, "EVENTS", false).await,
        Fault::RemoveStream { name } => on_stream(&world, name, true).await,
        Fault::CutWhileFilling { cuts, pause } => {
            on_stream(&world, "EVENTS", true).await;
            for _ in 0..cuts {
                sleep(pause).await;
                world.to_nats.cut();
            }
        }
        Fault::FillBehind { relay, delay } => {
            let stopped = world.fleet.freeze(relay);
            on_stream(&world, "EVENTS", true).await;
            world.to_nats.delay(delay);
            // It is not filled when there is nobody to do so, and then this is over soon.
            let _ = timeout(FILLING, begun_to_fill(&world)).await;
            if let Some(pid) = stopped {
                world.fleet.go_on(relay, pid);
            }
            sleep(AWAKE).await;
            world.to_nats.delay(Duration::ZERO);
        }
        Fault::RepeatJobs { time } => {
            let until = Instant::now() + time;
            let known = record.counted(TWICE);
            let latest = until + LATEST;
            // It ends early when the server does; and without a job there is none to repeat.
            while Instant::now() < until
                || record.counted(TWICE) == known && Instant::now() < latest
            {
                let left = until.saturating_duration_since(Instant::now()).max(AWAKE);
                let _ = timeout(left, repeat_jobs(&world, &record)).await;
                sleep(LOOK).await;
            }
        }
        Fault::Cut { server, unheard } => {
            proxy(&world, server).cut_unheard(Who::All, unheard).await
        }
        Fault::LoseAppends { unheard } => {
            world.to_postgres.cut_unheard(Who::Appenders, unheard).await;
        }
        Fault::Slow { server, delay, time } => {
            proxy(&world, server).delay(delay);
            sleep(time).await;
            proxy(&world, server).delay(Duration::ZERO);
        }
        Fault::Hold { server, time } => {
            proxy(&world, server).hold(true);
            sleep(time).await;
            proxy(&world, server).hold(false);
        }
    }
}

fn proxy(world: &World, server: Server) -> &Proxy {
    match server {
        Server::Postgres => &world.to_postgres,
        Server::Nats => &world.to_nats,
    }
}

async fn lose_nats(world: &World, loss: Option<Loss>, down: Duration) {
    let mut nats = world.nats.lock().await;
    nats.kill().await;
    if let Some(loss) = loss {
        loss.inflict(&nats.store_dir());
    }
    sleep(down).await;
    nats.restart().await;
}

async fn freeze(world: &World, role: usize, time: Duration) {
    if let Some(pid) = world.fleet.freeze(role) {
        sleep(time).await;
        world.fleet.go_on(role, pid);
    }
}

/// As an operator would in a hurry, past everything of the platform.
async fn on_stream(world: &World, name: &str, remove: bool) {
    // Not while the server is being killed: the fault would come to nothing.
    let _nats = world.nats.lock().await;
    let work = async {
        let client = async_nats::connect(&world.nats_url).await?;
        let jetstream = async_nats::jetstream::new(client);
        if remove {
            jetstream.delete_stream(name).await?;
        } else {
            jetstream.get_stream(name).await?.purge().await?;
        }
        Ok::<(), async_nats::Error>(())
    };
    // There is nothing to lose where the stream is being made again just now.
    if let Ok(Err(error)) = timeout(REQUEST, work).await {
        println!("          {name} was left alone: {error}");
    }
}

async fn begun_to_fill(world: &World) -> Result<(), async_nats::Error> {
    let client = async_nats::connect(&world.nats_url).await?;
    let jetstream = async_nats::jetstream::new(client);
    loop {
        if let Ok(stream) = jetstream.get_stream("EVENTS").await
            && stream.cached_info().state.last_sequence > 0
        {
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

const COPY: &str = "Storm-Copy";
const TWICE: &str = "jobs handed out twice";

/// Publishes a copy of every job as soon as it is published.
async fn repeat_jobs(world: &World, record: &Record) -> Result<(), async_nats::Error> {
    let client = async_nats::connect(&world.nats_url).await?;
    let mut jobs = client.subscribe("jobs.>").await?;
    while let Some(job) = jobs.next().await {
        if job.headers.as_ref().is_some_and(|headers| headers.get(COPY).is_some()) {
            continue;
        }
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(COPY, "yes");
        client.publish_with_headers(job.subject, headers, job.payload).await?;
        record.count(TWICE);
    }
    Ok(())
}
