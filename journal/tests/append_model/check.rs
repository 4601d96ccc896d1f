use std::collections::BTreeMap;

use journal::{AppendError, Appended};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    model::{Kept, Model, Verdict},
    run::Exchange,
};

/// A state of the model and the position that it stands for.
struct State {
    position: u64,
    model: Model,
}

/// Panics at the first verdict that no order of the requests explains, and when the tables do not
/// hold what the model holds.
pub async fn explain(pool: &PgPool, history: &[Exchange]) {
    let states = replay(history);
    for exchange in history {
        let Err(error) = &exchange.verdict else {
            assert!(!exchange.follows_refused, "nothing it was decided on: {exchange:#?}");
            continue;
        };
        let told = refusal(error);
        if exchange.follows_refused && told == Verdict::Conflict {
            continue;
        }
        let possible = states
            .iter()
            .filter(|state| (exchange.head_before..=exchange.head_after).contains(&state.position));
        let expected: Vec<_> =
            possible.map(|state| state.model.verdicts(&exchange.request)).collect();
        assert!(
            expected.iter().flatten().any(|verdict| *verdict == told),
            "{told:?} was told, where the model says one of {expected:?}, to {exchange:#?}"
        );
    }
    let last = states.last().unwrap();
    assert_eq!(stored(pool).await, last.model);
    let head: i64 =
        sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await.unwrap();
    assert_eq!(head as usize, last.model.events.len());
}

/// Every state from the empty log on, in the order of positions.
fn replay(history: &[Exchange]) -> Vec<State> {
    let mut appended: Vec<(&Exchange, &Appended)> =
        history.iter().filter_map(|e| Some((e, e.verdict.as_ref().ok()?))).collect();
    // A request without events takes no position: it stands behind the one it was told.
    appended.sort_by_key(|(exchange, at)| (at.last_position, exchange.request.events.is_empty()));
    let mut states = vec![State { position: 0, model: Model::default() }];
    for (exchange, at) in appended {
        let mut model = states[states.len() - 1].model.clone();
        let expected = model.verdicts(&exchange.request);
        let told = Verdict::Appended { version: at.version };
        assert_eq!(expected, [told], "{exchange:#?} after {model:#?}");
        model.append(&exchange.request);
        assert_eq!(model.events.len() as u64, at.last_position, "{exchange:#?}");
        let first = at.last_position - exchange.request.events.len() as u64;
        assert!(first >= exchange.head_before, "it stands before what was there: {exchange:#?}");
        assert!(at.last_position <= exchange.head_after, "told before committed: {exchange:#?}");
        states.push(State { position: at.last_position, model });
    }
    states
}

fn refusal(error: &AppendError) -> Verdict {
    match error {
        AppendError::Conflict { .. } => Verdict::Conflict,
        AppendError::Claimed { key, .. } => Verdict::Claimed { key: key.clone() },
        AppendError::Duplicate(result) => {
            Verdict::Duplicate { id: result.aggregate_id.clone(), version: result.version }
        }
        AppendError::KeyReused => Verdict::KeyReused,
        other => panic!("no request of the plan may fail so: {other}"),
    }
}

async fn stored(pool: &PgPool) -> Model {
    let streams: Vec<(String, Uuid, i64)> =
        sqlx::query_as("SELECT aggregate_id, org_id, version FROM streams")
            .fetch_all(pool)
            .await
            .unwrap();
    let claims: Vec<(String, String)> =
        sqlx::query_as("SELECT key, aggregate_id FROM claims").fetch_all(pool).await.unwrap();
    let keys: Vec<(Uuid, String, Vec<u8>, String, i64)> = sqlx::query_as(
        "SELECT org_id, key, request_hash, aggregate_id, sequence FROM idempotency_keys",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let kept = |(org, key, hash, id, version): (Uuid, String, Vec<u8>, String, i64)| {
        ((org, key), Kept { hash, id, version: version as u64 })
    };
    Model {
        streams: streams.into_iter().map(|(id, org, v)| (id, (org, v as u64))).collect(),
        claims: claims.into_iter().collect(),
        keys: keys.into_iter().map(kept).collect::<BTreeMap<_, _>>(),
        events: events(pool).await,
    }
}

/// The events by position, after a look at what each row says of its place.
async fn events(pool: &PgPool) -> Vec<Uuid> {
    let misplaced: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT position, sequence, recorded_at,
                    row_number() OVER (ORDER BY position) AS place,
                    row_number() OVER (PARTITION BY aggregate_id ORDER BY position) AS turn,
                    lag(recorded_at) OVER (ORDER BY position) AS before
             FROM events
         ) e WHERE position <> place OR sequence <> turn OR recorded_at < before",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(misplaced, 0, "positions, sequences or times are out of order");
    sqlx::query_scalar("SELECT event_id FROM events ORDER BY position")
        .fetch_all(pool)
        .await
        .unwrap()
}
