use journal::origin;
use sqlx::PgConnection;

use super::{entry::Row, known::Known, sinks};
use crate::{
    columns::column,
    event::{LogEvent, storable},
    fault::Fault,
    query::unreadable,
};

pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let mut rows: Vec<_> = events.iter().map(|event| Row::of(event)).collect();
    let mut known = Known::read(connection, schema, &rows).await?;
    let changes = rows.iter_mut().map(|row| known.change(row)).collect::<Result<Vec<_>, _>>();
    let changes = changes.map_err(|error| unreadable("changes", error))?;
    write(connection, schema, &rows, &changes).await?;
    known.write(connection, schema).await?;
    sinks::apply(connection, schema, events).await
}

async fn write(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Row<'_>],
    changes: &[Option<String>],
) -> Result<(), Fault> {
    let query = format!(
        "INSERT INTO {schema}.entries
             (position, event_id, org_id, recorded_at, actor, on_behalf_of, event_type, operation,
              resource_kind, resource_id, changes, person, address, user_agent, request_id,
              trace_id, correlation_id, causation_id)
         SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[],
             $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::uuid[],
             $13::text[], $14::text[], $15::text[], $16::text[], $17::uuid[], $18::uuid[])"
    );
    sqlx::query(&query)
        .bind(column(rows, |row| row.recorded.position as i64))
        .bind(column(rows, |row| row.recorded.event_id))
        .bind(column(rows, |row| row.recorded.org.uuid()))
        .bind(column(rows, |row| row.recorded.recorded_at))
        .bind(column(rows, |row| storable(&row.recorded.actor)))
        .bind(column(rows, |row| row.metadata(origin::ON_BEHALF_OF)))
        .bind(column(rows, |row| row.recorded.event_type.as_str()))
        .bind(column(rows, |row| row.metadata("operation")))
        .bind(column(rows, |row| row.resource.kind.as_str()))
        .bind(column(rows, |row| row.resource.id.as_str()))
        .bind(changes)
        .bind(column(rows, |row| row.person))
        .bind(column(rows, |row| row.metadata(origin::ADDRESS)))
        .bind(column(rows, |row| row.metadata(origin::USER_AGENT)))
        .bind(column(rows, |row| row.metadata("request_id")))
        .bind(column(rows, |row| row.trace_id()))
        .bind(column(rows, |row| row.recorded.correlation_id))
        .bind(column(rows, |row| row.recorded.causation_id))
        .execute(connection)
        .await?;
    Ok(())
}
