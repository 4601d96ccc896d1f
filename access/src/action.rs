//! Everything that can be asked for, under one name each.

use std::{fmt, str::FromStr};

use crate::resource::{
    Area,
    ResourceKind::{self, *},
};

macro_rules! actions {
    ($($variant:ident = $name:literal on $kind:ident, $about:literal;)*) => {
        /// What someone wants to do, named `<resource>:<verb>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Action {
            $(#[doc = $about] $variant,)*
        }

        impl Action {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// `scans:create`
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kind of resource it is done to.
            pub const fn resource(self) -> ResourceKind {
                match self { $(Self::$variant => $kind,)* }
            }

            /// The action in words that follow "may": `ask for a scan`.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

actions! {
    OrganizationsCreate = "organizations:create" on Organization, "make an organisation";
    OrganizationsRead = "organizations:read" on Organization, "read the organisation";
    OrganizationsUpdate = "organizations:update" on Organization, "change the organisation's name and settings";
    OrganizationsArchive = "organizations:archive" on Organization, "archive the organisation or bring it back";
    OrganizationsTransfer = "organizations:transfer" on Organization, "hand the organisation to another owner";

    MembersInvite = "members:invite" on Member, "invite someone into the organisation";
    MembersRead = "members:read" on Member, "see who is a member";
    MembersUpdate = "members:update" on Member, "change a member's role or extra permissions";
    MembersRemove = "members:remove" on Member, "remove a member";
    MembersLeave = "members:leave" on Member, "leave the organisation";

    InvitationsRead = "invitations:read" on Invitation, "see the open invitations";
    InvitationsRevoke = "invitations:revoke" on Invitation, "take an invitation back";
    InvitationsAnswer = "invitations:answer" on Invitation, "accept or decline an invitation";

    KeysCreate = "keys:create" on Key, "issue an API key";
    KeysRead = "keys:read" on Key, "see the API keys";
    KeysUpdate = "keys:update" on Key, "rename or rotate an API key";
    KeysRevoke = "keys:revoke" on Key, "revoke an API key";

    PoliciesCreate = "policies:create" on Policy, "add a policy";
    PoliciesRead = "policies:read" on Policy, "read the policies";
    PoliciesUpdate = "policies:update" on Policy, "change a policy";
    PoliciesDelete = "policies:delete" on Policy, "remove a policy";

    AccessExplain = "access:explain" on Access, "ask why they may or may not do something";
    AccessExplainOthers = "access:explain_others" on Access, "ask why someone else may or may not do something";

    AuditRead = "audit:read" on Audit, "read the audit log";
    AuditExport = "audit:export" on Audit, "export the audit log";
    AuditReadPersonal = "audit:read_personal" on Audit, "see personal data in the audit log";

    ScansCreate = "scans:create" on Scan, "ask for a scan";
    ScansRead = "scans:read" on Scan, "read scans, their logs and reports";
    ScansCancel = "scans:cancel" on Scan, "cancel a scan";
    FindingsRead = "findings:read" on Finding, "read findings";
    EventsRead = "events:read" on Event, "read and follow the organisation's events";

    UsersRead = "users:read" on Account, "read their own account";
    UsersUpdate = "users:update" on Account, "change their own profile";
    UsersChangeEmail = "users:change_email" on Account, "change their own email address";
    UsersChangePassword = "users:change_password" on Account, "change their own password";
    UsersSecondFactor = "users:second_factor" on Account, "set up or remove their own second factor";
    UsersIdentities = "users:identities" on Account, "link or unlink their own outside identities";
    UsersExport = "users:export" on Account, "export what is kept about them";
    UsersErase = "users:erase" on Account, "erase their own account";
    SessionsRead = "sessions:read" on Session, "see their own sessions";
    SessionsRevoke = "sessions:revoke" on Session, "end their own sessions";

    AuthSignUp = "auth:sign_up" on Auth, "sign up";
    AuthBegin = "auth:begin" on Auth, "begin to sign in";
    AuthSignIn = "auth:sign_in" on Auth, "sign in";
    AuthRefresh = "auth:refresh" on Auth, "renew a session with its refresh token";
    AuthSignOut = "auth:sign_out" on Auth, "sign out";
    AuthVerify = "auth:verify" on Auth, "prove that an email address is theirs";
    AuthReportLeak = "auth:report_leak" on Auth, "report the secret of a key that leaked";
    AuthRecover = "auth:recover" on Auth, "recover an account whose password is lost";

    HealthRead = "health:read" on Health, "ask whether the service is well";
    MetricsRead = "metrics:read" on Metrics, "read the service's metrics";
    DocumentsRead = "documents:read" on Documents, "read the API's documents";

    ProjectionsRead = "projections:read" on Projection, "see the projections";
    ProjectionsRebuild = "projections:rebuild" on Projection, "rebuild a projection";
    ProjectionsSwitch = "projections:switch" on Projection, "switch a projection to another version";
    DeadLettersRead = "dead_letters:read" on DeadLetter, "see the dead letters";
    DeadLettersReplay = "dead_letters:replay" on DeadLetter, "replay a dead letter";
    DeadLettersDiscard = "dead_letters:discard" on DeadLetter, "discard a dead letter";

    AdminUsersRead = "admin:read_users" on Admin, "search and read users";
    AdminUsersSuspend = "admin:suspend_users" on Admin, "suspend users or bring them back";
    AdminUsersRecover = "admin:recover_users" on Admin, "end a user's sessions and reset their second factor";
    AdminOrganizationsRead = "admin:read_organizations" on Admin, "search and read organisations";
    AdminOrganizationsSuspend = "admin:suspend_organizations" on Admin, "suspend organisations or bring them back";
    AdminImpersonate = "admin:impersonate" on Admin, "act as a user for a while";
    AdminAuditRead = "admin:read_audit" on Admin, "read the audit log of the platform";
    AdminOverviewRead = "admin:read_overview" on Admin, "see the figures of the platform";
    LimiterRead = "limiter:read" on Limiter, "see whom the limiter holds back";
    LimiterReset = "limiter:reset" on Limiter, "let someone go whom the limiter holds back";
    AddressBlocksRead = "address_blocks:read" on AddressBlock, "see the blocked addresses";
    AddressBlocksCreate = "address_blocks:create" on AddressBlock, "block an address";
    AddressBlocksDelete = "address_blocks:delete" on AddressBlock, "unblock an address";

    JobsRelease = "jobs:release" on Job, "release queued jobs";
    JobsRun = "jobs:run" on Job, "claim jobs and report on them";
    JobsReclaim = "jobs:reclaim" on Job, "take jobs back from workers that are gone";
    MailSend = "mail:send" on Mail, "send mail";
}

impl Action {
    /// Whether an organisation has a say in it: its policies, the scopes of its keys and the extra
    /// permissions of its members can name it. Whoever makes an organisation or answers an
    /// invitation is not a member yet.
    pub const fn is_governed(self) -> bool {
        matches!(self.resource().area(), Area::Organization)
            && !matches!(self, Self::OrganizationsCreate | Self::InvitationsAnswer)
    }

    /// `create` of `scans:create`.
    pub fn verb(self) -> &'static str {
        self.name().split_once(':').map_or("", |(_, verb)| verb)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such action")]
pub struct UnknownAction;

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(name: &str) -> Result<Self, UnknownAction> {
        Self::ALL.iter().copied().find(|action| action.name() == name).ok_or(UnknownAction)
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActionSet(u128);

const _: () = assert!(Action::ALL.len() <= u128::BITS as usize);

impl ActionSet {
    pub const fn contains(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.iter().copied().filter(move |action| self.contains(*action))
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Extend<Action> for ActionSet {
    fn extend<I: IntoIterator<Item = Action>>(&mut self, actions: I) {
        actions.into_iter().for_each(|action| self.0 |= 1 << action as u8);
    }
}

impl FromIterator<Action> for ActionSet {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        let mut set = Self::default();
        set.extend(actions);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_named_after_its_kind_of_resource_and_found_by_that_name() {
        for action in Action::ALL.iter().copied() {
            let (resource, verb) = action.name().split_once(':').unwrap();
            assert_eq!(resource, action.resource().name());
            assert_eq!(verb, action.verb());
            assert_eq!(action.name().parse(), Ok(action));
        }
        assert_eq!("scans:fly".parse::<Action>(), Err(UnknownAction));
    }

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let set: ActionSet = [Action::ScansRead, Action::MailSend].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Action::ScansRead, Action::MailSend]);
        assert!(!set.contains(Action::ScansCreate) && ActionSet::default().is_empty());
    }
}
