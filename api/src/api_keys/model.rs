use domain::Timestamp;
use poem_openapi::{Enum, Object};
use projections::organizations::ApiKeyRow;

/// What a key is issued for.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// Shown to people.
    pub name: String,
    /// Actions that it may ask for: `scans:read`, `scans:*` for all on scans, `*` for all there
    /// are. A key that issues it must have all of them; one that a member issued acts at most as
    /// that member.
    pub scopes: Vec<String>,
    /// When it ends by itself. Not later than the key that issues it.
    pub expires_at: Option<Timestamp>,
    /// A limit of its own. Not above that of the key that issues it.
    pub requests_per_minute: Option<u32>,
    /// The public half of an Ed25519 key, in PEM form or as base64: requests by the key are refused unless
    /// they are signed with its other half (RFC 9421).
    pub signing_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "ApiKeyState")]
pub(crate) enum State {
    Valid,
    Expired,
    Revoked,
}

/// An API key. Its secret is shown once, when it is issued or rotated.
#[derive(Debug, Object)]
#[oai(rename = "ApiKey")]
pub(crate) struct KeyView {
    id: String,
    name: String,
    state: State,
    /// Actions that it may ask for.
    scopes: Vec<String>,
    /// It may do what concerns the whole installation.
    platform: bool,
    issued_at: Timestamp,
    /// The member in whose place it acts. It ends with the membership.
    #[oai(skip_serializing_if_is_none)]
    issuer: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<Timestamp>,
    /// A limit of its own, in place of the installation's.
    #[oai(skip_serializing_if_is_none)]
    requests_per_minute: Option<u32>,
    #[oai(skip_serializing_if_is_none)]
    rotated_at: Option<Timestamp>,
    /// Requests by the key must be signed; in base64url.
    #[oai(skip_serializing_if_is_none)]
    signing_key: Option<String>,
    /// Until when the secret before the present one is taken too.
    #[oai(skip_serializing_if_is_none)]
    former_valid_until: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    revoked_at: Option<Timestamp>,
    /// Some seconds behind.
    #[oai(skip_serializing_if_is_none)]
    last_used_at: Option<Timestamp>,
}

#[derive(Debug, Object)]
#[oai(rename = "ApiKeyPage")]
pub(crate) struct KeyPage {
    pub keys: Vec<KeyView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

impl KeyView {
    pub fn new(row: ApiKeyRow, now: Timestamp) -> Self {
        let state = match (row.revoked_at, row.expires_at) {
            (Some(_), _) => State::Revoked,
            (None, Some(end)) if end <= now => State::Expired,
            (None, _) => State::Valid,
        };
        Self {
            id: row.key_id.to_string(),
            name: row.name,
            state,
            scopes: row.scopes,
            platform: row.platform,
            issued_at: row.issued_at,
            issuer: row.issuer.map(|issuer| issuer.to_string()),
            expires_at: row.expires_at,
            requests_per_minute: row.requests_per_minute,
            rotated_at: row.rotated_at,
            signing_key: row.signing_key,
            former_valid_until: row.former_valid_until,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        }
    }
}
