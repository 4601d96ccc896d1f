//! The mails that events about people ask for.

use domain::{
    Timestamp,
    ids::UserId,
    users::{EMAIL, NAME, OpenLink, RESET_LINK, User, UserEvent, VERIFY_LINK, own_organization},
};
use journal::Recorded;
use mail::{Address, Content, Link, Mail, Name};

use super::{Effect, Outbox, error::Failure};

const ERASED: Effect = Effect::Nothing("the account was erased");
const OVER: &str = "the link was used or replaced, or has expired";

/// Pages that links lead to, below the address that is configured.
const VERIFY_PAGE: &str = "verify-email";
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
        UserEvent::SignedUp { .. }
        | UserEvent::EmailVerified { .. }
        | UserEvent::PasswordReset { .. }
        | UserEvent::PasswordRehashed { .. }
        | UserEvent::SessionsEndedEverywhere { .. }
        | UserEvent::Erased { .. } => return Ok(Effect::Nothing("it asks for no mail")),
    };
    letter(outbox, id, &user, recorded, content).await
}

pub(super) async fn factor_removed(
    outbox: &Outbox,
    id: UserId,
    recorded: &Recorded,
    at: Timestamp,
) -> Result<Effect, Failure> {
    let Some(user) = account(outbox, id).await? else { return Ok(ERASED) };
    let link = Some(page(outbox, SECURITY_PAGE)?);
    letter(outbox, id, &user, recorded, Content::SecondFactorRemoved { at, link }).await
}

async fn account(outbox: &Outbox, id: UserId) -> Result<Option<User>, Failure> {
    let found = outbox.journal.state::<User>(own_organization(id), &id.to_string()).await?;
    Ok(found.map(|(user, _)| user).filter(|user| !user.erased))
}

async fn letter(
    outbox: &Outbox,
    id: UserId,
    user: &User,
    recorded: &Recorded,
    content: Content,
) -> Result<Effect, Failure> {
    let Some(to) = address(outbox, id, user).await? else { return Ok(ERASED) };
    let name = name(outbox, id, user).await?;
    let at = recorded.recorded_at;
    Ok(Effect::Mail(Box::new(Mail { id: recorded.event_id, at, to, name, content })))
}

fn is_open(outbox: &Outbox, link: Option<&OpenLink>, nonce: &str) -> bool {
    let now = outbox.journal.clock().now();
    link.is_some_and(|link| link.nonce == nonce && now < link.expires_at)
}

async fn address(outbox: &Outbox, id: UserId, user: &User) -> Result<Option<Address>, Failure> {
    let Some(sealed) = &user.email else { return Ok(None) };
    let opened = outbox.journal.open_personal(id.uuid(), EMAIL, sealed).await?.known();
    let parsed = opened.map(|text| text.parse::<Address>());
    parsed.transpose().map_err(|error| Failure::Fail(error.to_string()))
}

async fn name(outbox: &Outbox, id: UserId, user: &User) -> Result<Option<Name>, Failure> {
    let Some(sealed) = &user.name else { return Ok(None) };
    let opened = outbox.journal.open_personal(id.uuid(), NAME, sealed).await?.known();
    Ok(opened.and_then(|text| Name::new(&text)))
}

/// The token stands in the fragment, which browsers send to no server.
pub(super) fn one_time_link(
    outbox: &Outbox,
    page: &str,
    purpose: &str,
    id: UserId,
    nonce: &str,
) -> Result<Link, Failure> {
    let id = id.to_string();
    let token = outbox.journal.secret()?.link_key().token(purpose, &id, nonce);
    let mut url = url(outbox, page)?;
    url.set_fragment(Some(&format!("token={id}.{}", token.expose())));
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
