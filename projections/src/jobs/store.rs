//! Folding a batch of events into the queue, in a few statements.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    jobs::{JobChange, JobKind},
};
use journal::{Recorded, origin};
use sqlx::PgConnection;

use super::row::{COLUMNS, JobRow, JobStatus};
use crate::{
    columns::column,
    event::{LogEvent, storable},
    fault::Fault,
};

/// The jobs a batch touches; none for one that is not in the queue.
type Queue = BTreeMap<String, Option<JobRow>>;

pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let mut changes = Vec::new();
    for log_event in events {
        let events = log_event.events()?;
        changes.extend(events.iter().filter_map(|e| Some((&log_event.recorded, e.job_change()?))));
    }
    if changes.is_empty() {
        return Ok(());
    }
    let (mut queue, before) = load(connection, schema, &changes).await?;
    for (recorded, change) in changes {
        fold(&mut queue, recorded, change)
            .map_err(|reason| Fault::event(recorded.position, reason))?;
    }
    write(connection, schema, &queue, &before).await
}

/// Also gives the ids of those that are in the table.
async fn load(
    connection: &mut PgConnection,
    schema: &str,
    changes: &[(&Recorded, JobChange)],
) -> Result<(Queue, BTreeSet<String>), Fault> {
    let ids: BTreeSet<&str> =
        changes.iter().map(|(recorded, _)| recorded.aggregate_id.as_str()).collect();
    let query = format!("SELECT {COLUMNS} FROM {schema}.jobs WHERE job_id = ANY ($1)");
    let rows = sqlx::query(&query).bind(Vec::from_iter(ids)).fetch_all(connection).await?;
    let mut queue = Queue::new();
    for row in &rows {
        // A row that cannot be read is a fault of the tables, not of an event.
        let job = JobRow::from_row(row).map_err(Fault::Database)?;
        queue.insert(job.job_id.clone(), Some(job));
    }
    let before = queue.keys().cloned().collect();
    Ok((queue, before))
}

fn fold(queue: &mut Queue, recorded: &Recorded, change: JobChange) -> Result<(), String> {
    let entry = queue.entry(recorded.aggregate_id.clone()).or_default();
    match change {
        JobChange::Queued { kind, attempt, not_before } => {
            let job = queued(recorded, kind, attempt, not_before);
            // Of one that waits again these go on.
            *entry = Some(match entry.take() {
                Some(former) => JobRow {
                    cancel_requested: former.cancel_requested,
                    requested_by: former.requested_by,
                    ..job
                },
                None => job,
            });
        }
        JobChange::Started { attempt, fence, deadline } => {
            let job = entry.as_mut().ok_or("the job is not in the queue")?;
            job.status = JobStatus::Running;
            job.attempt = attempt;
            job.fence = Some(fence);
            job.deadline = Some(deadline);
        }
        JobChange::CancelRequested => {
            entry.as_mut().ok_or("the job is not in the queue")?.cancel_requested = true;
        }
        JobChange::Ended => *entry = None,
    }
    Ok(())
}

fn queued(recorded: &Recorded, kind: JobKind, attempt: u32, not_before: Timestamp) -> JobRow {
    let requested_by = recorded.metadata.get(origin::ON_BEHALF_OF).unwrap_or(&recorded.actor);
    JobRow {
        job_id: recorded.aggregate_id.clone(),
        kind,
        org: recorded.org,
        priority: kind.priority(),
        status: JobStatus::Queued,
        attempt,
        fence: None,
        // Whose clock it was written by is not known. What was not put off waits for none.
        not_before: if not_before <= recorded.recorded_at {
            Timestamp::UNIX_EPOCH
        } else {
            not_before
        },
        deadline: None,
        cancel_requested: false,
        requested_by: storable(requested_by),
        queued_position: recorded.position,
        queued_at: recorded.recorded_at,
        event_id: recorded.event_id,
        correlation_id: recorded.correlation_id,
        metadata: recorded.metadata.clone(),
    }
}

async fn write(
    connection: &mut PgConnection,
    schema: &str,
    queue: &Queue,
    before: &BTreeSet<String>,
) -> Result<(), Fault> {
    let ended: Vec<&str> = queue
        .iter()
        .filter(|(id, job)| job.is_none() && before.contains(*id))
        .map(|(id, _)| id.as_str())
        .collect();
    if !ended.is_empty() {
        let query = format!("DELETE FROM {schema}.jobs WHERE job_id = ANY ($1)");
        sqlx::query(&query).bind(ended).execute(&mut *connection).await?;
    }
    let (known, new): (Vec<_>, Vec<_>) =
        queue.values().flatten().partition(|job| before.contains(&job.job_id));
    let given = given();
    let query = format!("INSERT INTO {schema}.jobs ({COLUMNS}) SELECT {COLUMNS} FROM {given}");
    put(connection, &query, &new).await?;
    let set: Vec<_> = COLUMNS.split(',').map(|column| format!("{column} = new.{column}")).collect();
    let query = format!(
        "UPDATE {schema}.jobs AS job SET {} FROM {given} WHERE job.job_id = new.job_id",
        set.join(", ")
    );
    put(connection, &query, &known).await
}

/// The parameters of [`put`] as rows: an array for each of the columns.
fn given() -> String {
    format!(
        "(SELECT {} FROM unnest(
             $1::text[], $2::text[], $3::uuid[], $4::smallint[], $5::text[], $6::integer[],
             $7::uuid[], $8::timestamptz[], $9::timestamptz[], $10::boolean[], $11::text[],
             $12::bigint[], $13::timestamptz[], $14::uuid[], $15::uuid[], $16::text[])
         AS given({COLUMNS})) AS new",
        COLUMNS.replace("metadata", "metadata::json")
    )
}

async fn put(connection: &mut PgConnection, query: &str, jobs: &[&JobRow]) -> Result<(), Fault> {
    if jobs.is_empty() {
        return Ok(());
    }
    let metadata = jobs.iter().map(|job| serde_json::to_string(&job.metadata));
    let metadata = metadata.collect::<Result<Vec<_>, _>>();
    let metadata = metadata.map_err(|error| Fault::Values(error.to_string()))?;
    sqlx::query(query)
        .bind(column(jobs, |job| job.job_id.as_str()))
        .bind(column(jobs, |job| job.kind.as_str()))
        .bind(column(jobs, |job| job.org.uuid()))
        .bind(column(jobs, |job| job.priority.rank()))
        .bind(column(jobs, |job| job.status.as_str()))
        .bind(column(jobs, |job| job.attempt as i32))
        .bind(column(jobs, |job| job.fence))
        .bind(column(jobs, |job| job.not_before))
        .bind(column(jobs, |job| job.deadline))
        .bind(column(jobs, |job| job.cancel_requested))
        .bind(column(jobs, |job| job.requested_by.as_str()))
        .bind(column(jobs, |job| job.queued_position as i64))
        .bind(column(jobs, |job| job.queued_at))
        .bind(column(jobs, |job| job.event_id))
        .bind(column(jobs, |job| job.correlation_id))
        .bind(metadata)
        .execute(connection)
        .await?;
    Ok(())
}
