use domain::organizations::OrganizationError;

use crate::problem::{Code, Problem};

impl From<OrganizationError> for Problem {
    fn from(error: OrganizationError) -> Self {
        let text = error.to_string();
        let field = match error {
            OrganizationError::NotFound
            | OrganizationError::UnknownKey
            | OrganizationError::UnknownPolicy
            | OrganizationError::UnknownMember
            | OrganizationError::UnknownInvitation => return Self::not_found(),
            OrganizationError::Archived => return Self::new(Code::OrganizationArchived, text),
            OrganizationError::LastOwner => return Self::new(Code::LastOwner, text),
            OrganizationError::InvitedTooSoon => {
                return Self::new(Code::TooManyRequests, text).retry_after(60);
            }
            OrganizationError::AboveOwnRole | OrganizationError::NotInvited => {
                return Self::new(Code::Forbidden, text);
            }
            OrganizationError::Suspended => return Self::new(Code::OrganizationSuspended, text),
            OrganizationError::Exists
            | OrganizationError::AlreadyMember
            | OrganizationError::TooManyInvitations
            | OrganizationError::TooManyKeys
            | OrganizationError::TooManyPolicies
            | OrganizationError::RevokedKey => return Self::new(Code::Conflict, text),
            OrganizationError::InvitationLink => "token",
            OrganizationError::Reason => "reason",
            OrganizationError::Name => "name",
            OrganizationError::Slug => "slug",
            OrganizationError::Logo => "logo_url",
            OrganizationError::Permissions => "permissions",
            OrganizationError::Scopes => "scopes",
            OrganizationError::SigningKey => "signing_key",
            OrganizationError::Expiry => "expires_at",
            OrganizationError::Rate => "requests_per_minute",
            OrganizationError::Overlap => "overlap_s",
            OrganizationError::TooManyZones => "conditions.time.zone",
        };
        Self::new(Code::ValidationFailed, &text).at(field, text)
    }
}
