//! Folding a batch of events into the tables of scans, in a few statements.

use std::collections::{BTreeMap, HashSet};

use domain::{
    Event,
    ids::ScanId,
    scans::{Engine, Finding, ScanEvent},
};
use serde::Serialize;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{
    fold::ScanFold,
    query::COLUMNS,
    row::{ScanRow, profile_name, rank},
};
use crate::{
    columns::column,
    event::{LogEvent, storable},
    fault::Fault,
};

type Folds<'e> = BTreeMap<Uuid, ScanFold<'e>>;

pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let scans = scan_events(events)?;
    let mut folds = load(connection, schema, &scans).await?;
    load_seen(connection, schema, &scans, &mut folds).await?;
    for (log_event, id, event) in scans {
        folds
            .entry(id)
            .or_default()
            .apply(&log_event.recorded, event)
            .map_err(|reason| Fault::event(log_event.position(), reason))?;
    }
    delete_cleared(connection, schema, &folds).await?;
    insert_findings(connection, schema, &folds).await?;
    insert(connection, schema, &folds).await?;
    update(connection, schema, &folds).await
}

type Given<'e> = (&'e LogEvent, Uuid, &'e ScanEvent);

fn scan_events<'e>(events: &[&'e LogEvent]) -> Result<Vec<Given<'e>>, Fault> {
    let mut scans = Vec::with_capacity(events.len());
    for log_event in events {
        let position = log_event.position();
        for event in log_event.events()? {
            let Event::Scan(event) = event else { continue };
            let id = log_event.recorded.aggregate_id.parse::<ScanId>();
            let id = id.map_err(|error| Fault::event(position, error.to_string()))?;
            scans.push((*log_event, id.uuid(), event));
        }
    }
    Ok(scans)
}

async fn load<'e>(
    connection: &mut PgConnection,
    schema: &str,
    scans: &[Given<'_>],
) -> Result<Folds<'e>, Fault> {
    let ids: HashSet<Uuid> = scans.iter().map(|(_, id, _)| *id).collect();
    let query = format!("SELECT {COLUMNS} FROM {schema}.scans WHERE scan_id = ANY ($1)");
    let rows = sqlx::query(&query).bind(Vec::from_iter(ids)).fetch_all(connection).await?;
    let mut folds = Folds::new();
    for row in &rows {
        // A row that cannot be read is a fault of the tables, not of an event.
        let row = ScanRow::from_row(row).map_err(Fault::Database)?;
        folds.insert(
            row.id.uuid(),
            ScanFold { row: Some(row), stored: true, ..ScanFold::default() },
        );
    }
    Ok(folds)
}

/// Which of the findings in these events the tables hold already.
async fn load_seen(
    connection: &mut PgConnection,
    schema: &str,
    scans: &[Given<'_>],
    folds: &mut Folds<'_>,
) -> Result<(), Fault> {
    let (mut ids, mut engines, mut fingerprints) = (Vec::new(), Vec::new(), Vec::new());
    for (_, id, event) in scans {
        let ScanEvent::FindingsRecorded { engine, findings, .. } = event else { continue };
        let known = folds.get(id).and_then(|fold| fold.row.as_ref());
        if known.is_none_or(|row| row.findings == 0) {
            continue;
        }
        for finding in findings {
            ids.push(*id);
            engines.push(engine.as_str());
            fingerprints.push(storable(&finding.fingerprint));
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let query = format!(
        "SELECT scan_id, engine, fingerprint FROM {schema}.findings
         WHERE (scan_id, engine, fingerprint) IN
               (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]))"
    );
    let rows = sqlx::query(&query)
        .bind(ids)
        .bind(engines)
        .bind(fingerprints)
        .fetch_all(connection)
        .await?;
    for row in rows {
        let engine = Engine::parse(row.try_get("engine")?);
        let (Some(engine), Some(fold)) = (engine, folds.get_mut(&row.try_get("scan_id")?)) else {
            continue;
        };
        fold.seen.insert((engine, row.try_get("fingerprint")?));
    }
    Ok(())
}

async fn delete_cleared(
    connection: &mut PgConnection,
    schema: &str,
    folds: &Folds<'_>,
) -> Result<(), Fault> {
    let cleared: Vec<Uuid> =
        folds.iter().filter(|(_, fold)| fold.cleared).map(|(id, _)| *id).collect();
    if !cleared.is_empty() {
        let query = format!("DELETE FROM {schema}.findings WHERE scan_id = ANY ($1)");
        sqlx::query(&query).bind(cleared).execute(connection).await?;
    }
    Ok(())
}

async fn insert_findings(
    connection: &mut PgConnection,
    schema: &str,
    folds: &Folds<'_>,
) -> Result<(), Fault> {
    let rows: Vec<(&ScanRow, u64, Engine, &Finding)> = folds
        .values()
        .filter_map(|fold| Some((fold.row.as_ref()?, &fold.fresh)))
        .flat_map(|(row, fresh)| fresh.iter().map(move |(n, engine, f)| (row, *n, *engine, *f)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let json: Vec<String> =
        rows.iter().map(|(.., finding)| to_json(finding)).collect::<Result<_, _>>()?;
    let query = format!(
        "INSERT INTO {schema}.findings (scan_id, number, org_id, engine, rank, status, rule_id,
                                        fingerprint, finding)
         SELECT s, n, o, e, r, t, u, f, j::json
         FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::smallint[],
                     $6::text[], $7::text[], $8::text[], $9::text[])
              AS g(s, n, o, e, r, t, u, f, j)"
    );
    sqlx::query(&query)
        .bind(rows.iter().map(|(scan, ..)| scan.id.uuid()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, number, ..)| *number as i64).collect::<Vec<_>>())
        .bind(rows.iter().map(|(scan, ..)| scan.org.uuid()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, _, engine, _)| engine.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(.., finding)| rank(finding.severity)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(.., finding)| finding.status.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(.., finding)| storable(&finding.rule_id)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(.., finding)| storable(&finding.fingerprint)).collect::<Vec<_>>())
        .bind(json)
        .execute(connection)
        .await?;
    Ok(())
}

