//! Tokens of others in place of our own.

use std::{borrow::Cow, sync::Arc};

use credentials::{
    jose::Unverified,
    legacy_token::{self, LegacyClaims},
    oidc::BearerPolicy,
};
use domain::{Timestamp, ids::OrganizationId, organizations::SLUG_CLAIM};

use super::{Known, Provider, Providers, identity_index};
use crate::{
    accounts::{
        desk::{Desk, Identity, TWO_FACTORS},
        sign_up::owner,
    },
    problem::{Code, Problem},
    state::App,
};

/// What clocks may differ by.
pub(super) const LEEWAY_SECONDS: u32 = 30;

impl Providers {
    /// Whose token it is, if it claims to be one of theirs. One that does and does not hold is refused:
    /// what an issuer of its own is configured for is never tried as anything else.
    pub async fn check(
        &self,
        app: &App,
        desk: &Desk,
        token: &str,
    ) -> Result<Option<Identity>, Problem> {
        if self.list.is_empty() && self.legacy.is_none() {
            return Ok(None);
        }
        let Ok(claimed) = Unverified::read(token) else { return Ok(None) };
        let issuer = claimed.issuer.as_deref().unwrap_or_default();
        let mut takes = self.list.iter().filter(|known| !known.options.audiences.is_empty());
        if let Some(provider) = takes.find(|known| known.issuer.may_be(issuer)) {
            let kid = claimed.kid.as_deref();
            return self.of_issuer(app, desk, provider, kid, token).await.map(Some);
        }
        if let Some(legacy) =
            self.legacy.as_ref().filter(|_| claimed.alg == legacy_token::ALGORITHM)
        {
            let now = app.journal.clock().now();
            let claims = legacy.verify(token, now).map_err(|error| refused(error.to_string()))?;
            return self.of_legacy(app, desk, &claims).await.map(Some);
        }
        Ok(None)
    }

    async fn of_issuer(
        &self,
        app: &App,
        desk: &Desk,
        provider: &Arc<Provider>,
        kid: Option<&str>,
        token: &str,
    ) -> Result<Identity, Problem> {
        let now = app.journal.clock().now();
        let keys = provider.keys(&self.client, kid, now).await;
        let keys = keys.map_err(|fault| provider.failed(&fault))?.ok_or_else(|| {
            let detail = format!("the keys of `{}` cannot be had now", provider.options.name);
            Problem::new(Code::Unavailable, detail).retry_after(30)
        })?;
        let policy = BearerPolicy {
            issuer: provider.issuer.clone(),
            audiences: provider.options.audiences.clone(),
            algorithms: Provider::ALGORITHMS.to_vec(),
            leeway_seconds: LEEWAY_SECONDS,
        };
        let claims = policy.verify(token, &keys, now).map_err(|e| refused(e.to_string()))?;
        let index = identity_index(&desk.index, &claims.issuer, &claims.sub);
        let known = self.linked(app, &index).await?.ok_or_else(|| {
            refused("no account is linked to this person at the provider".to_owned())
        })?;
        let two = provider.options.trusts_second_factor
            && claims.amr.iter().any(|method| method == TWO_FACTORS);
        let name = provider.options.name.clone();
        identity(&known, Some(claims.issued_at), two, name.into(), None)
    }

    /// The older backend's word is taken for who it is, and for the organisation that they mean. What
    /// they may do there is told by their membership here, not by the roles in the token.
    async fn of_legacy(
        &self,
        app: &App,
        desk: &Desk,
        claims: &LegacyClaims,
    ) -> Result<Identity, Problem> {
        let nobody = || refused("no account has the address in the token".to_owned());
        let email = claims.email.parse().map_err(|_| nobody())?;
        let key = format!("legacy {}", desk.index.email(&email));
        let known = self.known(app, &key, owner(app, desk, &email)).await?.ok_or_else(nobody)?;
        let organization = organization(app, &claims.tenant_id).await?;
        identity(&known, claims.issued_at, false, access::BY_BACKEND.into(), organization)
    }
}

fn identity(
    known: &Known,
    issued_at: Option<i64>,
    second_factor: bool,
    signed_in_by: Cow<'static, str>,
    organization: Option<OrganizationId>,
) -> Result<Identity, Problem> {
    if known.suspended {
        let detail = "the account is suspended; ask the operator";
        return Err(Problem::new(Code::AccountSuspended, detail));
    }
    if known.sessions_ended_at.is_some_and(|ended| is_before(issued_at, ended)) {
        let detail = "the token is older than the last time all sessions of the person ended";
        return Err(refused(detail.to_owned()));
    }
    if known.has_second_factor && !second_factor {
        let detail = "the account has a second factor, which the token does not tell of; sign in";
        return Err(refused(detail.to_owned()));
    }
    Ok(Identity {
        user: known.user,
        session: None,
        signed_in_at: None,
        second_factor,
        signed_in_by,
        organization,
        operator: None,
    })
}

/// A token of the same second may be from before.
fn is_before(issued_at: Option<i64>, ended: Timestamp) -> bool {
    issued_at.is_none_or(|at| at <= ended.timestamp())
}

/// The tenant of the older backend is an organisation here by its id or its slug.
async fn organization(app: &App, tenant: &str) -> Result<Option<OrganizationId>, Problem> {
    if let Ok(id) = tenant.parse() {
        return Ok(Some(id));
    }
    let claimed = app.journal.claimed_by(SLUG_CLAIM, tenant).await;
    let claimed = claimed.map_err(|error| Problem::unavailable(&error))?;
    let found = claimed.and_then(|id| id.parse().ok());
    found.map(Some).ok_or_else(|| refused("the tenant of the token is no organisation".to_owned()))
}

fn refused(detail: String) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}
