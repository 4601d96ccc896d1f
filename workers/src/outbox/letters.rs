//! The mails that events about people ask for.

use domain::{
    Pii, Timestamp,
    ids::UserId,
    users::{
        CHANGE_EMAIL_LINK, EMAIL, NAME, OpenLink, RESET_LINK, TYPE, User, UserEvent, VERIFY_LINK,
        own_organization,
    },
};
use journal::{Filter, MAX_PAGE, Recorded};
use mail::{Address, Content, Link, Mail, Name};

use super::{Effect, Outbox, error::Failure};

const ERASED: Effect = Effect::Nothing("the account was erased");
pub(super) const OVER: &str = "the link was used or replaced, or has expired";

/// Pages that links lead to, below the address that is configured.
const VERIFY_PAGE: &str = "verify-email";
const CHANGE_EMAIL_PAGE: &str = "change-email";
const RESET_PAGE: &str = "reset-password";
const SECURITY_PAGE: &str = "security";
const FORGOTTEN_PAGE: &str = "forgotten-password";

pub(super) async fn to_user(
    outbox: &Outbox,
    id: UserId,
    recorded: &Recorded,
    event: &UserEvent,
) -> Result<Effect, Failure> {
    let Some(user) = account(outbox, id).await? else { return Ok(ERASED) };
    let content = match event {
        UserEvent::EmailVerificationAsked { nonce, expires_at, .. } => {
            if !is_open(outbox, user.verification.as_ref(), nonce) {
                return Ok(Effect::Nothing(OVER));
            }
            let link = one_time_link(outbox, VERIFY_PAGE, VERIFY_LINK, id, nonce)?;
            Content::VerifyEmail { link, expires_at: *expires_at }
        }
        UserEvent::PasswordResetAsked { nonce, expires_at, .. } => {
            if !is_open(outbox, user.reset.as_ref(), nonce) {
                return Ok(Effect::Nothing(OVER));
            }
            let link = one_time_link(outbox, RESET_PAGE, RESET_LINK, id, nonce)?;
            Content::PasswordReset { link, expires_at: *expires_at }
        }
        UserEvent::SignUpRepeated { repeated_at } => {
            let link = Some(page(outbox, FORGOTTEN_PAGE)?);
            Content::SignUpRepeated { at: *repeated_at, link }
        }
        UserEvent::EmailChangeAsked { nonce, expires_at, email, .. } => {
            let link = user.email_change.as_ref().map(|change| &change.link);
            if !is_open(outbox, link, nonce) {
                return Ok(Effect::Nothing(OVER));
            }
            let link = one_time_link(outbox, CHANGE_EMAIL_PAGE, CHANGE_EMAIL_LINK, id, nonce)?;
            let content = Content::EmailChange { link, expires_at: *expires_at };
            return letter(outbox, id, &user, Some(email), recorded, content).await;
        }
        UserEvent::EmailChanged { changed_at, .. } => {
            let former = former_email(outbox, recorded).await?;
            let link = Some(page(outbox, SECURITY_PAGE)?);
            let content = Content::EmailChanged { at: *changed_at, link };
            return letter(outbox, id, &user, former.as_ref(), recorded, content).await;
        }
        UserEvent::PasswordReset { reset_at: at, .. }
        | UserEvent::PasswordChanged { changed_at: at, .. } => {
            let link = Some(page(outbox, FORGOTTEN_PAGE)?);
            Content::PasswordChanged { at: *at, link }
        }
        UserEvent::IdentityLinked { provider, linked_at, .. } => {
            if is_part_of_sign_up(outbox, recorded).await? {
                return Ok(Effect::Nothing("the account came with it"));
            }
            let link = Some(page(outbox, SECURITY_PAGE)?);
            Content::IdentityLinked { provider: Name::new(provider), at: *linked_at, link }
        }
        UserEvent::IdentityUnlinked { identity_index, unlinked_at } => {
            let provider = provider_of(outbox, recorded, identity_index).await?;
            let link = Some(page(outbox, SECURITY_PAGE)?);
            Content::IdentityUnlinked { provider, at: *unlinked_at, link }
        }
        UserEvent::SignedUp { .. }
        | UserEvent::EmailVerified { .. }
        | UserEvent::ProfileChanged { .. }
        | UserEvent::PasswordRehashed { .. }
        | UserEvent::PasswordRemoved { .. }
        | UserEvent::SessionsEndedEverywhere { .. }
        | UserEvent::Suspended { .. }
        | UserEvent::Unsuspended { .. }
        | UserEvent::Erased { .. } => return Ok(Effect::Nothing("it asks for no mail")),
    };
    letter(outbox, id, &user, user.email.as_ref(), recorded, content).await
}

pub(super) async fn factor_removed(
    outbox: &Outbox,
    id: UserId,
    recorded: &Recorded,
    at: Timestamp,
) -> Result<Effect, Failure> {
    let Some(user) = account(outbox, id).await? else { return Ok(ERASED) };
    let link = Some(page(outbox, SECURITY_PAGE)?);
    let content = Content::SecondFactorRemoved { at, link };
    letter(outbox, id, &user, user.email.as_ref(), recorded, content).await
}

