//! A scan as it stood at an earlier point of the log.

use domain::{
    Timestamp,
    event::DecodeError,
    ids::ScanId,
    scans::{ScanEvent, TYPE},
};
use journal::{Filter, Journal, ReadError};

use super::{fold::ScanFold, row::ScanRow};
use crate::TenantScope;

/// Events read at a time; one with findings can weigh 200 kB.
const PAGE: u32 = 64;

/// A point of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After the event of this position.
    Position(u64),
    /// After everything that was recorded at or before this time.
    Time(Timestamp),
}

#[derive(Debug, thiserror::Error)]
pub enum AsOfError {
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    #[error("event {position} could not be read")]
    Decode { position: u64, source: DecodeError },
    #[error("event {position} cannot be applied: {reason}")]
    Fold { position: u64, reason: String },
}

/// The scan as the view showed it then, folded from its own events. Findings are counted, not
/// kept. None when the organisation had no such scan then.
pub async fn as_of(
    journal: &Journal,
    scope: TenantScope,
    id: ScanId,
    point: AsOf,
) -> Result<Option<ScanRow>, AsOfError> {
    let filter =
        Filter { org: Some(scope.0), aggregate: Some((TYPE, id.to_string())), ..Filter::default() };
    let mut row = None;
    let mut seen = std::collections::HashSet::new();
    let mut after = 0;
    loop {
        let page = journal.read(after, &filter, PAGE).await?;
        for recorded in &page {
            let position = recorded.position;
            let reached = match point {
                AsOf::Position(last) => position <= last,
                AsOf::Time(last) => recorded.recorded_at <= last,
            };
            if !reached {
                return Ok(row);
            }
            let events = recorded
                .decode_as::<ScanEvent>()
                .map_err(|source| AsOfError::Decode { position, source })?;
            let mut fold = ScanFold { row, seen, count_only: true, ..ScanFold::default() };
            for event in &events {
                fold.apply(recorded, event)
                    .map_err(|reason| AsOfError::Fold { position, reason })?;
            }
            (row, seen) = (fold.row, fold.seen);
            after = position;
        }
        if page.len() < PAGE as usize {
            return Ok(row);
        }
    }
}
