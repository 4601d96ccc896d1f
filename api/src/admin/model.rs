use domain::Timestamp;
use poem_openapi::{Enum, Object};
use projections::{organizations, users};

use crate::organizations::MembershipView;

/// Why an operator does something.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ReasonRequest {
    /// Kept with what is done; whoever it concerns can read it in their audit log.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum UserState {
    Active,
    /// The address is not confirmed.
    Unverified,
    Suspended,
    Erased,
}

impl From<UserState> for users::Standing {
    fn from(state: UserState) -> Self {
        match state {
            UserState::Active => Self::Active,
            UserState::Unverified => Self::Unverified,
            UserState::Suspended => Self::Suspended,
            UserState::Erased => Self::Erased,
        }
    }
}

/// An account, as operators see it.
#[derive(Debug, Object)]
#[oai(rename = "User")]
pub(crate) struct UserView {
    pub id: String,
    /// Left out of somebody who was erased.
    #[oai(skip_serializing_if_is_none)]
    pub email: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub name: Option<String>,
    pub state: UserState,
    pub email_verified: bool,
    pub signed_up_at: Timestamp,
    #[oai(skip_serializing_if_is_none)]
    pub suspended_at: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    pub suspension_reason: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub erased_at: Option<Timestamp>,
}

#[derive(Debug, Object)]
pub(crate) struct UserPage {
    pub users: Vec<UserView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

/// An account with what belongs to it.
#[derive(Debug, Object)]
pub(crate) struct UserDetails {
    pub user: UserView,
    /// Those that can still be used.
    pub sessions: u64,
    /// Whether signing in by a password takes more than that.
    pub second_factor: bool,
    pub organizations: Vec<MembershipView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum OrganizationState {
    Active,
    Archived,
    Suspended,
}

impl From<OrganizationState> for organizations::OrganizationStanding {
    fn from(state: OrganizationState) -> Self {
        match state {
            OrganizationState::Active => Self::Active,
            OrganizationState::Archived => Self::Archived,
            OrganizationState::Suspended => Self::Suspended,
        }
    }
}

/// An organisation, as operators see it.
#[derive(Debug, Object)]
#[oai(rename = "AnyOrganization")]
pub(crate) struct OrganizationView {
    id: String,
    name: String,
    slug: String,
    state: OrganizationState,
    created_at: Timestamp,
    #[oai(skip_serializing_if_is_none)]
    archived_at: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    suspended_at: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    suspension_reason: Option<String>,
}

#[derive(Debug, Object)]
#[oai(rename = "AnyOrganizationPage")]
pub(crate) struct OrganizationPage {
    pub organizations: Vec<OrganizationView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

impl From<organizations::OrganizationRow> for OrganizationView {
    fn from(row: organizations::OrganizationRow) -> Self {
        let state = match (row.suspended_at, row.archived_at) {
            (Some(_), _) => OrganizationState::Suspended,
            (None, Some(_)) => OrganizationState::Archived,
            (None, None) => OrganizationState::Active,
        };
        Self {
            id: row.org.to_string(),
            name: row.name,
            slug: row.slug,
            state,
            created_at: row.created_at,
            archived_at: row.archived_at,
            suspended_at: row.suspended_at,
            suspension_reason: row.suspension_reason,
        }
    }
}

/// What came of ending somebody's rights.
#[derive(Debug, Object)]
pub(crate) struct Ended {
    /// The user or the organisation.
    pub id: String,
    /// Send it as `Millrace-Min-Position` to read what the command did.
    pub position: u64,
    /// Whether every replica has said that it holds.
    pub everywhere: bool,
    /// How long that took, or how long it was waited for.
    pub after_ms: u64,
    /// How many replicas there are.
    pub replicas: u32,
    /// Jobs that had not started, and will not.
    pub jobs_cancelled: u32,
}

/// The figures of the installation.
#[derive(Debug, Object)]
#[oai(rename = "Overview")]
pub(crate) struct OverviewView {
    /// Accounts that are not erased.
    pub users: u64,
    pub users_suspended: u64,
    pub organizations: u64,
    pub organizations_suspended: u64,
    pub jobs: Vec<JobsView>,
    pub views: Vec<LagView>,
    /// Position of the last event of the log.
    pub position: u64,
    /// Front ends that are alive.
    pub replicas: u32,
    /// Live streams that are open on this one.
    pub streams: u32,
}

/// How many jobs of a kind there are.
#[derive(Debug, Object)]
#[oai(rename = "JobsOverview")]
pub(crate) struct JobsView {
    pub kind: String,
    pub queued: u64,
    pub running: u64,
}

/// How far behind the log a view is.
#[derive(Debug, Object)]
#[oai(rename = "ViewOverview")]
pub(crate) struct LagView {
    pub name: String,
    pub position: u64,
    /// Events that it does not hold yet.
    pub behind: u64,
    pub dead_letters: u64,
}
