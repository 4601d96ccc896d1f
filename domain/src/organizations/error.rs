use super::{
    MAX_EXTRA_PERMISSIONS, MAX_ISSUED_KEYS, MAX_PENDING_INVITATIONS, MAX_POLICIES, MAX_ZONES,
    keys::{MAX_OVERLAP, MAX_REQUESTS_PER_MINUTE, MAX_SCOPES},
    settings::{MAX_LOGO_BYTES, MAX_NAME_CHARS},
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationError {
    #[error("there is no such organisation")]
    NotFound,
    #[error("an organisation with this id exists already")]
    Exists,
    #[error("the organisation is archived; an owner can bring it back")]
    Archived,
    #[error("the organisation is suspended; ask the operator")]
    Suspended,
    #[error(
        "a reason has 1 to {} characters, none of them a control character",
        crate::reason::MAX_REASON_CHARS
    )]
    Reason,
    #[error("a name has 1 to {MAX_NAME_CHARS} characters, none of them a control character")]
    Name,
    #[error("a slug has 1 to 63 characters: small letters, digits and inner hyphens")]
    Slug,
    #[error(
        "a logo has an address of at most {MAX_LOGO_BYTES} bytes: `https`, a public name without port, user or fragment"
    )]
    Logo,
    #[error("there is no such member")]
    UnknownMember,
    #[error("nobody can give, change or take away a place above their own")]
    AboveOwnRole,
    #[error(
        "the last owner stays: make another member an owner first, or hand the organisation on"
    )]
    LastOwner,
    #[error("a member has at most {MAX_EXTRA_PERMISSIONS} extra permissions")]
    Permissions,
    #[error("whoever has this address is a member already")]
    AlreadyMember,
    #[error("there is no such invitation, or it was answered or has ended")]
    UnknownInvitation,
    #[error("the link was used or replaced, or has expired")]
    InvitationLink,
    #[error("the invitation is for another address than the one of this account")]
    NotInvited,
    #[error("this address was mailed a moment ago; wait a minute")]
    InvitedTooSoon,
    #[error("at most {MAX_PENDING_INVITATIONS} invitations wait for an answer at the same time")]
    TooManyInvitations,
    #[error("an organisation is issued at most {MAX_ISSUED_KEYS} API keys in all")]
    TooManyKeys,
    #[error("there is no such API key")]
    UnknownKey,
    #[error("the API key is revoked")]
    RevokedKey,
    #[error("there is no such policy")]
    UnknownPolicy,
    #[error("an organisation has at most {MAX_POLICIES} policies")]
    TooManyPolicies,
    #[error("the policies of an organisation name at most {MAX_ZONES} time zones between them")]
    TooManyZones,
    #[error("a key has 1 to {MAX_SCOPES} scopes")]
    Scopes,
    #[error("a signing key is the public half of an Ed25519 key")]
    SigningKey,
    #[error("a key expires in the future")]
    Expiry,
    #[error("a key has a limit of 1 to {MAX_REQUESTS_PER_MINUTE} requests a minute")]
    Rate,
    #[error("the former secret is valid for at most {} more days", MAX_OVERLAP.num_days())]
    Overlap,
}
