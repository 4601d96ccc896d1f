use std::collections::BTreeMap;

use domain::{ClaimChange, Timestamp};
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::{AppendError, AppendRequest, Appended, queue::Verdict, request::claim_key};

/// A request as one of a batch.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub request: &'a AppendRequest,
    /// Which of the batch it was decided on; that one stands before it.
    pub after: Option<usize>,
}

/// Whether keys and streams that requests take for new are expected to be new. That is cheaper, but
/// where one is not, its whole batch is done twice.
pub(super) struct Hope {
    /// Batches still to be done without it.
    wary: u32,
}

impl Hope {
    /// Disappointments come in swarms: clients that try again do so together.
    const WARY_BATCHES: u32 = 64;

    pub fn new() -> Self {
        Self { wary: 0 }
    }

    fn holds(&mut self) -> bool {
        let holds = self.wary == 0;
        self.wary = self.wary.saturating_sub(1);
        holds
    }

    /// Whether the error is a key or a stream that was not new.
    fn is_disappointed_by(&mut self, error: &sqlx::Error) -> bool {
        let constraint = error.as_database_error().and_then(|error| error.constraint());
        let disappointed = matches!(constraint, Some("idempotency_keys_pkey" | "streams_pkey"));
        if disappointed {
            self.wary = Self::WARY_BATCHES;
        }
        disappointed
    }
}

