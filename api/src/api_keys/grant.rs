//! What a caller may give to a key: nothing that they have not themselves. A key of a member acts at most
//! as that member, so that only what one key gives to another must be compared.

use access::{Action, Permissions, Role};
use domain::{Timestamp, organizations::KeyTerms};
use projections::organizations::ApiKeyRow;

use super::model::KeyRequest;
use crate::{
    auth::{By, Caller, ValidKey},
    keys,
    problem::{Code, Problem},
};

/// The terms of a key that the caller issues.
pub(super) fn terms(request: KeyRequest, caller: &Caller) -> Result<KeyTerms, Problem> {
    let KeyRequest { name, scopes, expires_at, requests_per_minute, signing_key } = request;
    let signing_key =
        signing_key.as_deref().map(keys::signing_key).transpose().map_err(|error| {
            let text = error.to_string();
            Problem::new(Code::ValidationFailed, &text).at("signing_key", text)
        })?;
    let wanted = Permissions::parse(&scopes).map_err(|error| {
        let text = error.to_string();
        Problem::new(Code::ValidationFailed, &text).at("scopes", text)
    })?;
    if let By::Key(key) = &caller.by {
        covered(&wanted, &key.scopes)?;
        within(expires_at, requests_per_minute, key)?;
        if key.row.signing_key.is_some() && signing_key.is_none() {
            let text = "the key that issues it demands signatures, and so must this one";
            return Err(Problem::new(Code::Forbidden, text).at("signing_key", text));
        }
    }
    let (scopes, issuer) = (wanted.names().to_vec(), caller.user());
    let platform = false;
    Ok(KeyTerms { name, scopes, expires_at, requests_per_minute, platform, issuer, signing_key })
}

/// A key ends and slows down no later than the one that issues it.
fn within(
    expires_at: Option<Timestamp>,
    requests_per_minute: Option<u32>,
    issuer: &ValidKey,
) -> Result<(), Problem> {
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
    Ok(())
}

/// Whether the caller may have the secret of this key: they would act with it, in its issuer's place.
pub(super) fn check_handover(key: &ApiKeyRow, caller: &Caller) -> Result<(), Problem> {
    check_own(key)?;
    let place = caller.acting().principal.member();
    if key.issuer != caller.user() && place.is_none_or(|place| place.role < Role::Owner) {
        let detail = "the key is another member's: its secret is for them, or for an owner";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    match &caller.by {
        By::Key(own) => covered(&Permissions::stored(&key.scopes), &own.scopes),
        By::Member(_) => Ok(()),
    }
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