/// The account, unless it was erased.
pub(super) async fn account(outbox: &Outbox, id: UserId) -> Result<Option<User>, Failure> {
    let found = outbox.journal.state::<User>(own_organization(id), &id.to_string()).await?;
    Ok(found.map(|(user, _)| user).filter(|user| !user.erased))
}

async fn letter(
    outbox: &Outbox,
    id: UserId,
    user: &User,
    to: Option<&Pii<String>>,
    recorded: &Recorded,
    content: Content,
) -> Result<Effect, Failure> {
    let Some(to) = address(outbox, id, to).await? else { return Ok(ERASED) };
    let name = name(outbox, id, user).await?;
    let at = recorded.recorded_at;
    Ok(Effect::Mail(Box::new(Mail { id: recorded.event_id, at, to, name, content })))
}

fn is_open(outbox: &Outbox, link: Option<&OpenLink>, nonce: &str) -> bool {
    let now = outbox.journal.clock().now();
    link.is_some_and(|link| link.nonce == nonce && now < link.expires_at)
}

/// The events of these types that the account had before this one.
async fn before(
    outbox: &Outbox,
    recorded: &Recorded,
    event_types: &[&str],
) -> Result<Vec<(Recorded, UserEvent)>, Failure> {
    let filter = Filter {
        aggregate: Some((TYPE, recorded.aggregate_id.clone())),
        event_types: event_types.iter().map(|&name| name.to_owned()).collect(),
        ..Filter::default()
    };
    let mut events = Vec::new();
    for before in outbox.journal.read(0, &filter, MAX_PAGE).await? {
        if before.sequence >= recorded.sequence {
            break;
        }
        let decoded = before.decode_as::<UserEvent>()?;
        events.extend(decoded.into_iter().map(|event| (before.clone(), event)));
    }
    Ok(events)
}

/// The address of the account before it was changed.
async fn former_email(
    outbox: &Outbox,
    recorded: &Recorded,
) -> Result<Option<Pii<String>>, Failure> {
    let known = before(outbox, recorded, &["user.signed_up", "user.email_changed"]).await?;
    let mut emails = known.into_iter().rev().filter_map(|(_, event)| match event {
        UserEvent::SignedUp { email, .. } | UserEvent::EmailChanged { email, .. } => Some(email),
        _ => None,
    });
    Ok(emails.next())
}

/// Whether somebody came through the provider who had no account.
async fn is_part_of_sign_up(outbox: &Outbox, recorded: &Recorded) -> Result<bool, Failure> {
    let signed_up = before(outbox, recorded, &["user.signed_up"]).await?;
    Ok(signed_up.iter().any(|(signed_up, _)| signed_up.command_id == recorded.command_id))
}

/// What the provider is called whose person was linked under this index.
async fn provider_of(
    outbox: &Outbox,
    recorded: &Recorded,
    index: &str,
) -> Result<Option<Name>, Failure> {
    let linked = before(outbox, recorded, &["user.identity_linked"]).await?;
    let mut providers = linked.into_iter().rev().filter_map(|(_, event)| match event {
        UserEvent::IdentityLinked { provider, identity_index, .. } if identity_index == index => {
            Some(provider)
        }
        _ => None,
    });
    Ok(providers.next().and_then(|provider| Name::new(&provider)))
}

async fn address(
    outbox: &Outbox,
    id: UserId,
    sealed: Option<&Pii<String>>,
) -> Result<Option<Address>, Failure> {
    let Some(sealed) = sealed else { return Ok(None) };
    let opened = outbox.journal.open_personal(id.uuid(), EMAIL, sealed).await?.known();
    let parsed = opened.map(|text| text.parse::<Address>());
    parsed.transpose().map_err(|error| Failure::Fail(error.to_string()))
}

pub(super) async fn name(
    outbox: &Outbox,
    id: UserId,
    user: &User,
) -> Result<Option<Name>, Failure> {
    let Some(sealed) = &user.name else { return Ok(None) };
    let opened = outbox.journal.open_personal(id.uuid(), NAME, sealed).await?.known();
    Ok(opened.and_then(|text| Name::new(&text)))
}

fn one_time_link(
    outbox: &Outbox,
    page: &str,
    purpose: &str,
    id: UserId,
    nonce: &str,
) -> Result<Link, Failure> {
    let id = id.to_string();
    let token = outbox.journal.secret()?.link_key().token(purpose, &id, nonce);
    link(outbox, page, &format!("{id}.{}", token.expose()))
}

/// The token stands in the fragment, which browsers send to no server.
pub(super) fn link(outbox: &Outbox, page: &str, token: &str) -> Result<Link, Failure> {
    let mut url = url(outbox, page)?;
    url.set_fragment(Some(&format!("token={token}")));
    url.try_into().map_err(|error: mail::LinkError| Failure::Retry(error.to_string()))
}

fn page(outbox: &Outbox, page: &str) -> Result<Link, Failure> {
    url(outbox, page)?
        .try_into()
        .map_err(|error: mail::LinkError| Failure::Retry(error.to_string()))
}

fn url(outbox: &Outbox, page: &str) -> Result<url::Url, Failure> {
    let mut url = outbox.options.links.clone();
    let below = url.path_segments_mut().map(|mut path| {
        path.pop_if_empty().push(page);
    });
    below.map_err(|()| Failure::Retry("mail.links_url can have no path".to_owned()))?;
    Ok(url)
}
