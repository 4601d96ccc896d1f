//! Keys whose secret somebody found: whoever shows it, most often the scanner of a code host, has the
//! key revoked.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    Timestamp,
    organizations::{Organization, OrganizationCommand},
};
use futures::{StreamExt, TryStreamExt, stream};
use poem_openapi::{Object, OpenApi, payload::Json};
use projections::organizations::{self, FoundKey};

use crate::{
    accounts::Client,
    document::Tag,
    keys,
    problem::{Code, Problem},
    state::App,
};

/// Secrets of one report, and how many of their keys are revoked at the same time.
const MAX_SECRETS: usize = 100;
const AT_ONCE: usize = 8;
const MAX_PLACE_CHARS: usize = 500;

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LeakReport {
    /// At most 100. What is not the secret of a key is passed over.
    secrets: Vec<String>,
    /// Where they were found, for the organisations whose keys they are: an address, most often.
    found_at: Option<String>,
}

/// The same, whatever the secrets were.
#[derive(Debug, Object)]
pub(crate) struct LeakReceipt {
    received: u32,
}

pub(crate) struct LeakedKeys {
    pub app: App,
}

#[OpenApi(tag = "Tag::ApiKeys")]
impl LeakedKeys {
    /// Report secrets of API keys that leaked
    ///
    /// Their keys are revoked at once, and their organisations find it in their events and in the audit
    /// log. No key is needed. The answer is the same whether there are such keys or not.
    #[oai(path = "/v1/keys/leaked", method = "post", operation_id = "report_leaked_keys")]
    async fn report(
        &self,
        client: Client,
        body: Json<LeakReport>,
    ) -> Result<Json<LeakReceipt>, Problem> {
        let LeakReport { secrets, found_at } = body.0;
        let received = secrets.len();
        if received > MAX_SECRETS {
            let text = format!("a report holds at most {MAX_SECRETS} secrets");
            return Err(Problem::new(Code::ValidationFailed, &text).at("secrets", text));
        }
        let found_at = found_at.map(|text| {
            text.chars().filter(|c| !c.is_control()).take(MAX_PLACE_CHARS).collect::<String>()
        });
        let now = self.app.journal.clock().now();
        let hashes: BTreeSet<_> = secrets
            .iter()
            .map(|secret| secret.trim())
            .filter(|secret| keys::well_formed(secret))
            .map(keys::hash_hex)
            .collect();
        let revoking =
            hashes.into_iter().map(|hash| revoke(&self.app, &client, hash, &found_at, now));
        stream::iter(revoking).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(Json(LeakReceipt { received: received as u32 }))
    }
}

async fn revoke(
    app: &App,
    client: &Client,
    hash: String,
    found_at: &Option<String>,
    now: Timestamp,
) -> Result<(), Problem> {
    let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
    let found = organizations::key_by_secret_hash(&view, &hash).await?;
    // A former secret that has ended opens nothing any more.
    let opens = |found: &FoundKey| {
        let ends = found.key.former_valid_until.filter(|_| found.former);
        found.key.revoked_at.is_none() && ends.is_none_or(|end| end > now)
    };
    let Some(FoundKey { key, .. }) = found.filter(opens) else { return Ok(()) };
    let (key_id, found_at) = (key.key_id, found_at.clone());
    let command = OrganizationCommand::ReportLeakedKey { key_id, found_at, now };
    let context = client.context_in(app, key.org);
    app.execute::<Organization>(context, key.org.to_string(), command).await?;
    app.keys.forget(|known| known.row.key_id == key_id);
    tracing::warn!(%key_id, "the secret of a key leaked, and the key was revoked");
    Ok(())
}
