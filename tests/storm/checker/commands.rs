//! Every command that was taken is in the log once, and nothing of one that was refused.

use std::collections::{HashMap, HashSet};

use sqlx::PgPool;

use super::{Verdict, log::Entry};
use crate::record::{Answer, Command, Receipt, Record, What};

type Keys = HashMap<String, (String, i64)>;

pub async fn check(
    pool: &PgPool,
    log: &[Entry],
    record: &Record,
    verdict: &mut Verdict,
) -> Result<(), sqlx::Error> {
    let mut by_request: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in log.iter().filter(|entry| entry.is_of_client()) {
        let request = entry.request_id.as_deref().unwrap_or_default();
        by_request.entry(request).or_default().push(entry);
    }
    let commands = record.commands();
    let keys = keys(pool).await?;
    let mut by_key: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for command in &commands {
        let of = command.request_ids.iter().filter_map(|id| by_request.get(id.as_str())).flatten();
        by_key.entry(command.effect()).or_default().extend(of.copied());
    }
    verdict.topic("a command is in the log once if it was taken, and not if it was refused");
    for command in &commands {
        let effects = &by_key[command.effect()];
        match &command.answer {
            Answer::Accepted(receipt) => taken(command, receipt, effects, log, &keys, verdict),
            Answer::Refused { status, code } => {
                verdict.holds(effects.is_empty(), || {
                    format!("{command:?} was refused with {status} {code}: {effects:?}")
                });
            }
        }
    }
    verdict.topic("nothing is in the log that no client asked for");
    let sent: HashSet<&str> =
        commands.iter().flat_map(|command| &command.request_ids).map(String::as_str).collect();
    for (request, entries) in &by_request {
        verdict.holds(sent.contains(request), || format!("{request}: {entries:?}"));
    }
    Ok(())
}

impl Command {
    /// The key whose one effect the command shares: a repetition has none of its own.
    fn effect(&self) -> &str {
        match &self.what {
            What::Again { key } => key,
            _ => &self.key,
        }
    }
}

fn taken(
    command: &Command,
    receipt: &Receipt,
    effects: &[&Entry],
    log: &[Entry],
    keys: &Keys,
    verdict: &mut Verdict,
) {
    let kept = keys.get(command.effect());
    let result = (receipt.id.clone(), receipt.version as i64);
    verdict.holds(kept == Some(&result), || format!("{command:?} is kept as {kept:?}"));
    let at = log.get(receipt.position.saturating_sub(1) as usize);
    verdict.holds(
        at.is_some_and(|entry| {
            entry.aggregate_id == receipt.id && entry.sequence as u64 == receipt.version
        }),
        || format!("{command:?} was taken, and at its position is {at:?}"),
    );
    let own = effects.iter().any(|entry| entry.request_id.as_ref() == command.request_ids.last());
    verdict.holds(!(own && receipt.replayed), || {
        format!("{command:?} took effect itself, and was answered as a repetition")
    });
    let came_to_one = |event_type: &str, verdict: &mut Verdict| {
        verdict.holds(
            matches!(effects, [one] if one.event_type == event_type
                && one.aggregate_id == receipt.id && one.position as u64 == receipt.position),
            || format!("{command:?} was taken, and came to {effects:?}"),
        );
    };
    match &command.what {
        What::Request { .. } => came_to_one("scan.requested", verdict),
        What::Rename { .. } => came_to_one("organization.renamed", verdict),
        What::Cancel { scan, .. } => {
            let stops = ["scan.cancelled", "scan.cancel_requested"];
            let fits = |entry: &&Entry| {
                stops.contains(&entry.event_type.as_str()) && entry.aggregate_id == *scan
            };
            verdict.holds(effects.len() <= 1 && effects.iter().all(&fits), || {
                format!("{command:?} was taken, and came to {effects:?}")
            });
            let upto = &log[..log.len().min(receipt.position as usize)];
            verdict.holds(upto.iter().any(|entry| fits(&entry)), || {
                format!("{command:?} was taken, and the scan was not stopped")
            });
        }
        What::Again { .. } => {}
        What::Nonsense | What::KeyOfAnother { .. } => {
            verdict.holds(false, || format!("{command:?} was taken"));
        }
    }
}

/// Results by key, as they are kept for repetitions.
async fn keys(pool: &PgPool) -> Result<Keys, sqlx::Error> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT key, aggregate_id, sequence FROM idempotency_keys")
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|(key, id, sequence)| (key, (id, sequence))).collect())
}
