//! API keys of the organisation: issued, rotated and revoked by members and keys that may do so.
//!
//! They are parts of their organisation, and have no version of their own.

mod error;
mod grant;
mod leaked;
mod model;
mod receipt;

use chrono::TimeDelta;
use domain::{
    ids::ApiKeyId,
    organizations::{Organization, OrganizationCommand},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::{
    View,
    organizations::{self, ApiKeyRow},
};

use crate::{
    auth::Caller,
    command::{Accepted, Input, Terms, part_made},
    document::Tag,
    ids::parse_id,
    keys,
    problem::Problem,
    read::{Freshness, Read, slice},
    state::App,
};
pub(crate) use leaked::LeakedKeys;
use model::{KeyPage, KeyRequest, KeyView};
use receipt::Shown;

const COLLECTION: &str = "/v1/keys";
/// For which a former secret is taken beside the new one, when the client does not say.
const DEFAULT_OVERLAP_S: u32 = 24 * 3600;

pub(crate) struct ApiKeys {
    pub app: App,
}

#[OpenApi(tag = "Tag::ApiKeys")]
impl ApiKeys {
    /// Issue an API key
    ///
    /// The answer shows its secret, this once: it is kept nowhere. A command that is repeated under
    /// its idempotency key is answered with the key, and without the secret.
    #[oai(path = "/v1/keys", method = "post", operation_id = "issue_api_key")]
    async fn issue(
        &self,
        caller: Caller,
        request: &Request,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<KeyRequest>,
    ) -> Result<Shown, Problem> {
        let clock = self.app.journal.clock();
        let context =
            Terms::new(request, key.0, None).context(&self.app, &caller, Some(&body.raw))?;
        let terms = grant::terms(body.value, &caller)?;
        let secret = keys::generate((self.app.random)());
        let key_id = ApiKeyId::from_uuid(clock.new_id());
        let secret_hash = keys::hash_hex(&secret);
        let command =
            OrganizationCommand::IssueApiKey { key_id, secret_hash, terms, now: clock.now() };
        let organization = caller.org.to_string();
        let committed = self.app.execute::<Organization>(context, organization, command).await?;
        let id = part_made(&self.app, &committed, "key_id", key_id).await?;
        Ok(Shown::new(&committed, id.to_string(), secret))
    }

    /// List the API keys
    ///
    /// Newest first, with those that have ended.
    #[oai(path = "/v1/keys", method = "get", operation_id = "list_api_keys")]
    async fn list(
        &self,
        caller: Caller,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<KeyPage>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let slice = slice(&limit, &cursor);
        let page = organizations::keys(caller.tenant(), &view, slice).await?;
        let now = self.app.journal.clock().now();
        let keys = page.items.into_iter().map(|row| KeyView::new(row, now)).collect();
        Ok(Read::new(KeyPage { keys, next_cursor: page.next_cursor }, view.position()))
    }

    /// Read an API key
    #[oai(path = "/v1/keys/:id", method = "get", operation_id = "get_api_key")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<KeyView>, Problem> {
        let (view, row) = find(&self.app, &caller, &id.0, fresh).await?;
        Ok(Read::new(KeyView::new(row, self.app.journal.clock().now()), view.position()))
    }

    /// Give an API key a new secret
    ///
    /// The answer shows it, this once. The secret before it is taken for a while longer; one before
    /// that ends at once. Whoever asks must be its issuer or an
    /// owner; a key that asks must have all its scopes.
    #[oai(path = "/v1/keys/:id/rotate", method = "post", operation_id = "rotate_api_key")]
    async fn rotate(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Seconds for which the secret before is taken too, a day when left out, 30 days at most.
        overlap_s: Query<Option<u32>>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        /// Wait until the key is known up to this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Shown, Problem> {
        let (_, row) = find(&self.app, &caller, &id.0, fresh).await?;
        grant::check_handover(&row, &caller)?;
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let secret = keys::generate((self.app.random)());
        let now = self.app.journal.clock().now();
        let overlap = TimeDelta::seconds(overlap_s.0.unwrap_or(DEFAULT_OVERLAP_S).into());
        let command = OrganizationCommand::RotateApiKey {
            key_id: row.key_id,
            secret_hash: keys::hash_hex(&secret),
            former_valid_until: now + overlap,
            now,
        };
        let organization = caller.org.to_string();
        let committed = self.app.execute::<Organization>(context, organization, command).await?;
        Ok(Shown::new(&committed, row.key_id.to_string(), secret))
    }

    /// Revoke an API key
    ///
    /// It is refused within a second, for ever. Keys that it issued go on.
    #[oai(path = "/v1/keys/:id", method = "delete", operation_id = "revoke_api_key")]
    async fn revoke(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        /// Wait until the key is known up to this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Accepted, Problem> {
        let (_, row) = find(&self.app, &caller, &id.0, fresh).await?;
        grant::check_own(&row)?;
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let now = self.app.journal.clock().now();
        let command = OrganizationCommand::RevokeApiKey { key_id: row.key_id, now };
        let organization = caller.org.to_string();
        let committed = self.app.execute::<Organization>(context, organization, command).await?;
        Ok(Accepted::of_part(committed, row.key_id.to_string(), COLLECTION))
    }
}

/// The key of the caller's organisation, with the view that it was found in.
async fn find(
    app: &App,
    caller: &Caller,
    id: &str,
    fresh: Freshness,
) -> Result<(View, ApiKeyRow), Problem> {
    let id = parse_id(id)?;
    let view = fresh.open(app, organizations::NAME).await?;
    let row = organizations::key(caller.tenant(), &view, id).await?;
    Ok((view, row.ok_or_else(Problem::not_found)?))
}
