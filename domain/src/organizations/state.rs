use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    BILLING_EMAIL, BILLING_NAME, INVITED_EMAIL, Invitation, OrganizationCommand, OrganizationError,
    OrganizationEvent, Role, SLUG_CLAIM, Settings, command, policies,
};
use crate::{
    ClaimChange, Decide, Decision, PersonalField, Service,
    ids::{BillingContactId, InvitationId},
};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    pub exists: bool,
    pub archived: bool,
    /// Nothing is done in it until an operator lifts it.
    pub suspended: bool,
    pub settings: Settings,
    /// Who is asked about invoices, if somebody is.
    pub billing_contact: Option<BillingContactId>,
    /// By the id of the user.
    pub members: BTreeMap<String, Member>,
    /// Those that wait for an answer.
    pub invitations: BTreeMap<InvitationId, Invitation>,
    /// Whether each issued key is still valid.
    pub keys: BTreeMap<String, bool>,
    /// The time zone that each policy names.
    pub policies: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub role: Role,
    /// Actions on top of the role, by name.
    pub permissions: Vec<String>,
}

impl Decide for Organization {
    const STATE_VERSION: u32 = 4;

    fn decide(
        &self,
        command: OrganizationCommand,
    ) -> Result<Decision<OrganizationEvent>, OrganizationError> {
        command::decide(self, command)
    }

    fn serves(service: Service, command: &OrganizationCommand) -> bool {
        let ends_invitations = matches!(
            command,
            OrganizationCommand::ExpireInvitations { .. }
                | OrganizationCommand::ForgetInvited { .. }
        );
        service == Service::Mailer && ends_invitations
    }

    fn evolve(&mut self, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Created { name, slug, .. } => {
                self.exists = true;
                (self.settings.name, self.settings.slug) = (name.clone(), slug.clone());
            }
            OrganizationEvent::Renamed { name, .. } => self.settings.name = name.clone(),
            OrganizationEvent::SlugChanged { slug, .. } => self.settings.slug = slug.clone(),
            OrganizationEvent::LogoChanged { logo_url, .. } => {
                self.settings.logo_url = logo_url.clone();
            }
            OrganizationEvent::BillingContactSet { contact_id, .. } => {
                self.billing_contact = Some(*contact_id);
            }
            OrganizationEvent::BillingContactRemoved { .. } => self.billing_contact = None,
            OrganizationEvent::Archived { .. } => self.archived = true,
            OrganizationEvent::BroughtBack { .. } => self.archived = false,
            OrganizationEvent::Suspended { .. } => self.suspended = true,
            OrganizationEvent::Unsuspended { .. } => self.suspended = false,
            OrganizationEvent::MemberJoined { user_id, role, permissions, .. }
            | OrganizationEvent::MemberChanged { user_id, role, permissions, .. } => {
                let member = Member { role: *role, permissions: permissions.clone() };
                self.members.insert(user_id.to_string(), member);
            }
            OrganizationEvent::MemberRemoved { user_id, .. }
            | OrganizationEvent::MemberLeft { user_id, .. } => {
                self.members.remove(&user_id.to_string());
            }
            OrganizationEvent::Transferred { to, from, .. } => {
                let former = from.map(|from| (from, Role::Admin));
                for (user, role) in former.into_iter().chain([(*to, Role::Owner)]) {
                    if let Some(member) = self.members.get_mut(&user.to_string()) {
                        member.role = role;
                    }
                }
            }
            OrganizationEvent::InvitationMade { invitation_id, .. } => {
                let made = Invitation::made(event);
                self.invitations.extend(made.map(|made| (*invitation_id, made)));
            }
            OrganizationEvent::InvitationResent { invitation_id, nonce, expires_at, resent_at } => {
                if let Some(invitation) = self.invitations.get_mut(invitation_id) {
                    invitation.nonce = nonce.clone();
                    (invitation.expires_at, invitation.mailed_at) = (*expires_at, *resent_at);
                }
            }
            OrganizationEvent::InvitationAccepted { invitation_id, .. }
            | OrganizationEvent::InvitationDeclined { invitation_id, .. }
            | OrganizationEvent::InvitationEnded { invitation_id, .. } => {
                self.invitations.remove(invitation_id);
            }
            OrganizationEvent::ApiKeyIssued { key_id, .. } => {
                self.keys.insert(key_id.to_string(), true);
            }
            OrganizationEvent::ApiKeyRotated { .. } | OrganizationEvent::ApiKeyLeaked { .. } => {}
            OrganizationEvent::ApiKeyRevoked { key_id, .. } => {
                self.keys.insert(key_id.to_string(), false);
            }
            OrganizationEvent::PolicyAdded { policy_id, policy, .. }
            | OrganizationEvent::PolicyChanged { policy_id, policy, .. } => {
                let zone = policies::zone(policy).map(str::to_owned);
                self.policies.insert(policy_id.to_string(), zone);
            }
            OrganizationEvent::PolicyRemoved { policy_id, .. } => {
                self.policies.remove(&policy_id.to_string());
            }
        }
    }

    fn claims(event: &OrganizationEvent) -> Vec<ClaimChange> {
        let take = |slug: &String| ClaimChange::Take { kind: SLUG_CLAIM, key: slug.clone() };
        match event {
            OrganizationEvent::Created { slug, .. } => vec![take(slug)],
            OrganizationEvent::SlugChanged { slug, former, .. } => {
                vec![take(slug), ClaimChange::Release { kind: SLUG_CLAIM, key: former.clone() }]
            }
            OrganizationEvent::Renamed { .. }
            | OrganizationEvent::LogoChanged { .. }
            | OrganizationEvent::BillingContactSet { .. }
            | OrganizationEvent::BillingContactRemoved { .. }
            | OrganizationEvent::Archived { .. }
            | OrganizationEvent::BroughtBack { .. }
            | OrganizationEvent::Suspended { .. }
            | OrganizationEvent::Unsuspended { .. }
            | OrganizationEvent::MemberJoined { .. }
            | OrganizationEvent::MemberChanged { .. }
            | OrganizationEvent::MemberRemoved { .. }
            | OrganizationEvent::MemberLeft { .. }
            | OrganizationEvent::Transferred { .. }
            | OrganizationEvent::InvitationMade { .. }
            | OrganizationEvent::InvitationResent { .. }
            | OrganizationEvent::InvitationAccepted { .. }
            | OrganizationEvent::InvitationDeclined { .. }
            | OrganizationEvent::InvitationEnded { .. }
            | OrganizationEvent::ApiKeyIssued { .. }
            | OrganizationEvent::ApiKeyRotated { .. }
            | OrganizationEvent::ApiKeyRevoked { .. }
            | OrganizationEvent::ApiKeyLeaked { .. }
            | OrganizationEvent::PolicyAdded { .. }
            | OrganizationEvent::PolicyChanged { .. }
            | OrganizationEvent::PolicyRemoved { .. } => Vec::new(),
        }
    }

    fn personal(event: &mut OrganizationEvent, visit: &mut dyn FnMut(PersonalField<'_>)) {
        if let OrganizationEvent::BillingContactSet { contact_id, email, name, .. } = event {
            let subject = contact_id.uuid();
            visit(PersonalField { subject, name: BILLING_EMAIL, value: email });
            if let Some(name) = name {
                visit(PersonalField { subject, name: BILLING_NAME, value: name });
            }
        }
        if let OrganizationEvent::InvitationMade { invitation_id, email, .. } = event {
            let subject = invitation_id.uuid();
            visit(PersonalField { subject, name: INVITED_EMAIL, value: email });
        }
    }
}
