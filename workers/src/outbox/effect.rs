//! What an event asks for, and doing it.

use domain::{
    Event, factors::FactorEvent, ids::UserId, organizations::OrganizationEvent, users::UserEvent,
};
use journal::Recorded;
use mail::{Mail, Sent};
use uuid::Uuid;

use super::{Outbox, error::Failure, invitations, letters, store::Item};

/// Those after which a key is destroyed.
const FORGOTTEN: [&str; 4] = [
    "organization.invitation_accepted",
    "organization.invitation_declined",
    "organization.invitation_ended",
    "user.erased",
];

/// Events that ask for something.
pub(super) const ASKED: &[&str] = &[
    FORGOTTEN[0],
    FORGOTTEN[1],
    FORGOTTEN[2],
    FORGOTTEN[3],
    "organization.invitation_made",
    "organization.invitation_resent",
    "second_factor.passkey_removed",
    "second_factor.totp_removed",
    "user.email_change_asked",
    "user.email_changed",
    "user.email_verification_asked",
    "user.identity_linked",
    "user.identity_unlinked",
    "user.password_changed",
    "user.password_reset",
    "user.password_reset_asked",
    "user.sign_up_repeated",
];

pub(crate) enum Effect {
    Mail(Box<Mail>),
    DestroyKey(Uuid),
    /// It is not asked for any more, for this reason.
    Nothing(&'static str),
}

/// Whether it is tried until it is done, however often it failed.
pub(super) fn is_due_for_ever(event_type: &str) -> bool {
    FORGOTTEN.contains(&event_type)
}

pub(super) async fn carry_out(outbox: &Outbox, item: &Item) -> Result<(), Failure> {
    let recorded = outbox.journal.at(item.position).await?;
    let recorded = recorded.ok_or_else(|| Failure::Fail("the log has no such event".to_owned()))?;
    for event in recorded.decode()? {
        match effect_of(outbox, &recorded, &event).await? {
            Effect::Mail(mail) => send(outbox, item, &mail).await?,
            Effect::DestroyKey(person) => {
                outbox.journal.erase_person(person).await?;
            }
            Effect::Nothing(why) => {
                tracing::debug!(position = item.position, event = item.event_type, why, "left out");
            }
        }
    }
    Ok(())
}

async fn effect_of(outbox: &Outbox, recorded: &Recorded, event: &Event) -> Result<Effect, Failure> {
    match event {
        Event::User(event) => {
            let user = person(recorded)?;
            match event {
                UserEvent::Erased { .. } => Ok(Effect::DestroyKey(user.uuid())),
                event => letters::to_user(outbox, user, recorded, event).await,
            }
        }
        Event::Factor(
            FactorEvent::TotpRemoved { removed_at }
            | FactorEvent::PasskeyRemoved { removed_at, .. },
        ) => letters::factor_removed(outbox, person(recorded)?, recorded, *removed_at).await,
        Event::Organization(event) => match event {
            // The address that it held is of no more use.
            OrganizationEvent::InvitationAccepted { invitation_id, .. }
            | OrganizationEvent::InvitationDeclined { invitation_id, .. }
            | OrganizationEvent::InvitationEnded { invitation_id, .. } => {
                Ok(Effect::DestroyKey(invitation_id.uuid()))
            }
            event => invitations::letter(outbox, recorded, event).await,
        },
        Event::AddressBlock(_)
        | Event::Audit(_)
        | Event::Factor(_)
        | Event::Scan(_)
        | Event::Session(_) => Ok(Effect::Nothing("events of its kind ask for nothing")),
    }
}

fn person(recorded: &Recorded) -> Result<UserId, Failure> {
    recorded
        .aggregate_id
        .parse()
        .map_err(|error: domain::ids::ParseIdError| Failure::Fail(error.to_string()))
}

async fn send(outbox: &Outbox, item: &Item, mail: &Mail) -> Result<(), Failure> {
    let sent = outbox.options.mailer.send(mail).await?;
    metrics::counter!("mails_sent_total").increment(1);
    match sent {
        Sent::Accepted => {
            tracing::info!(position = item.position, event = item.event_type, "a mail was sent");
        }
        // Nobody gets these mails: whoever runs the installation finds the link here.
        Sent::Kept { file, link } => {
            let link = link.as_ref().map(mail::Link::expose);
            let file = file.display();
            tracing::info!(event = item.event_type, %file, link, "a mail was put into the folder");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_followed_is_in_the_catalogue() {
        for name in ASKED {
            assert!(domain::event::catalogue().any(|known| known.name == *name), "{name}");
        }
    }
}
