use std::time::Duration;

use access::{Member, Permissions, Principal};
use domain::Timestamp;
use projections::organizations::{ApiKeyRow, FoundKey, Hold};

use super::{
    acting::{Acting, Condition},
    member::place,
};
use crate::problem::{Code, Problem};

/// A key that was not revoked when it was looked up.
#[derive(Debug)]
pub(crate) struct ValidKey {
    /// Of the secret that was sent.
    pub hash: [u8; 32],
    pub row: ApiKeyRow,
    pub scopes: Permissions,
    pub acting: Acting,
    /// The account of whoever issued it is suspended.
    issuer_suspended: bool,
    /// When the secret ends that was sent.
    ends: Option<(Timestamp, Ending)>,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Expired,
    Replaced,
}

impl ValidKey {
    /// `None` for a revoked one, and for one whose issuer is no member any more.
    pub fn of(found: FoundKey, hash: [u8; 32]) -> Option<Self> {
        let FoundKey { key: row, former, place: standing, archived, hold, policies_position } =
            found;
        if row.revoked_at.is_some() {
            return None;
        }
        // A key that the operator issued acts in the owner's place, and so does one that it issued.
        let member: Member = place(row.org, &standing?);
        let id = row.key_id.to_string();
        let scopes = Permissions::stored(&row.scopes);
        let operator = row.platform.then(|| Principal::Operator { id: id.clone() });
        let issuer = row.issuer.map(|issuer| issuer.to_string());
        let principal = Principal::ApiKey { id, issuer, member, scopes: scopes.clone() };
        let condition = Condition { archived, suspended: hold == Some(Hold::Organization) };
        let acting = Acting::new(row.org, principal, condition, policies_position).run_by(operator);
        let replaced = row.former_valid_until.filter(|_| former);
        let ends = [(row.expires_at, Ending::Expired), (replaced, Ending::Replaced)];
        let ends = ends.into_iter().filter_map(|(end, why)| Some((end?, why)));
        let ends = ends.min_by_key(|(end, _)| *end);
        let issuer_suspended = hold == Some(Hold::Issuer);
        Some(Self { hash, row, scopes, acting, issuer_suspended, ends })
    }

    /// How long it takes until the secret ends by itself.
    pub fn ends_in(&self, now: Timestamp) -> Option<Duration> {
        self.ends.map(|(end, _)| (end - now).to_std().unwrap_or_default())
    }

    pub fn check(&self, now: Timestamp) -> Result<(), Problem> {
        if self.issuer_suspended {
            let detail = "the account of whoever issued the key is suspended";
            return Err(Problem::new(Code::AccountSuspended, detail));
        }
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
