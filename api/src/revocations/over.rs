//! Which rights an event ends.

use domain::{
    Event,
    event::DecodeError,
    ids::{ApiKeyId, OrganizationId, SessionId, UserId},
    organizations::OrganizationEvent,
    sessions::SessionEvent,
    users::UserEvent,
};
use journal::Recorded;

use crate::{live::Holder, state::App};

/// A right that is over, or that has to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Everything that somebody does by themselves or by their keys.
    Person(UserId),
    /// Every session of somebody, and what they do by tokens of others.
    Sessions(UserId),
    Session(SessionId),
    Key(ApiKeyId),
    /// What somebody does in an organisation, by themselves or by their keys.
    Member(OrganizationId, UserId),
    Organization(OrganizationId),
}

impl Over {
    pub fn of(recorded: &Recorded) -> Result<Vec<Self>, DecodeError> {
        let org = recorded.org;
        let mut over = Vec::new();
        for event in recorded.decode()? {
            match event {
                Event::User(event) => over.extend(of_user(UserId::from_uuid(org.uuid()), &event)),
                Event::Organization(event) => of_organization(org, &event, &mut over),
                Event::Session(SessionEvent::Ended { .. }) => {
                    over.extend(recorded.aggregate_id.parse().map(Self::Session));
                }
                Event::Session(
                    SessionEvent::Started { .. }
                    | SessionEvent::ImpersonationStarted { .. }
                    | SessionEvent::Refreshed { .. },
                )
                | Event::AddressBlock(_)
                | Event::Audit(_)
                | Event::Factor(_)
                | Event::Scan(_) => {}
            }
        }
        Ok(over)
    }

    fn concerns(self, holder: &Holder) -> bool {
        match self {
            Self::Person(user) => holder.user == Some(user),
            Self::Sessions(user) => holder.user == Some(user) && holder.key.is_none(),
            Self::Session(session) => holder.session == Some(session),
            Self::Key(key) => holder.key == Some(key),
            Self::Member(org, user) => holder.org == org && holder.user == Some(user),
            Self::Organization(org) => holder.org == org,
        }
    }

    /// What this replica remembers is looked up again, and what is open ends.
    pub fn end(self, app: &App) {
        let desk = app.open_desk();
        match self {
            Self::Person(user) => {
                desk.inspect(|desk| desk.forget_all_of(user));
                app.members.forget(user);
                app.keys.forget(|key| key.row.issuer == Some(user));
            }
            Self::Sessions(user) => {
                desk.inspect(|desk| desk.forget_all_of(user));
            }
            Self::Session(session) => {
                desk.inspect(|desk| desk.forget(session));
            }
            Self::Key(id) => {
                desk.inspect(|desk| desk.forget_operator(id));
                app.keys.forget(|key| key.row.key_id == id);
            }
            Self::Member(org, user) => {
                app.members.forget(user);
                app.keys.forget(|key| key.row.org == org && key.row.issuer == Some(user));
            }
            Self::Organization(org) => {
                app.members.forget_all_of(org);
                app.keys.forget(|key| key.row.org == org);
            }
        }
        app.streams.end(|holder| self.concerns(holder));
    }
}

fn of_user(user: UserId, event: &UserEvent) -> Option<Over> {
    match event {
        UserEvent::Suspended { .. } | UserEvent::Unsuspended { .. } | UserEvent::Erased { .. } => {
            Some(Over::Person(user))
        }
        UserEvent::PasswordReset { .. }
        | UserEvent::PasswordChanged { .. }
        | UserEvent::IdentityUnlinked { .. }
        | UserEvent::SessionsEndedEverywhere { .. } => Some(Over::Sessions(user)),
        UserEvent::SignedUp { .. }
        | UserEvent::SignUpRepeated { .. }
        | UserEvent::EmailVerificationAsked { .. }
        | UserEvent::EmailVerified { .. }
        | UserEvent::PasswordResetAsked { .. }
        | UserEvent::ProfileChanged { .. }
        | UserEvent::EmailChangeAsked { .. }
        | UserEvent::EmailChanged { .. }
        | UserEvent::PasswordRehashed { .. }
        | UserEvent::PasswordRemoved { .. }
        | UserEvent::IdentityLinked { .. } => None,
    }
}

fn of_organization(org: OrganizationId, event: &OrganizationEvent, over: &mut Vec<Over>) {
    match event {
        OrganizationEvent::Suspended { .. }
        | OrganizationEvent::Unsuspended { .. }
        | OrganizationEvent::Archived { .. }
        | OrganizationEvent::BroughtBack { .. }
        | OrganizationEvent::PolicyAdded { .. }
        | OrganizationEvent::PolicyChanged { .. }
        | OrganizationEvent::PolicyRemoved { .. } => over.push(Over::Organization(org)),
        OrganizationEvent::MemberChanged { user_id, .. }
        | OrganizationEvent::MemberRemoved { user_id, .. }
        | OrganizationEvent::MemberLeft { user_id, .. } => over.push(Over::Member(org, *user_id)),
        OrganizationEvent::Transferred { to, from, .. } => {
            over.extend(
                [Some(*to), *from].into_iter().flatten().map(|user| Over::Member(org, user)),
            );
        }
        OrganizationEvent::ApiKeyRotated { key_id, .. }
        | OrganizationEvent::ApiKeyRevoked { key_id, .. }
        | OrganizationEvent::ApiKeyLeaked { key_id, .. } => over.push(Over::Key(*key_id)),
        OrganizationEvent::Created { .. }
        | OrganizationEvent::Renamed { .. }
        | OrganizationEvent::SlugChanged { .. }
        | OrganizationEvent::LogoChanged { .. }
        | OrganizationEvent::BillingContactSet { .. }
        | OrganizationEvent::BillingContactRemoved { .. }
        | OrganizationEvent::MemberJoined { .. }
        | OrganizationEvent::InvitationMade { .. }
        | OrganizationEvent::InvitationResent { .. }
        | OrganizationEvent::InvitationAccepted { .. }
        | OrganizationEvent::InvitationDeclined { .. }
        | OrganizationEvent::InvitationEnded { .. }
        | OrganizationEvent::ApiKeyIssued { .. } => {}
    }
}
