use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EVERYTHING, Role};
use crate::{
    Pii, Timestamp,
    event::EventType,
    ids::{ApiKeyId, BillingContactId, InvitationId, PolicyId, UserId},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OrganizationEvent {
    Created {
        name: String,
        slug: String,
        created_at: Timestamp,
    },
    Renamed {
        name: String,
        renamed_at: Timestamp,
    },
    SlugChanged {
        slug: String,
        /// The one before, which others may take now.
        former: String,
        changed_at: Timestamp,
    },
    LogoChanged {
        /// None when there is no logo any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logo_url: Option<String>,
        changed_at: Timestamp,
    },
    BillingContactSet {
        /// Whom the personal fields are about. A contact that takes the place of another has a new id.
        contact_id: BillingContactId,
        email: Pii<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Pii<String>>,
        set_at: Timestamp,
    },
    BillingContactRemoved {
        contact_id: BillingContactId,
        removed_at: Timestamp,
    },
    /// It can be read and brought back, and nothing else.
    Archived {
        archived_at: Timestamp,
    },
    BroughtBack {
        brought_back_at: Timestamp,
    },
    /// By an operator. Nothing is done in it, and its keys are refused, until it is lifted.
    Suspended {
        /// In the operator's words.
        reason: String,
        suspended_at: Timestamp,
    },
    Unsuspended {
        unsuspended_at: Timestamp,
    },
    MemberJoined {
        user_id: UserId,
        role: Role,
        /// Actions on top of the role, by name: `scans:read`, `scans:*`, `*`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        permissions: Vec<String>,
        joined_at: Timestamp,
    },
    MemberChanged {
        user_id: UserId,
        role: Role,
        /// All of those on top of the role.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        permissions: Vec<String>,
        changed_at: Timestamp,
    },
    MemberRemoved {
        user_id: UserId,
        removed_at: Timestamp,
    },
    MemberLeft {
        user_id: UserId,
        left_at: Timestamp,
    },
    Transferred {
        /// A member, who is an owner from now on.
        to: UserId,
        /// The owner who handed it on and is an admin from now on. None when a key did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<UserId>,
        transferred_at: Timestamp,
    },
    InvitationMade {
        /// Whom the address is about.
        invitation_id: InvitationId,
        email: Pii<String>,
        /// Of the address in the blind index, by which its account is known.
        email_index: String,
        role: Role,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        permissions: Vec<String>,
        /// The member who may give the place: the invitation ends when they may no longer. None when a
        /// key in the owner's place made it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inviter: Option<UserId>,
        /// Of the link in the mail.
        nonce: String,
        expires_at: Timestamp,
        invited_at: Timestamp,
    },
    InvitationResent {
        invitation_id: InvitationId,
        /// Of the link in the new mail; the one before works no longer.
        nonce: String,
        expires_at: Timestamp,
        resent_at: Timestamp,
    },
    InvitationAccepted {
        invitation_id: InvitationId,
        user_id: UserId,
        accepted_at: Timestamp,
    },
    InvitationDeclined {
        invitation_id: InvitationId,
        declined_at: Timestamp,
    },
    InvitationEnded {
        invitation_id: InvitationId,
        reason: InvitationEnd,
        ended_at: Timestamp,
    },
    ApiKeyIssued {
        key_id: ApiKeyId,
        name: String,
        /// SHA-256 of the secret, in hexadecimal.
        secret_hash: String,
        issued_at: Timestamp,
        /// Whether the key may do what concerns the whole installation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        platform: bool,
        /// Actions that the key may ask for, by name: `scans:read`, `scans:*`, `*`.
        #[serde(default = "everything", skip_serializing_if = "is_everything")]
        scopes: Vec<String>,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        /// A limit of its own, in place of the installation's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requests_per_minute: Option<u32>,
        /// The member in whose place it acts: it ends with the membership. None for one that acts in
        /// the owner's place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<UserId>,
        /// Every request must be signed (RFC 9421) by whoever holds the private half of this Ed25519
        /// key, which is written in base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signing_key: Option<String>,
    },
    ApiKeyRotated {
        key_id: ApiKeyId,
        /// SHA-256 of the new secret, in hexadecimal.
        secret_hash: String,
        /// Until when the secret before it is taken beside it. Older ones end at once.
        former_valid_until: Timestamp,
        rotated_at: Timestamp,
    },
    ApiKeyRevoked {
        key_id: ApiKeyId,
        revoked_at: Timestamp,
    },
    /// Somebody who need not be known showed its secret. It is revoked with it.
    ApiKeyLeaked {
        key_id: ApiKeyId,
        /// Where they say that it was found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found_at: Option<String>,
        reported_at: Timestamp,
    },
    PolicyAdded {
        policy_id: PolicyId,
        /// As it was written.
        policy: Value,
        added_at: Timestamp,
    },
    PolicyChanged {
        policy_id: PolicyId,
        /// As it is written now, all of it.
        policy: Value,
        changed_at: Timestamp,
    },
    PolicyRemoved {
        policy_id: PolicyId,
        removed_at: Timestamp,
    },
}

/// Why an invitation can be accepted no longer, though nobody answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationEnd {
    Revoked,
    /// By another of the same address.
    Replaced,
    Expired,
    /// Whoever made it left, or may not give such a place any more.
    Inviter,
    /// The organisation was archived.
    Archived,
    /// Whoever was invited is not to be known any more.
    Erased,
}

