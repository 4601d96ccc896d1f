use std::time::Duration;

use super::{AllowList, Policy, Quota};

const MINUTE: Duration = Duration::from_secs(60);

/// The quota of each policy, and who has none.
#[derive(Debug, Clone)]
pub struct LimitOptions {
    pub user: Quota,
    pub address: Quota,
    /// Of keys that have none of their own.
    pub key: Quota,
    pub login: Quota,
    pub reset: Quota,
    pub ai: Quota,
    pub allow: AllowList,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            user: Quota::new(100, MINUTE, 100),
            address: Quota::new(100, 15 * MINUTE, 10),
            key: Quota::new(600, MINUTE, 600),
            login: Quota::new(10, 15 * MINUTE, 5),
            reset: Quota::new(5, 60 * MINUTE, 3),
            ai: Quota::new(20, MINUTE, 5),
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
            Policy::Reset => self.reset,
            Policy::Ai => self.ai,
        }
    }
}
