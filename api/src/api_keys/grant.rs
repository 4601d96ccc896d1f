//! What one key may give to another: nothing that it has not itself.

use access::{Action, Permissions};
use domain::organizations::KeyTerms;
use projections::organizations::ApiKeyRow;

use super::model::KeyRequest;
use crate::{
    auth::ValidKey,
    problem::{Code, Problem},
};

/// The terms of a key that `issuer` issues.
pub(super) fn terms(request: KeyRequest, issuer: &ValidKey) -> Result<KeyTerms, Problem> {
    let KeyRequest { name, scopes, expires_at, requests_per_minute } = request;
    let wanted = Permissions::parse(&scopes).map_err(|error| {
        let text = error.to_string();
        Problem::new(Code::ValidationFailed, &text).at("scopes", text)
    })?;
    covered(&wanted, &issuer.scopes)?;
    if let Some(end) = issuer.row.expires_at
        && expires_at.is_none_or(|wanted| wanted > end)
    {
        let text = format!("the key that issues it ends at {end}, and this one not later");
        return Err(Problem::new(Code::Forbidden, &text).at("expires_at", text));
    }
    if let Some(limit) = issuer.row.requests_per_minute
        && requests_per_minute.is_none_or(|wanted| wanted > limit)
    {
        let text = format!("the key that issues it has {limit} a minute, and this one not more");
        return Err(Problem::new(Code::Forbidden, &text).at("requests_per_minute", text));
    }
    let scopes = wanted.names().to_vec();
    Ok(KeyTerms { name, scopes, expires_at, requests_per_minute, platform: false })
}

/// Whether the caller may have the secret of this key: it would act with it.
pub(super) fn check_handover(key: &ApiKeyRow, caller: &ValidKey) -> Result<(), Problem> {
    check_own(key)?;
    covered(&Permissions::stored(&key.scopes), &caller.scopes)
}

/// A key of the platform is none of its organisation's business.
pub(super) fn check_own(key: &ApiKeyRow) -> Result<(), Problem> {
    if key.platform {
        let detail = "a key of the platform is kept with `millrace keys`";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
}

fn covered(wanted: &Permissions, own: &Permissions) -> Result<(), Problem> {
    let beyond = |action: &&Action| wanted.cover(**action) && !own.cover(**action);
    match Action::ALL.iter().find(beyond) {
        None => Ok(()),
        Some(action) => {
            let text = format!("the key that asks may not `{action}` itself");
            Err(Problem::new(Code::Forbidden, &text).at("scopes", text))
        }
    }
}
