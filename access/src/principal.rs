use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Permissions;

/// What a member of an organisation is there. Each role may do what the ones before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Developer,
    Admin,
    Owner,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Developer, Self::Admin, Self::Owner];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A part of the platform that acts by itself, as `domain::Service` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceKind {
    Dispatcher,
    Worker,
    Sweeper,
    Mailer,
}

impl ServiceKind {
    pub const ALL: [Self; 4] = [Self::Dispatcher, Self::Worker, Self::Sweeper, Self::Mailer];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatcher => "dispatcher",
            Self::Worker => "worker",
            Self::Sweeper => "sweeper",
            Self::Mailer => "mailer",
        }
    }
}

/// A user's place in an organisation, as of the moment that is decided for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub organization: String,
    pub role: Role,
    /// What this member may do on top of the role.
    pub extra: Permissions,
}

impl Member {
    pub fn new(organization: impl Into<String>, role: Role) -> Self {
        Self { organization: organization.into(), role, extra: Permissions::none() }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever has not signed in.
    Guest,
    /// A user, with the membership in the organisation that is acted in, if there is one.
    User { id: String, member: Option<Member> },
    /// An API key. It does what its issuer may do today, within its scopes.
    ApiKey {
        id: String,
        /// The user who issued it. A key that the operator issued has none.
        issuer: Option<String>,
        /// The place its issuer has in the organisation now; the role it was given, without one.
        member: Member,
        scopes: Permissions,
    },
    /// A part of the platform, `worker` `build-3`.
    Service { kind: ServiceKind, name: String },
    /// Whoever runs the platform.
    Operator { id: String },
}

impl Principal {
    pub const fn member(&self) -> Option<&Member> {
        match self {
            Self::User { member, .. } => member.as_ref(),
            Self::ApiKey { member, .. } => Some(member),
            Self::Guest | Self::Service { .. } | Self::Operator { .. } => None,
        }
    }

    /// The name of its own, empty for a guest.
    pub fn id(&self) -> &str {
        match self {
            Self::Guest => "",
            Self::User { id, .. } | Self::ApiKey { id, .. } | Self::Operator { id } => id,
            Self::Service { name, .. } => name,
        }
    }

    /// The names under which a policy may speak of it: its own, and that of the user behind a key.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let issuer = match self {
            Self::ApiKey { issuer, .. } => issuer.as_deref(),
            _ => None,
        };
        std::iter::once(self.id()).chain(issuer)
    }
}
