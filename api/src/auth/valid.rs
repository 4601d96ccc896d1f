use std::sync::{Mutex, PoisonError};

use access::{Action, ActionSet, Member, Permissions, Principal, Role};
use domain::Timestamp;
use projections::organizations::{ApiKeyRow, FoundKey};

use crate::problem::{Code, Problem};

/// A key that was not revoked when it was looked up.
#[derive(Debug)]
pub(crate) struct ValidKey {
    pub row: ApiKeyRow,
    pub scopes: Permissions,
    /// Who acts where an organisation's own things are concerned.
    pub principal: Principal,
    /// Who acts where the platform is concerned, for a key of the platform.
    pub operator: Option<Principal>,
    /// Position of the last event about the policies of its organisation.
    pub policies_position: u64,
    /// Actions that the house's own policies are known to allow the key.
    allowed: Mutex<ActionSet>,
    /// When the secret ends that was sent.
    ends: Option<(Timestamp, Ending)>,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Expired,
    Replaced,
}

impl ValidKey {
    /// `None` for a revoked one.
    pub fn of(found: FoundKey) -> Option<Self> {
        let FoundKey { key: row, former, policies_position } = found;
        if row.revoked_at.is_some() {
            return None;
        }
        let id = row.key_id.to_string();
        let scopes = Permissions::stored(&row.scopes);
        // A key that the operator issued acts in the owner's place, and so does one that it issued.
        let member = Member::new(row.org.to_string(), Role::Owner);
        let operator = row.platform.then(|| Principal::Operator { id: id.clone() });
        let principal = Principal::ApiKey { id, issuer: None, member, scopes: scopes.clone() };
        let replaced = row.former_valid_until.filter(|_| former);
        let ends = [(row.expires_at, Ending::Expired), (replaced, Ending::Replaced)];
        let ends = ends.into_iter().filter_map(|(end, why)| Some((end?, why)));
        let ends = ends.min_by_key(|(end, _)| *end);
        let allowed = Mutex::default();
        Some(Self { row, scopes, principal, operator, policies_position, allowed, ends })
    }

    /// Whether the house's own policies, which ask neither for time nor place nor for one resource of
    /// many, decide alone and have allowed this before.
    pub fn was_allowed(&self, action: Action) -> bool {
        let allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        self.policies_position == 0 && allowed.contains(action)
    }

    pub fn note_allowed(&self, action: Action) {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner).extend([action]);
    }

    pub fn check(&self, now: Timestamp) -> Result<(), Problem> {
        match self.ends {
            Some((end, why)) if end <= now => {
                let detail = match why {
                    Ending::Expired => format!("the key expired at {end}"),
                    Ending::Replaced => format!("the secret was replaced, and ended at {end}"),
                };
                Err(Problem::new(Code::KeyExpired, detail))
            }
            _ => Ok(()),
        }
    }
}
