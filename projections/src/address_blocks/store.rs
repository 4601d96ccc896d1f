use domain::{Event, Timestamp, address_blocks::AddressBlockEvent, ids::AddressBlockId};
use sqlx::PgConnection;

use crate::{
    event::{LogEvent, storable},
    fault::Fault,
};

/// Nobody blocks addresses often, so each event is written by itself.
pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    for log_event in events {
        let position = log_event.position();
        let id = log_event.recorded.aggregate_id.parse::<AddressBlockId>();
        let id = id.map_err(|error| Fault::event(position, error.to_string()))?;
        for event in log_event.events()? {
            let Event::AddressBlock(event) = event else { continue };
            match event {
                AddressBlockEvent::Blocked { network, reason, until, blocked_at } => {
                    let query = format!(
                        "INSERT INTO {schema}.address_blocks
                             (block_id, network, reason, until, blocked_at, blocked_by)
                         VALUES ($1, $2, $3, $4, $5, $6)"
                    );
                    sqlx::query(&query)
                        .bind(id.uuid())
                        .bind(storable(network))
                        .bind(storable(reason))
                        .bind(until)
                        .bind(blocked_at)
                        .bind(&log_event.recorded.actor)
                        .execute(&mut *connection)
                        .await?;
                }
                AddressBlockEvent::Lifted { lifted_at } => {
                    lift(connection, schema, id, *lifted_at).await?;
                }
            }
        }
    }
    Ok(())
}

async fn lift(
    connection: &mut PgConnection,
    schema: &str,
    id: AddressBlockId,
    at: Timestamp,
) -> Result<(), Fault> {
    let query = format!("UPDATE {schema}.address_blocks SET lifted_at = $2 WHERE block_id = $1");
    sqlx::query(&query).bind(id.uuid()).bind(at).execute(connection).await?;
    Ok(())
}
