use std::time::Duration;

use domain::event::catalogue;
use journal::{Filter, Recorded};
use projections::{organizations, sessions};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{over::Over, replicas};
use crate::{problem::Problem, state::App};

/// Events looked at together.
const PAGE: u32 = 500;
/// However fast the log grows, it is looked at this often at most.
const PAUSE: Duration = Duration::from_millis(10);
/// Where nobody says that the log has grown.
const POLL: Duration = Duration::from_millis(200);
/// How often a replica says that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_millis(500);
/// How long the views may take to hold what ended; a memory that is looked up too early is looked up
/// again half a second later.
const VIEW_PATIENCE: Duration = Duration::from_secs(2);

/// Ends on this replica what ends in the log, until told to stop.
pub(crate) async fn keep_revocations(app: App, replica: Uuid, stop: CancellationToken) {
    let (reached, told) = watch::channel(None);
    let work = async {
        tokio::join!(follow(&app, &reached), tell(&app, replica, told), hear(&app));
    };
    stop.run_until_cancelled(work).await;
    let leaving = timeout(RETRY, replicas::leave(&app.bus, replica)).await;
    if !matches!(leaving, Ok(Ok(()))) {
        tracing::debug!("the other replicas were not told that this one goes");
    }
}

/// Follows the log from its present end: nothing is remembered from before.
async fn follow(app: &App, reached: &watch::Sender<Option<u64>>) {
    let filter = Filter { event_types: followed(), ..Filter::default() };
    let mut after = None;
    loop {
        match step(app, &filter, after).await {
            Ok(position) => {
                after = Some(position);
                reached.send_replace(after);
                grown(app, position).await;
            }
            Err(error) => {
                tracing::warn!(%error, "revocations are held up");
                sleep(RETRY).await;
            }
        }
    }
}

/// All about people and organisations but what says every few minutes that a session goes on.
fn followed() -> Vec<String> {
    let names = catalogue().map(|event| event.name);
    let names = names.filter(|name| {
        name.starts_with("user.") || name.starts_with("organization.") || *name == "session.ended"
    });
    names.map(str::to_owned).collect()
}

/// Ends what has ended since then; gives how far that was looked.
async fn step(app: &App, filter: &Filter, after: Option<u64>) -> Result<u64, Problem> {
    let head = app.journal.head().await.map_err(|error| Problem::unavailable(&error))?;
    let Some(after) = after else { return Ok(head) };
    if head <= after {
        return Ok(after);
    }
    let page = app.journal.read(after, filter, PAGE).await?;
    let over = page.iter().flat_map(over).collect::<Vec<_>>();
    let last = page.last().map_or(0, |event| event.position);
    if !over.is_empty() {
        for view in [organizations::NAME, sessions::NAME] {
            if let Err(error) = app.views.open(view, Some(last), VIEW_PATIENCE).await {
                tracing::warn!(%error, view, "a right ends half a second late");
            }
        }
        over.into_iter().for_each(|over| over.end(app));
    }
    // The log is in commit order: what was committed before the page was read is in it.
    Ok(if page.len() < PAGE as usize { head.max(last) } else { last })
}

fn over(recorded: &Recorded) -> Vec<Over> {
    Over::of(recorded).unwrap_or_else(|error| {
        let position = recorded.position;
        tracing::error!(%error, position, "it is not known which rights an event ends");
        Vec::new()
    })
}

/// Until the log is longer, or has to be asked.
async fn grown(app: &App, position: u64) {
    sleep(PAUSE).await;
    let mut head = app.journal.watch_head();
    let _ = timeout(POLL, head.wait_for(|head| *head > position)).await;
}

async fn tell(app: &App, replica: Uuid, mut reached: watch::Receiver<Option<u64>>) {
    let mut ticks = interval(SIGN_OF_LIFE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = reached.changed() => if changed.is_err() { return },
        }
        let Some(position) = *reached.borrow_and_update() else { continue };
        // What is heard of this one need not come over the network.
        app.revocations.note(replica, position);
        let telling = timeout(RETRY, replicas::tell(&app.bus, replica, position)).await;
        if !matches!(telling, Ok(Ok(()))) {
            tracing::debug!("the other replicas were not told how far this one has got");
        }
    }
}

async fn hear(app: &App) {
    loop {
        match replicas::listen(&app.bus).await {
            Ok(mut heard) => replicas::hear(&app.revocations, &mut heard).await,
            Err(error) => tracing::warn!(%error, "the other replicas are not heard"),
        }
        sleep(RETRY).await;
    }
}
