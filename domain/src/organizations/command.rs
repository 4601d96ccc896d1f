use serde_json::Value;

use super::{
    BillingContact, Invite, KeyTerms, Organization, OrganizationError, OrganizationEvent, Role,
    Settings, invitations, keys, members, policies, settings,
};
use crate::{
    Decision, Timestamp,
    ids::{ApiKeyId, InvitationId, PolicyId, UserId},
};

/// Who acts is told where the rules depend on it: `by` is a member, or nobody for a key that acts in
/// the owner's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationCommand {
    /// By whoever runs the installation: it has no members yet.
    Create {
        name: String,
        slug: String,
        now: Timestamp,
    },
    /// By a user, who becomes its owner.
    Found {
        settings: Settings,
        founder: UserId,
        now: Timestamp,
    },
    ChangeSettings {
        settings: Settings,
        now: Timestamp,
    },
    SetBillingContact(Box<BillingContact>, Timestamp),
    RemoveBillingContact {
        now: Timestamp,
    },
    Archive {
        now: Timestamp,
    },
    BringBack {
        now: Timestamp,
    },
    /// By an operator.
    Suspend {
        reason: String,
        now: Timestamp,
    },
    Unsuspend {
        now: Timestamp,
    },
    /// Whether the permissions name actions is known to whoever gives the command.
    ChangeMember {
        user_id: UserId,
        role: Role,
        permissions: Vec<String>,
        by: Option<UserId>,
        now: Timestamp,
    },
    RemoveMember {
        user_id: UserId,
        by: Option<UserId>,
        now: Timestamp,
    },
    Leave {
        user_id: UserId,
        now: Timestamp,
    },
    /// The account of the member is about to be erased.
    EraseMember {
        user_id: UserId,
        now: Timestamp,
    },
    Transfer {
        to: UserId,
        by: Option<UserId>,
        now: Timestamp,
    },
    Invite(Box<Invite>, Timestamp),
    ResendInvitation {
        invitation_id: InvitationId,
        nonce: String,
        expires_at: Timestamp,
        by: Option<UserId>,
        now: Timestamp,
    },
    RevokeInvitation {
        invitation_id: InvitationId,
        by: Option<UserId>,
        now: Timestamp,
    },
    /// By a link whose token was checked against this nonce, and an account whose address is confirmed.
    AcceptInvitation {
        invitation_id: InvitationId,
        nonce: String,
        user_id: UserId,
        email_index: String,
        now: Timestamp,
    },
    /// The same.
    DeclineInvitation {
        invitation_id: InvitationId,
        nonce: String,
        email_index: String,
        now: Timestamp,
    },
    ExpireInvitations {
        now: Timestamp,
    },
    /// The account of this address is about to be erased.
    ForgetInvited {
        email_index: String,
        now: Timestamp,
    },
    IssueApiKey {
        key_id: ApiKeyId,
        secret_hash: String,
        terms: KeyTerms,
        now: Timestamp,
    },
    RotateApiKey {
        key_id: ApiKeyId,
        secret_hash: String,
        former_valid_until: Timestamp,
        now: Timestamp,
    },
    RevokeApiKey {
        key_id: ApiKeyId,
        now: Timestamp,
    },
    /// By whoever knows its secret.
    ReportLeakedKey {
        key_id: ApiKeyId,
        found_at: Option<String>,
        now: Timestamp,
    },
    /// Whether the policy is one is known to whoever gives the command.
    AddPolicy {
        policy_id: PolicyId,
        policy: Value,
        now: Timestamp,
    },
    ChangePolicy {
        policy_id: PolicyId,
        policy: Value,
        now: Timestamp,
    },
    RemovePolicy {
        policy_id: PolicyId,
        now: Timestamp,
    },
}

pub(super) type Decided = Result<Decision<OrganizationEvent>, OrganizationError>;

