use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{ClaimChange, ids::OrganizationId};
use journal::{
    AppendError, AppendRequest, Appended, AppenderTask, Clock, IdempotencyKey, Journal, NewEvent,
    SystemClock,
};
use serde_json::value::RawValue;
use testkit::TestDatabase;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::plan::{Chain, Plan, Seat, Session, Step};

/// One request and what came of it.
#[derive(Debug)]
pub struct Exchange {
    pub request: AppendRequest,
    pub verdict: Result<Appended, AppendError>,
    /// The request that it was decided on was refused.
    pub follows_refused: bool,
    /// The log reached this far before the request was handed in.
    pub head_before: u64,
    /// The log reached no further when the verdict was there.
    pub head_after: u64,
}

/// Sessions see the versions that any of them was told last.
type Versions = Arc<[AtomicU64; 3]>;

/// Several journals on one empty log, each with an appender of its own.
pub async fn open(
    journals: usize,
) -> (TestDatabase, Vec<(Journal, AppenderTask)>, CancellationToken) {
    let database = testkit::database().await;
    journal::migrate(&database.pool()).await.unwrap();
    let stop = CancellationToken::new();
    let mut opened = Vec::new();
    for _ in 0..journals {
        let clock = Arc::new(SystemClock);
        opened.push(Journal::open(database.pool(), clock, stop.clone()).await.unwrap());
    }
    (database, opened, stop)
}

/// Runs every session of the plan at once, on a log of its own.
pub async fn carry_out(plan: Plan) -> (TestDatabase, Vec<Exchange>) {
    let (database, journals, stop) = open(plan.journals).await;
    let versions = Versions::default();
    let sessions: Vec<_> = plan
        .sessions
        .into_iter()
        .enumerate()
        .map(|(number, chains)| {
            let (journal, _) = &journals[number % journals.len()];
            tokio::spawn(session(journal.clone(), chains, Arc::clone(&versions)))
        })
        .collect();
    let mut history = Vec::new();
    for session in sessions {
        history.extend(session.await.unwrap());
    }
    stop.cancel();
    for (_, appender) in journals {
        appender.await.unwrap();
    }
    (database, history)
}

async fn session(journal: Journal, chains: Session, versions: Versions) -> Vec<Exchange> {
    let mut history = Vec::new();
    for chain in chains {
        let seen = &versions[chain[0].stream];
        let requests = requests(chain, seen.load(Ordering::Relaxed));
        let head_before = journal.head().await.unwrap();
        let verdicts = journal.append_chain(requests.clone()).await;
        let head_after = journal.head().await.unwrap();
        let mut follows_refused = false;
        for (request, verdict) in requests.into_iter().zip(verdicts) {
            if let Ok(appended) = &verdict {
                seen.fetch_max(appended.version, Ordering::Relaxed);
            }
            let refused = verdict.is_err();
            history.push(Exchange { request, verdict, follows_refused, head_before, head_after });
            follows_refused = refused;
        }
    }
    history
}

fn requests(chain: Chain, mut seen: u64) -> Vec<AppendRequest> {
    let stream = chain[0].stream;
    let mut requests = Vec::with_capacity(chain.len());
    for step in chain {
        let request = request(&Step { stream, ..step }, seen);
        seen = request.expected_version + request.events.len() as u64;
        requests.push(request);
    }
    requests
}

pub fn request(step: &Step, seen: u64) -> AppendRequest {
    let owner = if step.stranger { 2 } else { 1 };
    // Without an event there is nothing that a stream could begin with.
    let least = u64::from(step.events == 0);
    AppendRequest {
        org: OrganizationId::from_uuid(Uuid::from_u128(owner)),
        aggregate_type: "organization",
        aggregate_id: format!("stream-{}", step.stream),
        expected_version: seen.saturating_add_signed(step.ahead).max(least),
        events: (0..step.events).map(|_| event()).collect(),
        claims: step.seats.iter().map(claim).collect(),
        idempotency: step.key.as_ref().map(|key| IdempotencyKey {
            key: format!("key-{}", key.number),
            request_hash: [key.request; 32],
        }),
        command_id: SystemClock.new_id(),
        correlation_id: SystemClock.new_id(),
        causation_id: None,
        actor: "operator".into(),
        metadata: BTreeMap::new(),
    }
}

fn event() -> NewEvent {
    NewEvent {
        event_id: SystemClock.new_id(),
        event_type: "organization.created".into(),
        event_version: "1".into(),
        payload: RawValue::from_string("{}".into()).unwrap(),
    }
}

fn claim(seat: &Seat) -> ClaimChange {
    let (kind, key) = ("seat", format!("seat-{}", seat.number));
    if seat.take { ClaimChange::Take { kind, key } } else { ClaimChange::Release { kind, key } }
}
