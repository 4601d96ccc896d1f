use domain::{Timestamp, organizations::Role};
use poem_openapi::{Enum, Object};
use projections::organizations::{MemberRow, Membership, OrganizationRow};

/// What an organisation shows of itself.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct OrganizationRequest {
    /// Shown to people.
    pub name: String,
    /// Small letters, digits and inner hyphens, at most 63. No two organisations have the same.
    pub slug: String,
    /// An `https` address on the internet. It is shown, and never fetched here.
    pub logo_url: Option<String>,
}

#[derive(Debug, Object)]
#[oai(rename = "Organization")]
pub(crate) struct OrganizationView {
    id: String,
    name: String,
    slug: String,
    #[oai(skip_serializing_if_is_none)]
    logo_url: Option<String>,
    created_at: Timestamp,
    /// Since when it can be read and brought back, and nothing else.
    #[oai(skip_serializing_if_is_none)]
    archived_at: Option<Timestamp>,
    /// Since when it shows itself, and nothing else.
    #[oai(skip_serializing_if_is_none)]
    suspended_at: Option<Timestamp>,
}

/// What a member is. Each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "Role")]
pub(crate) enum RoleName {
    Viewer,
    Developer,
    Admin,
    Owner,
}

/// An organisation, and what whoever asks is there.
#[derive(Debug, Object)]
#[oai(rename = "Membership")]
pub(crate) struct MembershipView {
    organization: OrganizationView,
    role: RoleName,
    /// Actions on top of the role.
    permissions: Vec<String>,
    joined_at: Timestamp,
}

#[derive(Debug, Object)]
pub(crate) struct OrganizationList {
    pub organizations: Vec<MembershipView>,
}

#[derive(Debug, Object)]
#[oai(rename = "Member")]
pub(crate) struct MemberView {
    pub user_id: String,
    /// Left out when there is none to show.
    #[oai(skip_serializing_if_is_none)]
    pub name: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub email: Option<String>,
    pub role: RoleName,
    /// Actions on top of the role.
    pub permissions: Vec<String>,
    pub joined_at: Timestamp,
}

#[derive(Debug, Object)]
pub(crate) struct MemberPage {
    pub members: Vec<MemberView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

/// A place in the organisation, all of it.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct MemberRequest {
    pub role: RoleName,
    /// Actions on top of the role: `audit:read`, `keys:*`.
    #[oai(default)]
    pub permissions: Vec<String>,
}

/// Who is to be what.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct InvitationRequest {
    pub email: String,
    pub role: RoleName,
    /// Actions on top of the role: `audit:read`, `keys:*`.
    #[oai(default)]
    pub permissions: Vec<String>,
}

#[derive(Debug, Object)]
#[oai(rename = "Invitation")]
pub(crate) struct InvitationView {
    pub id: String,
    pub email: Option<String>,
    pub role: RoleName,
    /// Actions on top of the role.
    pub permissions: Vec<String>,
    /// The member who made it; left out when a key in the owner's place did.
    #[oai(skip_serializing_if_is_none)]
    pub inviter: Option<String>,
    pub invited_at: Timestamp,
    pub mailed_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug, Object)]
pub(crate) struct InvitationPage {
    pub invitations: Vec<InvitationView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct TransferRequest {
    /// A member, who is an owner then.
    pub user_id: String,
}

#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct BillingContactRequest {
    pub email: String,
    pub name: Option<String>,
}

#[derive(Debug, Object)]
#[oai(rename = "BillingContact")]
pub(crate) struct BillingContactView {
    pub id: String,
    pub email: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub name: Option<String>,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Developer => Self::Developer,
            RoleName::Admin => Self::Admin,
            RoleName::Owner => Self::Owner,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Developer => Self::Developer,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

impl From<OrganizationRow> for OrganizationView {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: row.org.to_string(),
            name: row.name,
            slug: row.slug,
            logo_url: row.logo_url,
            created_at: row.created_at,
            archived_at: row.archived_at,
            suspended_at: row.suspended_at,
        }
    }
}

impl From<Membership> for MembershipView {
    fn from(found: Membership) -> Self {
        let MemberRow { standing, joined_at, .. } = found.member;
        Self {
            organization: found.organization.into(),
            role: standing.role.into(),
            permissions: standing.permissions,
            joined_at,
        }
    }
}
