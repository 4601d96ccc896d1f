//! The mails of invitations, and the end of those that nobody answered in time.

use std::time::Duration;

use domain::{
    Service,
    ids::{InvitationId, OrganizationId, UserId},
    organizations::{
        INVITATION_LINK, INVITED_EMAIL, Organization, OrganizationCommand, OrganizationEvent,
    },
};
use journal::{Actor, Context, Journal, Recorded};
use mail::{Address, Content, Mail, Name};
use projections::{Views, organizations};
use tokio_util::sync::CancellationToken;

use super::{
    Effect, Outbox,
    error::Failure,
    letters::{OVER, account, link, name},
};

const PAGE: &str = "invitation";
/// How often it is looked for those that expired, and in how many organisations at once.
const PAUSE: Duration = Duration::from_secs(60);
const ORGANIZATIONS: u32 = 100;

pub(super) async fn letter(
    outbox: &Outbox,
    recorded: &Recorded,
    event: &OrganizationEvent,
) -> Result<Effect, Failure> {
    let (OrganizationEvent::InvitationMade { invitation_id, nonce, expires_at, .. }
    | OrganizationEvent::InvitationResent { invitation_id, nonce, expires_at, .. }) = event
    else {
        return Ok(Effect::Nothing("it asks for no mail"));
    };
    let (journal, id) = (&outbox.journal, invitation_id.to_string());
    let org = recorded.org;
    let state = journal.state::<Organization>(org, &org.to_string()).await?;
    let Some((state, _)) = state else { return Ok(Effect::Nothing(OVER)) };
    let open = state.open_invitation(*invitation_id, journal.clock().now());
    let Some(open) = open.filter(|open| open.nonce == *nonce) else {
        return Ok(Effect::Nothing(OVER));
    };
    let subject = invitation_id.uuid();
    let email = journal.open_personal(subject, INVITED_EMAIL, &open.email).await?.known();
    let Some(email) = email else { return Ok(Effect::Nothing(OVER)) };
    let token = journal.secret()?.link_key().token(INVITATION_LINK, &id, nonce);
    let content = Content::Invitation {
        organization: Name::new(&state.settings.name),
        inviter: inviter(outbox, open.inviter).await?,
        link: link(outbox, PAGE, &token_of(org, *invitation_id, token.expose()))?,
        expires_at: *expires_at,
    };
    let to: Address =
        email.parse().map_err(|e: mail::AddressError| Failure::Fail(e.to_string()))?;
    let (id, at) = (recorded.event_id, recorded.recorded_at);
    Ok(Effect::Mail(Box::new(Mail { id, at, to, name: None, content })))
}

/// The organisation stands in it, since whoever uses it is not a member yet.
fn token_of(org: OrganizationId, invitation: InvitationId, token: &str) -> String {
    format!("{org}.{invitation}.{token}")
}

async fn inviter(outbox: &Outbox, user: Option<UserId>) -> Result<Option<Name>, Failure> {
    let Some(user) = user else { return Ok(None) };
    match account(outbox, user).await? {
        Some(account) => name(outbox, user, &account).await,
        None => Ok(None),
    }
}

/// Ends invitations whose time is over, until `stop`: their addresses are not kept for longer. They are
/// refused before that.
pub async fn expire(journal: Journal, views: Views, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = expire_once(&journal, &views).await {
            let error = crate::chain(error.as_ref());
            tracing::warn!(error, "invitations that expired could not be ended");
        }
        let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
    }
}

async fn expire_once(
    journal: &Journal,
    views: &Views,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let view = match views.open(organizations::NAME, None, Duration::ZERO).await {
        // It comes with the projector.
        Err(projections::ViewError::NotBuilt { .. }) => return Ok(()),
        view => view?,
    };
    let now = journal.clock().now();
    for org in organizations::with_expired_invitations(&view, now, ORGANIZATIONS).await? {
        let context = Context::new(org, Actor::System(Service::Mailer), journal.clock().new_id());
        let command = OrganizationCommand::ExpireInvitations { now };
        journal.execute::<Organization>(&context, &org.to_string(), command).await?;
    }
    Ok(())
}