pub const EVENT_TYPES: &[EventType] = &[
    EventType { name: "organization.created", version: 1, about: "An organisation was made." },
    EventType { name: "organization.renamed", version: 1, about: "It has another name." },
    EventType {
        name: "organization.slug_changed",
        version: 1,
        about: "It has another slug, and the one before is free.",
    },
    EventType {
        name: "organization.logo_changed",
        version: 1,
        about: "It has another logo, or none.",
    },
    EventType {
        name: "organization.billing_contact_set",
        version: 1,
        about: "Somebody is asked about invoices from now on.",
    },
    EventType {
        name: "organization.billing_contact_removed",
        version: 1,
        about: "Nobody is asked about invoices any more.",
    },
    EventType {
        name: "organization.archived",
        version: 1,
        about: "It can be read and brought back, and nothing else.",
    },
    EventType { name: "organization.brought_back", version: 1, about: "It is archived no longer." },
    EventType {
        name: "organization.suspended",
        version: 1,
        about: "An operator suspended it: nothing is done in it, and its keys are refused.",
    },
    EventType { name: "organization.unsuspended", version: 1, about: "It is suspended no longer." },
    EventType {
        name: "organization.member_joined",
        version: 1,
        about: "Somebody is a member from now on.",
    },
    EventType {
        name: "organization.member_changed",
        version: 1,
        about: "A member has another role or other extra permissions.",
    },
    EventType {
        name: "organization.member_removed",
        version: 1,
        about: "Somebody was taken out, and so were the keys they issued.",
    },
    EventType {
        name: "organization.member_left",
        version: 1,
        about: "Somebody left, and the keys they issued ended.",
    },
    EventType {
        name: "organization.transferred",
        version: 1,
        about: "It was handed to another owner.",
    },
    EventType {
        name: "organization.invitation_made",
        version: 1,
        about: "Somebody is invited by mail to become a member.",
    },
    EventType {
        name: "organization.invitation_resent",
        version: 1,
        about: "The mail of an invitation goes out again, with another link.",
    },
    EventType {
        name: "organization.invitation_accepted",
        version: 1,
        about: "Whoever was invited accepted, and joins.",
    },
    EventType {
        name: "organization.invitation_declined",
        version: 1,
        about: "Whoever was invited does not want to join.",
    },
    EventType {
        name: "organization.invitation_ended",
        version: 1,
        about: "An invitation can be accepted no longer, though nobody answered it.",
    },
    EventType {
        name: "organization.api_key_issued",
        version: 1,
        about: "An API key was issued; the event holds only its hash.",
    },
    EventType {
        name: "organization.api_key_rotated",
        version: 1,
        about: "An API key has a new secret; the one before ends later, or has ended.",
    },
    EventType {
        name: "organization.api_key_revoked",
        version: 1,
        about: "An API key was revoked and is refused from now on.",
    },
    EventType {
        name: "organization.api_key_leaked",
        version: 1,
        about: "Somebody found the secret of an API key, which was revoked.",
    },
    EventType {
        name: "organization.policy_added",
        version: 1,
        about: "A policy holds from now on, beside those of the house.",
    },
    EventType {
        name: "organization.policy_changed",
        version: 1,
        about: "A policy says something else from now on.",
    },
    EventType {
        name: "organization.policy_removed",
        version: 1,
        about: "A policy holds no longer.",
    },
];

impl cqrs_es::DomainEvent for OrganizationEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "organization.created",
            Self::Renamed { .. } => "organization.renamed",
            Self::SlugChanged { .. } => "organization.slug_changed",
            Self::LogoChanged { .. } => "organization.logo_changed",
            Self::BillingContactSet { .. } => "organization.billing_contact_set",
            Self::BillingContactRemoved { .. } => "organization.billing_contact_removed",
            Self::Archived { .. } => "organization.archived",
            Self::BroughtBack { .. } => "organization.brought_back",
            Self::Suspended { .. } => "organization.suspended",
            Self::Unsuspended { .. } => "organization.unsuspended",
            Self::MemberJoined { .. } => "organization.member_joined",
            Self::MemberChanged { .. } => "organization.member_changed",
            Self::MemberRemoved { .. } => "organization.member_removed",
            Self::MemberLeft { .. } => "organization.member_left",
            Self::Transferred { .. } => "organization.transferred",
            Self::InvitationMade { .. } => "organization.invitation_made",
            Self::InvitationResent { .. } => "organization.invitation_resent",
            Self::InvitationAccepted { .. } => "organization.invitation_accepted",
            Self::InvitationDeclined { .. } => "organization.invitation_declined",
            Self::InvitationEnded { .. } => "organization.invitation_ended",
            Self::ApiKeyIssued { .. } => "organization.api_key_issued",
            Self::ApiKeyRotated { .. } => "organization.api_key_rotated",
            Self::ApiKeyRevoked { .. } => "organization.api_key_revoked",
            Self::ApiKeyLeaked { .. } => "organization.api_key_leaked",
            Self::PolicyAdded { .. } => "organization.policy_added",
            Self::PolicyChanged { .. } => "organization.policy_changed",
            Self::PolicyRemoved { .. } => "organization.policy_removed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

fn everything() -> Vec<String> {
    vec![EVERYTHING.to_owned()]
}

fn is_everything(scopes: &[String]) -> bool {
    scopes == [EVERYTHING]
}
