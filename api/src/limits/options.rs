use std::time::Duration;

use super::{AllowList, GuessOptions, Policy, Quota};

const MINUTE: Duration = Duration::from_secs(60);

/// The quota of each policy, and who has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitOptions {
    pub user: Quota,
    pub address: Quota,
    /// Of keys that have none of their own.
    pub key: Quota,
    /// Of a client address, as are the next three. An account that mail is asked for has it too.
    pub login: Quota,
    pub login_begin: Quota,
    pub sign_up: Quota,
    pub reset: Quota,
    /// Of whoever invites, and of an address that is invited.
    pub invite: Quota,
    pub ai: Quota,
    pub guesses: GuessOptions,
    pub allow: AllowList,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            user: Quota::new(100, MINUTE, 100),
            address: Quota::new(100, 15 * MINUTE, 10),
            key: Quota::new(600, MINUTE, 600),
            login: Quota::new(10, 15 * MINUTE, 5),
            login_begin: Quota::new(30, 15 * MINUTE, 10),
            sign_up: Quota::new(10, 60 * MINUTE, 5),
            reset: Quota::new(10, 60 * MINUTE, 5),
            invite: Quota::new(50, 60 * MINUTE, 20),
            ai: Quota::new(20, MINUTE, 5),
            guesses: GuessOptions::default(),
            allow: AllowList::default(),
        }
    }
}

impl LimitOptions {
    pub(super) fn quota(&self, policy: Policy) -> Quota {
        match policy {
            Policy::User => self.user,
            Policy::Address => self.address,
            Policy::Key => self.key,
            Policy::Login => self.login,
            Policy::LoginBegin => self.login_begin,
            Policy::SignUp => self.sign_up,
            Policy::Reset => self.reset,
            Policy::Invite => self.invite,
            Policy::Ai => self.ai,
        }
    }
}