/// Appends the requests, which touch nothing in common but the streams of those that follow each other,
/// in one transaction. Each gets its own verdict, in their order. Gives the position that the log then
/// reaches.
pub(super) async fn append(
    connection: &mut PgConnection,
    parts: &[Part<'_>],
    now: Timestamp,
    hope: &mut Hope,
) -> Result<(Vec<Verdict>, u64), sqlx::Error> {
    let mut columns = Columns::default();
    for (index, part) in parts.iter().enumerate() {
        columns.push(index as i32 + 1, part);
    }
    let hopeful = hope.holds();
    let outcome = match columns.call(connection, hopeful, now).await {
        Err(error) if hopeful && hope.is_disappointed_by(&error) => {
            columns.call(connection, false, now).await?
        }
        outcome => outcome?,
    };
    let mut verdicts = Vec::with_capacity(parts.len());
    let mut position = outcome.base;
    let claims = outcome.claim.iter().map(|number| columns.claimed(*number));
    for ((Part { request, .. }, status), claimed) in parts.iter().zip(outcome.status).zip(claims) {
        verdicts.push(match status {
            0 => {
                position += request.events.len() as u64;
                Ok(Appended {
                    last_position: position,
                    version: request.version_after(),
                    recorded_at: outcome.appended_at,
                })
            }
            1 => Err(earlier_result(connection, request).await?),
            2 => Err(claimed.unwrap_or_else(|| request.conflict())),
            _ => Err(request.conflict()),
        });
    }
    Ok((verdicts, position))
}

/// What became of requests whose answer was lost with its connection: the verdicts of those that are
/// known to be in the log, none where that cannot be told from the log.
pub(super) async fn recall(
    connection: &mut PgConnection,
    parts: &[Part<'_>],
) -> Result<Vec<Option<Appended>>, sqlx::Error> {
    let mut recalled = Vec::with_capacity(parts.len());
    for Part { request, .. } in parts {
        let Some(last) = request.events.last() else {
            recalled.push(None);
            continue;
        };
        let version = request.version_after();
        let row = sqlx::query(
            "SELECT position, recorded_at FROM events
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3
               AND event_id = $4",
        )
        .bind(request.aggregate_type)
        .bind(&request.aggregate_id)
        .bind(version as i64)
        .bind(last.event_id)
        .fetch_optional(&mut *connection)
        .await?;
        recalled.push(match row {
            None => None,
            Some(row) => Some(Appended {
                last_position: row.try_get::<i64, _>("position")? as u64,
                version,
                recorded_at: row.try_get("recorded_at")?,
            }),
        });
    }
    Ok(recalled)
}

/// The earlier result under the request's key, or the refusal of a key used for something else.
async fn earlier_result(
    connection: &mut PgConnection,
    request: &AppendRequest,
) -> Result<AppendError, sqlx::Error> {
    let Some(key) = &request.idempotency else {
        return Ok(AppendError::KeyReused);
    };
    let stored = crate::idempotency::find(connection, request.org, key).await?;
    Ok(match stored {
        Some(crate::idempotency::Found::Same(result)) => AppendError::Duplicate(Box::new(result)),
        // Removed by age between the two statements: as if it had never been there.
        None => request.conflict(),
        Some(crate::idempotency::Found::Other) => AppendError::KeyReused,
    })
}

struct Outcome {
    base: u64,
    appended_at: Timestamp,
    status: Vec<i32>,
    /// Of a request that was refused for a claim: its number among all claims, from 1.
    claim: Vec<Option<i64>>,
}

/// The arguments of `append_batch`, column by column.
#[derive(Default)]
struct Columns {
    r_org: Vec<Uuid>,
    r_type: Vec<&'static str>,
    r_id: Vec<String>,
    r_expected: Vec<i64>,
    r_count: Vec<i32>,
    r_key: Vec<Option<String>>,
    r_hash: Vec<Option<Vec<u8>>>,
    r_after: Vec<Option<i32>>,
    c_request: Vec<i32>,
    c_take: Vec<bool>,
    c_kind: Vec<&'static str>,
    c_key: Vec<String>,
    e_request: Vec<i32>,
    e_aggregate_type: Vec<&'static str>,
    e_aggregate_id: Vec<String>,
    e_sequence: Vec<i64>,
    e_type: Vec<String>,
    e_version: Vec<String>,
    e_payload: Vec<String>,
    e_metadata: Vec<String>,
    e_event: Vec<Uuid>,
    e_org: Vec<Uuid>,
    e_command: Vec<Uuid>,
    e_correlation: Vec<Uuid>,
    e_causation: Vec<Option<Uuid>>,
    e_actor: Vec<String>,
}

impl Columns {
    fn push(&mut self, number: i32, part: &Part<'_>) {
        let request = part.request;
        self.r_after.push(part.after.map(|index| index as i32 + 1));
        self.r_org.push(request.org.uuid());
        self.r_type.push(request.aggregate_type);
        self.r_id.push(request.aggregate_id.clone());
        self.r_expected.push(request.expected_version as i64);
        self.r_count.push(request.events.len() as i32);
        self.r_key.push(request.idempotency.as_ref().map(|key| key.key.clone()));
        self.r_hash.push(request.idempotency.as_ref().map(|key| key.request_hash.to_vec()));
        // Of several changes to one claim the last one is left.
        let claims: BTreeMap<_, _> = request
            .claims
            .iter()
            .map(|change| (claim_key(change), matches!(change, ClaimChange::Take { .. })))
            .collect();
        for ((kind, key), take) in claims {
            self.c_request.push(number);
            self.c_take.push(take);
            self.c_kind.push(kind);
            self.c_key.push(key);
        }
        let metadata = request.metadata.iter().map(|(k, v)| (k.clone(), v.clone().into()));
        let metadata = Value::Object(metadata.collect()).to_string();
        for (offset, event) in request.events.iter().enumerate() {
            self.e_request.push(number);
            self.e_aggregate_type.push(request.aggregate_type);
            self.e_aggregate_id.push(request.aggregate_id.clone());
            self.e_sequence.push((request.expected_version + 1) as i64 + offset as i64);
            self.e_type.push(event.event_type.clone());
            self.e_version.push(event.event_version.clone());
            self.e_payload.push(event.payload.get().to_owned());
            self.e_metadata.push(metadata.clone());
            self.e_event.push(event.event_id);
            self.e_org.push(request.org.uuid());
            self.e_command.push(request.command_id);
            self.e_correlation.push(request.correlation_id);
            self.e_causation.push(request.causation_id);
            self.e_actor.push(request.actor.clone());
        }
    }

    /// The refusal for a claim that was given under this number.
    fn claimed(&self, number: Option<i64>) -> Option<AppendError> {
        let place = usize::try_from(number? - 1).ok()?;
        let (kind, key) = (self.c_kind.get(place)?, self.c_key.get(place)?);
        Some(AppendError::Claimed { kind, key: key.clone() })
    }

    async fn call(
        &self,
        connection: &mut PgConnection,
        hopeful: bool,
        now: Timestamp,
    ) -> Result<Outcome, sqlx::Error> {
        let row = sqlx::query(
            "SELECT base, appended_at, status, claim FROM append_batch(
                 $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)",
        )
        .bind(hopeful)
        .bind(now)
        .bind(&self.r_org)
        .bind(&self.r_type)
        .bind(&self.r_id)
        .bind(&self.r_expected)
        .bind(&self.r_count)
        .bind(&self.r_key)
        .bind(&self.r_hash)
        .bind(&self.c_request)
        .bind(&self.c_take)
        .bind(&self.c_kind)
        .bind(&self.c_key)
        .bind(&self.e_request)
        .bind(&self.e_aggregate_type)
        .bind(&self.e_aggregate_id)
        .bind(&self.e_sequence)
        .bind(&self.e_type)
        .bind(&self.e_version)
        .bind(&self.e_payload)
        .bind(&self.e_metadata)
        .bind(&self.e_event)
        .bind(&self.e_org)
        .bind(&self.e_command)
        .bind(&self.e_correlation)
        .bind(&self.e_causation)
        .bind(&self.e_actor)
        .bind(&self.r_after)
        .fetch_one(&mut *connection)
        .await?;
        Ok(Outcome {
            base: row.try_get::<i64, _>("base")? as u64,
            appended_at: row.try_get("appended_at")?,
            status: row.try_get("status")?,
            claim: row.try_get("claim")?,
        })
    }
}

/// Whether the server answers on this connection.
pub(super) async fn is_alive(connection: &mut PgConnection) -> bool {
    connection.ping().await.is_ok()
}