/// Those that the tables do not hold yet, without a look for each.
async fn insert(
    connection: &mut PgConnection,
    schema: &str,
    folds: &Folds<'_>,
) -> Result<(), Fault> {
    let query = format!(
        "INSERT INTO {schema}.scans ({COLUMNS}, target_kind)
         SELECT {COLUMNS}, target_kind FROM {}",
        given()
    );
    write(connection, &query, &rows(folds, false)).await
}

async fn update(
    connection: &mut PgConnection,
    schema: &str,
    folds: &Folds<'_>,
) -> Result<(), Fault> {
    let set: Vec<_> = COLUMNS.split(',').map(|column| format!("{column} = new.{column}")).collect();
    let query = format!(
        "UPDATE {schema}.scans AS scan SET {} FROM {} WHERE scan.scan_id = new.scan_id",
        set.join(", "),
        given()
    );
    write(connection, &query, &rows(folds, true)).await
}

fn rows<'a>(folds: &'a Folds<'_>, stored: bool) -> Vec<&'a ScanRow> {
    let folds = folds.values().filter(|fold| fold.stored == stored);
    folds.filter_map(|fold| fold.row.as_ref()).collect()
}

/// The parameters of [`write`] as rows: an array for each of the columns, then `target_kind`. Rows
/// of JSON would cost the database five times as much.
fn given() -> String {
    let columns = COLUMNS.split(',').map(str::trim).map(|column| match column {
        "target" | "engines" | "counts" | "warnings" => format!("{column}::json"),
        _ => column.to_owned(),
    });
    format!(
        "(SELECT {}, target_kind FROM unnest(
             $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[],
             $8::text[], $9::bigint[], $10::bigint[], $11::text[], $12::boolean[], $13::boolean[],
             $14::text[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[],
             $18::timestamptz[], $19::timestamptz[], $20::text[], $21::bigint[], $22::bigint[],
             $23::bigint[], $24::text[]) AS given({COLUMNS}, target_kind)) AS new",
        columns.collect::<Vec<_>>().join(", ")
    )
}

async fn write(connection: &mut PgConnection, query: &str, rows: &[&ScanRow]) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(query)
        .bind(column(rows, |row| row.id.uuid()))
        .bind(column(rows, |row| row.org.uuid()))
        .bind(column(rows, |row| row.state.as_str()))
        .bind(texts(rows, |row| to_json(&row.target))?)
        .bind(column(rows, |row| profile_name(row.profile)))
        .bind(texts(rows, |row| to_json(&row.engines))?)
        .bind(column(rows, |row| row.attempt as i32))
        .bind(texts(rows, |row| to_json(&row.counts))?)
        .bind(column(rows, |row| row.suppressed as i64))
        .bind(column(rows, |row| row.findings as i64))
        .bind(texts(rows, |row| to_json(&row.warnings))?)
        .bind(column(rows, |row| row.complete))
        .bind(column(rows, |row| row.cancel_requested))
        .bind(column(rows, |row| row.requested_by.as_str()))
        .bind(column(rows, |row| row.requested_at))
        .bind(column(rows, |row| row.not_before))
        .bind(column(rows, |row| row.started_at))
        .bind(column(rows, |row| row.deadline))
        .bind(column(rows, |row| row.finished_at))
        .bind(column(rows, |row| row.reason.as_deref()))
        .bind(column(rows, |row| row.sequence as i64))
        .bind(column(rows, |row| row.requested_position as i64))
        .bind(column(rows, |row| row.position as i64))
        .bind(column(rows, |row| row.target.kind()))
        .execute(connection)
        .await?;
    Ok(())
}

fn texts(
    rows: &[&ScanRow],
    text: impl Fn(&ScanRow) -> Result<String, Fault>,
) -> Result<Vec<String>, Fault> {
    rows.iter().copied().map(text).collect()
}

fn to_json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Values(error.to_string()))
}
