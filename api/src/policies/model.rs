use access::Policy;
use domain::Timestamp;
use poem_openapi::Object;
use projections::organizations::PolicyRow;

use super::form::WrittenPolicy;

/// A policy of the organisation.
#[derive(Debug, Object)]
#[oai(rename = "Policy")]
pub(crate) struct PolicyView {
    id: String,
    /// As it was written.
    policy: WrittenPolicy,
    /// In words.
    text: String,
    added_at: Timestamp,
    #[oai(skip_serializing_if_is_none)]
    changed_at: Option<Timestamp>,
}

#[derive(Debug, Object)]
pub(crate) struct PolicyPage {
    pub policies: Vec<PolicyView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

impl From<PolicyRow> for PolicyView {
    fn from(row: PolicyRow) -> Self {
        let text = Policy::from_json(&row.policy).map(|policy| policy.describe());
        Self {
            id: row.id.to_string(),
            policy: WrittenPolicy(row.policy),
            text: text.unwrap_or_default(),
            added_at: row.added_at,
            changed_at: row.changed_at,
        }
    }
}