pub(super) fn decide(state: &Organization, command: OrganizationCommand) -> Decided {
    use OrganizationCommand as Command;
    match command {
        Command::Create { name, slug, now } => Ok(Decision::one(created(state, name, slug, now)?)),
        Command::Found { settings, founder, now } => found(state, settings, founder, now),
        _ if !state.exists => Err(OrganizationError::NotFound),
        Command::Archive { now } => Ok(settings::archive(state, now)),
        Command::BringBack { now } => Ok(settings::bring_back(state, now)),
        Command::Leave { user_id, now } => members::leave(state, user_id, now),
        Command::EraseMember { user_id, now } => members::erase(state, user_id, now),
        Command::ExpireInvitations { now } => Ok(invitations::expire(state, now)),
        Command::ForgetInvited { email_index, now } => {
            Ok(invitations::forget(state, &email_index, now))
        }
        // A secret that leaked is stopped whatever the organisation is.
        Command::RevokeApiKey { key_id, now } => keys::revoke(state, key_id, now),
        Command::ReportLeakedKey { key_id, found_at, now } => {
            keys::leaked(state, key_id, found_at, now)
        }
        Command::Suspend { reason, now } => settings::suspend(state, reason, now),
        Command::Unsuspend { now } => Ok(settings::unsuspend(state, now)),
        _ if state.suspended => Err(OrganizationError::Suspended),
        _ if state.archived => Err(OrganizationError::Archived),
        Command::ChangeSettings { settings, now } => settings::change(state, settings, now),
        Command::SetBillingContact(contact, now) => {
            settings::set_billing_contact(state, *contact, now)
        }
        Command::RemoveBillingContact { now } => settings::remove_billing_contact(state, now),
        Command::ChangeMember { user_id, role, permissions, by, now } => {
            members::change(state, user_id, role, permissions, by, now)
        }
        Command::RemoveMember { user_id, by, now } => members::remove(state, user_id, by, now),
        Command::Transfer { to, by, now } => members::transfer(state, to, by, now),
        Command::Invite(invite, now) => invitations::invite(state, *invite, now),
        Command::ResendInvitation { invitation_id, nonce, expires_at, by, now } => {
            invitations::resend(state, invitation_id, (nonce, expires_at), by, now)
        }
        Command::RevokeInvitation { invitation_id, by, now } => {
            invitations::revoke(state, invitation_id, by, now)
        }
        Command::AcceptInvitation { invitation_id, nonce, user_id, email_index, now } => {
            invitations::accept(state, invitation_id, &nonce, (user_id, &email_index), now)
        }
        Command::DeclineInvitation { invitation_id, nonce, email_index, now } => {
            invitations::decline(state, invitation_id, &nonce, &email_index, now)
        }
        Command::IssueApiKey { key_id, secret_hash, terms, now } => {
            keys::issue(state, key_id, secret_hash, terms, now)
        }
        Command::RotateApiKey { key_id, secret_hash, former_valid_until, now } => {
            keys::rotate(state, key_id, secret_hash, former_valid_until, now)
        }
        Command::AddPolicy { policy_id, policy, now } => {
            policies::add(state, policy_id, policy, now)
        }
        Command::ChangePolicy { policy_id, policy, now } => {
            policies::change(state, policy_id, policy, now)
        }
        Command::RemovePolicy { policy_id, now } => policies::remove(state, policy_id, now),
    }
}

fn found(state: &Organization, settings: Settings, founder: UserId, now: Timestamp) -> Decided {
    let Settings { name, slug, logo_url } = settings;
    settings::check_logo(logo_url.as_deref())?;
    let created = created(state, name, slug, now)?;
    let logo = logo_url.map(|logo_url| OrganizationEvent::LogoChanged {
        logo_url: Some(logo_url),
        changed_at: now,
    });
    let owner = members::founder(founder, now);
    Ok(Decision::Accept([created].into_iter().chain(logo).chain([owner]).collect()))
}

fn created(
    state: &Organization,
    name: String,
    slug: String,
    now: Timestamp,
) -> Result<OrganizationEvent, OrganizationError> {
    if state.exists {
        return Err(OrganizationError::Exists);
    }
    settings::check_name(&name)?;
    settings::check_slug(&slug)?;
    Ok(OrganizationEvent::Created { name, slug, created_at: now })
}
