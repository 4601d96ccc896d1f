use serde::{Deserialize, Serialize};

use super::{
    InvitationEnd, MAX_PENDING_INVITATIONS, Organization, OrganizationError, OrganizationEvent,
    Role, command::Decided, members::checked,
};
use crate::{
    Decision, Pii, Timestamp,
    ids::{InvitationId, UserId},
    users::MAIL_PAUSE,
};

/// One that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    pub email: Pii<String>,
    pub email_index: String,
    pub role: Role,
    pub permissions: Vec<String>,
    pub inviter: Option<UserId>,
    /// Of the link that works.
    pub nonce: String,
    pub expires_at: Timestamp,
    pub mailed_at: Timestamp,
}

/// What somebody is invited to. Whether the permissions name actions is known to whoever gives the
/// command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    pub invitation_id: InvitationId,
    pub email: Pii<String>,
    pub email_index: String,
    /// Who has the account of the address, if there is one.
    pub account: Option<UserId>,
    pub role: Role,
    pub permissions: Vec<String>,
    pub nonce: String,
    pub expires_at: Timestamp,
    pub by: Option<UserId>,
}

/// Takes the place of one that the address had.
pub(super) fn invite(state: &Organization, invite: Invite, now: Timestamp) -> Decided {
    if state.invitations.contains_key(&invite.invitation_id) {
        return Ok(Decision::AlreadyApplied);
    }
    let permissions = checked(invite.permissions)?;
    let rank = state.rank(invite.by)?;
    if !may_give(rank, invite.role, &permissions) {
        return Err(OrganizationError::AboveOwnRole);
    }
    if invite.account.is_some_and(|user| state.member(user).is_some()) {
        return Err(OrganizationError::AlreadyMember);
    }
    let mut events = expired(state, now);
    let open = state.invitations.iter().filter(|(_, known)| known.is_open(now));
    let (former, others): (Vec<_>, Vec<_>) =
        open.partition(|(_, known)| known.email_index == invite.email_index);
    if others.len() >= MAX_PENDING_INVITATIONS {
        return Err(OrganizationError::TooManyInvitations);
    }
    for (id, former) in former {
        former.check_right(rank)?;
        former.check_pause(now)?;
        events.push(ended(*id, InvitationEnd::Replaced, now));
    }
    events.push(OrganizationEvent::InvitationMade {
        invitation_id: invite.invitation_id,
        email: invite.email,
        email_index: invite.email_index,
        role: invite.role,
        permissions,
        inviter: invite.by,
        nonce: invite.nonce,
        expires_at: invite.expires_at,
        invited_at: now,
    });
    Ok(Decision::Accept(events))
}

pub(super) fn resend(
    state: &Organization,
    invitation_id: InvitationId,
    (nonce, expires_at): (String, Timestamp),
    by: Option<UserId>,
    now: Timestamp,
) -> Decided {
    let open = state.open_invitation(invitation_id, now);
    let open = open.ok_or(OrganizationError::UnknownInvitation)?;
    open.check_right(state.rank(by)?)?;
    open.check_pause(now)?;
    Ok(Decision::one(OrganizationEvent::InvitationResent {
        invitation_id,
        nonce,
        expires_at,
        resent_at: now,
    }))
}

pub(super) fn revoke(
    state: &Organization,
    invitation_id: InvitationId,
    by: Option<UserId>,
    now: Timestamp,
) -> Decided {
    let known = state.invitations.get(&invitation_id);
    let known = known.ok_or(OrganizationError::UnknownInvitation)?;
    known.check_right(state.rank(by)?)?;
    Ok(Decision::one(ended(invitation_id, InvitationEnd::Revoked, now)))
}

pub(super) fn accept(
    state: &Organization,
    invitation_id: InvitationId,
    nonce: &str,
    (user_id, email_index): (UserId, &str),
    now: Timestamp,
) -> Decided {
    let invitation = state.answered(invitation_id, nonce, email_index, now)?;
    if state.member(user_id).is_some() {
        return Err(OrganizationError::AlreadyMember);
    }
    let accepted =
        OrganizationEvent::InvitationAccepted { invitation_id, user_id, accepted_at: now };
    let joined = OrganizationEvent::MemberJoined {
        user_id,
        role: invitation.role,
        permissions: invitation.permissions.clone(),
        joined_at: now,
    };
    Ok(Decision::Accept(vec![accepted, joined]))
}

