use domain::organizations::OrganizationError;

use crate::problem::{Code, Problem};

impl From<OrganizationError> for Problem {
    fn from(error: OrganizationError) -> Self {
        let text = error.to_string();
        let field = match error {
            OrganizationError::NotFound
            | OrganizationError::UnknownKey
            | OrganizationError::UnknownPolicy => {
                return Self::not_found();
            }
            OrganizationError::Exists
            | OrganizationError::TooManyKeys
            | OrganizationError::TooManyPolicies
            | OrganizationError::RevokedKey => return Self::new(Code::Conflict, text),
            OrganizationError::Name => "name",
            OrganizationError::Slug => "slug",
            OrganizationError::Scopes => "scopes",
            OrganizationError::Expiry => "expires_at",
            OrganizationError::Rate => "requests_per_minute",
            OrganizationError::Overlap => "overlap_s",
            OrganizationError::TooManyZones => "conditions.time.zone",
        };
        Self::new(Code::ValidationFailed, &text).at(field, text)
    }
}
