use domain::Timestamp;
use poem_openapi::{Enum, Object};
use projections::address_blocks::AddressBlockRow;

/// Whom to turn away.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct BlockRequest {
    /// An address, or a range such as `203.0.113.0/24`.
    pub network: String,
    /// Shown to operators.
    pub reason: String,
    /// When it ends by itself; else when it is lifted.
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "AddressBlockState")]
pub(crate) enum State {
    InForce,
    Ended,
    Lifted,
}

/// Requests from the network are turned away while it is in force.
#[derive(Debug, Object)]
#[oai(rename = "AddressBlock")]
pub(crate) struct BlockView {
    id: String,
    network: String,
    reason: String,
    state: State,
    #[oai(skip_serializing_if_is_none)]
    until: Option<Timestamp>,
    blocked_at: Timestamp,
    blocked_by: String,
    #[oai(skip_serializing_if_is_none)]
    lifted_at: Option<Timestamp>,
}

#[derive(Debug, Object)]
#[oai(rename = "AddressBlockPage")]
pub(crate) struct BlockPage {
    pub address_blocks: Vec<BlockView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

impl BlockView {
    pub fn new(row: AddressBlockRow, now: Timestamp) -> Self {
        let state = match (row.lifted_at, row.until) {
            (Some(_), _) => State::Lifted,
            (None, Some(until)) if until <= now => State::Ended,
            (None, _) => State::InForce,
        };
        Self {
            id: row.block.to_string(),
            network: row.network,
            reason: row.reason,
            state,
            until: row.until,
            blocked_at: row.blocked_at,
            blocked_by: row.blocked_by,
            lifted_at: row.lifted_at,
        }
    }
}