pub(super) fn decline(
    state: &Organization,
    invitation_id: InvitationId,
    nonce: &str,
    email_index: &str,
    now: Timestamp,
) -> Decided {
    state.answered(invitation_id, nonce, email_index, now)?;
    Ok(Decision::one(OrganizationEvent::InvitationDeclined { invitation_id, declined_at: now }))
}

pub(super) fn expire(state: &Organization, now: Timestamp) -> Decision<OrganizationEvent> {
    decision(expired(state, now))
}

pub(super) fn forget(
    state: &Organization,
    email_index: &str,
    now: Timestamp,
) -> Decision<OrganizationEvent> {
    decision(state.end(InvitationEnd::Erased, now, |known| known.email_index == email_index))
}

/// All of them end for this reason.
pub(super) fn all(
    state: &Organization,
    reason: InvitationEnd,
    now: Timestamp,
) -> Vec<OrganizationEvent> {
    state.end(reason, now, |_| true)
}

/// Those that a member made and could not make with this role, or without one, end.
pub(super) fn beyond(
    state: &Organization,
    user: UserId,
    rank: Option<Role>,
    now: Timestamp,
) -> Vec<OrganizationEvent> {
    let given = |known: &Invitation| {
        rank.is_some_and(|rank| may_give(rank, known.role, &known.permissions))
    };
    state.end(InvitationEnd::Inviter, now, |known| known.inviter == Some(user) && !given(known))
}

fn expired(state: &Organization, now: Timestamp) -> Vec<OrganizationEvent> {
    state.end(InvitationEnd::Expired, now, |known| !known.is_open(now))
}

fn decision(events: Vec<OrganizationEvent>) -> Decision<OrganizationEvent> {
    if events.is_empty() { Decision::AlreadyApplied } else { Decision::Accept(events) }
}

fn ended(
    invitation_id: InvitationId,
    reason: InvitationEnd,
    ended_at: Timestamp,
) -> OrganizationEvent {
    OrganizationEvent::InvitationEnded { invitation_id, reason, ended_at }
}

/// Nobody gives a place above their own, and extra permissions are for admins to give.
fn may_give(rank: Role, role: Role, permissions: &[String]) -> bool {
    rank >= role && (permissions.is_empty() || rank >= Role::Admin)
}

impl Organization {
    /// The invitation, while it can be answered.
    pub fn open_invitation(&self, id: InvitationId, now: Timestamp) -> Option<&Invitation> {
        self.invitations.get(&id).filter(|known| known.is_open(now))
    }

    fn answered(
        &self,
        id: InvitationId,
        nonce: &str,
        email_index: &str,
        now: Timestamp,
    ) -> Result<&Invitation, OrganizationError> {
        let open = self.open_invitation(id, now).filter(|open| open.nonce == nonce);
        let open = open.ok_or(OrganizationError::InvitationLink)?;
        let invited = open.email_index == email_index;
        invited.then_some(open).ok_or(OrganizationError::NotInvited)
    }

    fn end(
        &self,
        reason: InvitationEnd,
        now: Timestamp,
        ends: impl Fn(&Invitation) -> bool,
    ) -> Vec<OrganizationEvent> {
        let ending = self.invitations.iter().filter(|(_, known)| ends(known));
        ending.map(|(id, _)| ended(*id, reason, now)).collect()
    }
}

impl Invitation {
    pub(super) fn made(event: &OrganizationEvent) -> Option<Self> {
        let OrganizationEvent::InvitationMade {
            email,
            email_index,
            role,
            permissions,
            inviter,
            nonce,
            expires_at,
            invited_at,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            email: email.clone(),
            email_index: email_index.clone(),
            role: *role,
            permissions: permissions.clone(),
            inviter: *inviter,
            nonce: nonce.clone(),
            expires_at: *expires_at,
            mailed_at: *invited_at,
        })
    }

    fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    fn check_right(&self, rank: Role) -> Result<(), OrganizationError> {
        let right = may_give(rank, self.role, &self.permissions);
        right.then_some(()).ok_or(OrganizationError::AboveOwnRole)
    }

    /// Nobody is flooded with mails.
    fn check_pause(&self, now: Timestamp) -> Result<(), OrganizationError> {
        let recent = now < self.mailed_at + MAIL_PAUSE;
        if recent { Err(OrganizationError::InvitedTooSoon) } else { Ok(()) }
    }
}
