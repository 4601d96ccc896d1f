use url::{Host, Url};

use super::{
    BillingContact, InvitationEnd, Organization, OrganizationError, OrganizationEvent, Settings,
    command::Decided, invitations,
};
use crate::{Decision, Pii, Timestamp, reason::is_reason};

/// Longest name shown to people.
pub(super) const MAX_NAME_CHARS: usize = 100;
pub(super) const MAX_LOGO_BYTES: usize = 2048;

/// Takes the place of all settings; what stays as it was makes no event.
pub(super) fn change(state: &Organization, settings: Settings, now: Timestamp) -> Decided {
    let Settings { name, slug, logo_url } = settings;
    check_name(&name)?;
    check_slug(&slug)?;
    check_logo(logo_url.as_deref())?;
    let mut events = Vec::new();
    if name != state.settings.name {
        events.push(OrganizationEvent::Renamed { name, renamed_at: now });
    }
    if slug != state.settings.slug {
        let former = state.settings.slug.clone();
        events.push(OrganizationEvent::SlugChanged { slug, former, changed_at: now });
    }
    if logo_url != state.settings.logo_url {
        events.push(OrganizationEvent::LogoChanged { logo_url, changed_at: now });
    }
    Ok(if events.is_empty() { Decision::AlreadyApplied } else { Decision::Accept(events) })
}

/// A contact that takes the place of another is another person.
pub(super) fn set_billing_contact(
    state: &Organization,
    contact: BillingContact,
    now: Timestamp,
) -> Decided {
    let BillingContact { contact_id, email, name } = contact;
    if let Some(name) = name.as_ref().and_then(Pii::as_plain) {
        check_name(name)?;
    }
    let former = state
        .billing_contact
        .map(|contact_id| OrganizationEvent::BillingContactRemoved { contact_id, removed_at: now });
    let set = OrganizationEvent::BillingContactSet { contact_id, email, name, set_at: now };
    Ok(Decision::Accept(former.into_iter().chain([set]).collect()))
}

pub(super) fn remove_billing_contact(state: &Organization, now: Timestamp) -> Decided {
    Ok(match state.billing_contact {
        None => Decision::AlreadyApplied,
        Some(contact_id) => {
            Decision::one(OrganizationEvent::BillingContactRemoved { contact_id, removed_at: now })
        }
    })
}

pub(super) fn archive(state: &Organization, now: Timestamp) -> Decision<OrganizationEvent> {
    match state.archived {
        true => Decision::AlreadyApplied,
        false => Decision::Accept(archived(state, now)),
    }
}

/// What archiving comes to. Nobody joins an archived organisation.
pub(super) fn archived(state: &Organization, now: Timestamp) -> Vec<OrganizationEvent> {
    if state.archived {
        return Vec::new();
    }
    let archived = OrganizationEvent::Archived { archived_at: now };
    invitations::all(state, InvitationEnd::Archived, now).into_iter().chain([archived]).collect()
}

pub(super) fn bring_back(state: &Organization, now: Timestamp) -> Decision<OrganizationEvent> {
    match state.archived {
        true => Decision::one(OrganizationEvent::BroughtBack { brought_back_at: now }),
        false => Decision::AlreadyApplied,
    }
}

pub(super) fn suspend(state: &Organization, reason: String, now: Timestamp) -> Decided {
    if !is_reason(&reason) {
        return Err(OrganizationError::Reason);
    }
    Ok(match state.suspended {
        true => Decision::AlreadyApplied,
        false => Decision::one(OrganizationEvent::Suspended { reason, suspended_at: now }),
    })
}

pub(super) fn unsuspend(state: &Organization, now: Timestamp) -> Decision<OrganizationEvent> {
    match state.suspended {
        true => Decision::one(OrganizationEvent::Unsuspended { unsuspended_at: now }),
        false => Decision::AlreadyApplied,
    }
}

pub(super) fn check_name(name: &str) -> Result<(), OrganizationError> {
    let chars = name.chars().count();
    let fits = (1..=MAX_NAME_CHARS).contains(&chars)
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty();
    if fits { Ok(()) } else { Err(OrganizationError::Name) }
}

/// The form of a DNS label (RFC 1123), so that a slug can become a host name.
/// It has no underscore, so that it is never taken for an id.
pub(super) fn check_slug(slug: &str) -> Result<(), OrganizationError> {
    let fits = (1..=63).contains(&slug.len())
        && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if fits { Ok(()) } else { Err(OrganizationError::Slug) }
}

/// It is never fetched here, but by the browsers of whoever looks: it must lead to the internet, and
/// must not carry anything that they would send along.
pub(super) fn check_logo(text: Option<&str>) -> Result<(), OrganizationError> {
    let Some(text) = text else { return Ok(()) };
    if text.len() > MAX_LOGO_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(OrganizationError::Logo);
    }
    let url = Url::parse(text).map_err(|_| OrganizationError::Logo)?;
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let named = matches!(url.host(), Some(Host::Domain(name)) if is_public_name(name));
    let fits = url.scheme() == "https" && url.port().is_none() && bare && named;
    if fits { Ok(()) } else { Err(OrganizationError::Logo) }
}

/// Of names that lead nowhere but into somebody's own network (RFC 6761, 6762, 8375, 9476).
fn is_public_name(name: &str) -> bool {
    const PRIVATE: [&str; 8] =
        ["localhost", "local", "internal", "home.arpa", "test", "invalid", "onion", "alt"];
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let within = |zone: &str| {
        name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    name.contains('.') && !PRIVATE.into_iter().any(within)
}
