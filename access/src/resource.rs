use std::collections::BTreeMap;

/// Whose a kind of resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// An organisation's: its roles and its own policies speak of it.
    Organization,
    /// One user's own.
    Account,
    /// Open to whoever comes, signed in or not.
    Public,
    /// The platform's: operators and services only.
    Platform,
}

impl Area {
    pub const ALL: [Self; 4] = [Self::Organization, Self::Account, Self::Public, Self::Platform];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Account => "account",
            Self::Public => "public",
            Self::Platform => "platform",
        }
    }
}

macro_rules! kinds {
    ($($variant:ident = $name:literal in $area:ident;)*) => {
        /// What something is done to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ResourceKind { $($variant,)* }

        impl ResourceKind {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The first half of the names of its actions, `scans`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub const fn area(self) -> Area {
                match self { $(Self::$variant => Area::$area,)* }
            }

            /// Its entity type in the schema, `Scan`.
            pub const fn entity_type(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }
    };
}

kinds! {
    Organization = "organizations" in Organization;
    Member = "members" in Organization;
    Invitation = "invitations" in Organization;
    Key = "keys" in Organization;
    Policy = "policies" in Organization;
    Access = "access" in Organization;
    Audit = "audit" in Organization;
    Scan = "scans" in Organization;
    Finding = "findings" in Organization;
    Event = "events" in Organization;
    Account = "users" in Account;
    Session = "sessions" in Account;
    Auth = "auth" in Public;
    Health = "health" in Public;
    Metrics = "metrics" in Public;
    Documents = "documents" in Public;
    Projection = "projections" in Platform;
    DeadLetter = "dead_letters" in Platform;
    Admin = "admin" in Platform;
    Limiter = "limiter" in Platform;
    AddressBlock = "address_blocks" in Platform;
    Job = "jobs" in Platform;
    Mail = "mail" in Platform;
}

/// One resource, as far as a decision needs to know it. The kind is the action's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Empty for a collection, or for what is about to be made.
    pub id: String,
    /// The organisation that owns it.
    pub organization: Option<String>,
    /// The user whose own it is: an account, a session, an API key.
    pub owner: Option<String>,
    /// What else is known of it. Policies of organisations may ask for these by name.
    pub attributes: BTreeMap<String, String>,
}

impl Resource {
    /// What the platform has one of, or a collection of it.
    pub fn platform() -> Self {
        Self::default()
    }

    /// A collection of an organisation, or something about to be made in it.
    pub fn of_organization(organization: impl Into<String>) -> Self {
        Self { organization: Some(organization.into()), ..Self::default() }
    }

    /// Something of one user's own.
    pub fn of_user(owner: impl Into<String>) -> Self {
        Self { owner: Some(owner.into()), ..Self::default() }
    }

    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    #[must_use]
    pub fn owned_by(self, owner: impl Into<String>) -> Self {
        Self { owner: Some(owner.into()), ..self }
    }

    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}
