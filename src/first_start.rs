//! The organisation and the key that an empty installation begins with.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::{
    ids::{ApiKeyId, OrganizationId},
    organizations::{KeyTerms, Organization, OrganizationCommand},
};
use journal::{Actor, AppendError, Context, ExecuteError, Journal};
use projections::{Views, organizations};
use rand::RngCore;

const SLUG: &str = "default";

/// An API key at the only moment its secret is known.
pub struct NewKey {
    pub organization: OrganizationId,
    pub id: ApiKeyId,
    pub secret: String,
}

/// How long a new key may take to be known to the front end.
const KNOWN_WAIT: Duration = Duration::from_secs(5);
const KNOWN_PAUSE: Duration = Duration::from_millis(50);

/// Makes the first organisation and its key. `None` when there is one already.
pub async fn prepare(journal: &Journal, views: &Views) -> anyhow::Result<Option<NewKey>> {
    if journal.head().await? > 0 {
        return Ok(None);
    }
    match create_organization(journal, "Default", SLUG).await {
        Ok(organization) => Ok(Some(
            issue_key(journal, views, organization, KeyTerms::everything("first key")).await?,
        )),
        // Another process was quicker, and shows the key.
        Err(ExecuteError::Append(AppendError::Claimed { .. })) => Ok(None),
        Err(error) => Err(error).context("the first organisation could not be made"),
    }
}

pub async fn create_organization(
    journal: &Journal,
    name: &str,
    slug: &str,
) -> Result<OrganizationId, ExecuteError<domain::organizations::OrganizationError>> {
    let organization = OrganizationId::from_uuid(journal.clock().new_id());
    let command = OrganizationCommand::Create {
        name: name.to_owned(),
        slug: slug.to_owned(),
        now: journal.clock().now(),
    };
    let context = operator(journal, organization);
    journal.execute::<Organization>(&context, &organization.to_string(), command).await?;
    Ok(organization)
}

/// Issues a key and waits until it works, where a projector runs.
pub async fn issue_key(
    journal: &Journal,
    views: &Views,
    organization: OrganizationId,
    terms: KeyTerms,
) -> anyhow::Result<NewKey> {
    let secret = api::keys::generate(random());
    let id = ApiKeyId::from_uuid(journal.clock().new_id());
    let command = OrganizationCommand::IssueApiKey {
        key_id: id,
        secret_hash: api::keys::hash_hex(&secret),
        terms,
        now: journal.clock().now(),
    };
    let context = operator(journal, organization);
    let id_text = organization.to_string();
    let issued = journal.execute::<Organization>(&context, &id_text, command).await?;
    wait_until_known(views, issued.position).await;
    Ok(NewKey { organization, id, secret })
}

/// What a secret is made of.
pub fn random() -> [u8; 32] {
    let mut random = [0; 32];
    rand::rng().fill_bytes(&mut random);
    random
}

pub fn operator(journal: &Journal, organization: OrganizationId) -> Context {
    Context::new(organization, Actor::Operator, journal.clock().new_id())
}

/// A projector that has only just started may not even have made the view yet.
async fn wait_until_known(views: &Views, position: u64) {
    let deadline = Instant::now() + KNOWN_WAIT;
    while let Err(error) = views.open(organizations::NAME, Some(position), KNOWN_PAUSE).await {
        if Instant::now() > deadline {
            tracing::warn!(%error, "the key works when the views have caught up");
            return;
        }
        tokio::time::sleep(KNOWN_PAUSE).await;
    }
}
