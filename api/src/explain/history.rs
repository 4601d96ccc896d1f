use std::collections::BTreeMap;

use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId, PolicyId, UserId},
    organizations::{self, OrganizationEvent, Role},
    users::{self, UserEvent, own_organization},
};
use journal::{Filter, Journal, Recorded};
use projections::{organizations::Standing, scans::AsOf};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::model::Trace;
use crate::{auth::Condition, problem::Problem};

/// Events read at a time.
const PAGE: u32 = 500;

/// Events that tell something of every question. All others of an organisation are left where they are.
const READ: [&str; 12] = [
    "organization.archived",
    "organization.brought_back",
    "organization.member_changed",
    "organization.member_joined",
    "organization.member_left",
    "organization.member_removed",
    "organization.policy_added",
    "organization.policy_changed",
    "organization.policy_removed",
    "organization.suspended",
    "organization.transferred",
    "organization.unsuspended",
];
/// Those that tell something where keys are asked about. An organisation has more of them than of all others.
const OF_KEYS: [&str; 4] = [
    "organization.api_key_issued",
    "organization.api_key_leaked",
    "organization.api_key_revoked",
    "organization.api_key_rotated",
];

/// A fact, and the events that made it what it is.
#[derive(Debug)]
pub(super) struct Fact<T> {
    pub value: T,
    pub events: Vec<Trace>,
}

#[derive(Debug, Default)]
pub(super) struct KeyFact {
    pub scopes: Vec<String>,
    pub issuer: Option<UserId>,
    pub platform: bool,
    pub expires_at: Option<Timestamp>,
    pub revoked: bool,
}

/// An organisation as it was at a point of the log.
#[derive(Debug, Default)]
pub(super) struct History {
    pub condition: Fact<Condition>,
    /// Nothing where somebody is a member no longer.
    pub members: BTreeMap<UserId, Fact<Option<Standing>>>,
    pub keys: BTreeMap<ApiKeyId, Fact<KeyFact>>,
    pub policies: BTreeMap<PolicyId, Fact<Option<Value>>>,
    /// Of the last event that was taken up.
    pub position: u64,
    pub at: Option<Timestamp>,
}

impl<T: Default> Default for Fact<T> {
    fn default() -> Self {
        Self { value: T::default(), events: Vec::new() }
    }
}

impl<T> Fact<T> {
    fn becomes(&mut self, value: T, event: &Recorded) {
        self.value = value;
        self.events.push(event.into());
    }
}

impl History {
    /// Without the keys where the question is about none.
    pub async fn read(
        journal: &Journal,
        org: OrganizationId,
        with_keys: bool,
        until: Option<AsOf>,
    ) -> Result<Self, Problem> {
        let of_keys = if with_keys { &OF_KEYS[..] } else { &[] };
        let filter = Filter {
            org: Some(org),
            aggregate: Some((organizations::TYPE, org.to_string())),
            event_types: READ.iter().chain(of_keys).map(|&name| name.to_owned()).collect(),
        };
        let mut history = Self::default();
        each(journal, &filter, until, |recorded, event| {
            history.fold(recorded, &event);
        })
        .await?;
        Ok(history)
    }

    /// Gives whether the event tells something.
    fn fold(&mut self, recorded: &Recorded, event: &OrganizationEvent) -> bool {
        (self.position, self.at) = (recorded.position, Some(recorded.recorded_at));
        match event {
            OrganizationEvent::Archived { .. } => {
                self.condition(recorded, |condition| condition.archived = true);
            }
            OrganizationEvent::BroughtBack { .. } => {
                self.condition(recorded, |condition| condition.archived = false);
            }
            OrganizationEvent::Suspended { .. } => {
                self.condition(recorded, |condition| condition.suspended = true);
            }
            OrganizationEvent::Unsuspended { .. } => {
                self.condition(recorded, |condition| condition.suspended = false);
            }
            OrganizationEvent::MemberJoined { user_id, role, permissions, .. }
            | OrganizationEvent::MemberChanged { user_id, role, permissions, .. } => {
                let standing = Standing { role: *role, permissions: permissions.clone() };
                self.members.entry(*user_id).or_default().becomes(Some(standing), recorded);
            }
            OrganizationEvent::MemberRemoved { user_id, .. }
            | OrganizationEvent::MemberLeft { user_id, .. } => {
                self.members.entry(*user_id).or_default().becomes(None, recorded);
            }
            OrganizationEvent::Transferred { to, from, .. } => {
                let former = from.map(|from| (from, Role::Admin));
                for (user, role) in former.into_iter().chain([(*to, Role::Owner)]) {
                    let member = self.members.entry(user).or_default();
                    let permissions = member.value.take().map(|former| former.permissions);
                    let permissions = permissions.unwrap_or_default();
                    member.becomes(Some(Standing { role, permissions }), recorded);
                }
            }
            OrganizationEvent::ApiKeyIssued {
                key_id,
                platform,
                scopes,
                expires_at,
                issuer,
                ..
            } => {
                let key = KeyFact {
                    scopes: scopes.clone(),
                    issuer: *issuer,
                    platform: *platform,
                    expires_at: *expires_at,
                    revoked: false,
                };
                self.keys.entry(*key_id).or_default().becomes(key, recorded);
            }
            OrganizationEvent::ApiKeyRevoked { key_id, .. } => {
                let key = self.keys.entry(*key_id).or_default();
                key.value.revoked = true;
                key.events.push(recorded.into());
            }
            OrganizationEvent::ApiKeyRotated { key_id, .. }
            | OrganizationEvent::ApiKeyLeaked { key_id, .. } => {
                self.keys.entry(*key_id).or_default().events.push(recorded.into());
            }
            OrganizationEvent::PolicyAdded { policy_id, policy, .. }
            | OrganizationEvent::PolicyChanged { policy_id, policy, .. } => {
                let policy = Some(policy.clone());
                self.policies.entry(*policy_id).or_default().becomes(policy, recorded);
            }
            OrganizationEvent::PolicyRemoved { policy_id, .. } => {
                self.policies.entry(*policy_id).or_default().becomes(None, recorded);
            }
            OrganizationEvent::Created { .. }
            | OrganizationEvent::Renamed { .. }
            | OrganizationEvent::SlugChanged { .. }
            | OrganizationEvent::LogoChanged { .. }
            | OrganizationEvent::BillingContactSet { .. }
            | OrganizationEvent::BillingContactRemoved { .. }
            | OrganizationEvent::InvitationMade { .. }
            | OrganizationEvent::InvitationResent { .. }
            | OrganizationEvent::InvitationAccepted { .. }
            | OrganizationEvent::InvitationDeclined { .. }
            | OrganizationEvent::InvitationEnded { .. } => return false,
        }
        true
    }

    fn condition(&mut self, recorded: &Recorded, change: impl FnOnce(&mut Condition)) {
        change(&mut self.condition.value);
        self.condition.events.push(recorded.into());
    }
}

/// Whether the account was suspended.
pub(super) async fn suspension(
    journal: &Journal,
    user: UserId,
    until: Option<AsOf>,
) -> Result<Fact<bool>, Problem> {
    let filter = Filter {
        org: Some(own_organization(user)),
        aggregate: Some((users::TYPE, user.to_string())),
        event_types: ["user.suspended", "user.unsuspended"].map(str::to_owned).to_vec(),
    };
    let mut suspended = Fact::default();
    each(journal, &filter, until, |recorded, event| {
        suspended.becomes(matches!(event, UserEvent::Suspended { .. }), recorded);
    })
    .await?;
    Ok(suspended)
}

async fn each<E: DeserializeOwned>(
    journal: &Journal,
    filter: &Filter,
    until: Option<AsOf>,
    mut take: impl FnMut(&Recorded, E),
) -> Result<(), Problem> {
    let mut after = 0;
    loop {
        let page = journal.read(after, filter, PAGE).await?;
        for recorded in &page {
            let reached = match until {
                None => true,
                Some(AsOf::Position(last)) => recorded.position <= last,
                Some(AsOf::Time(last)) => recorded.recorded_at <= last,
            };
            if !reached {
                return Ok(());
            }
            let events = recorded.decode_as::<E>().map_err(|error| Problem::internal(&error))?;
            events.into_iter().for_each(|event| take(recorded, event));
            after = recorded.position;
        }
        if page.len() < PAGE as usize {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::value::to_raw_value;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_tells_something_is_read_and_nothing_else() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden");
        let mut read = 0;
        for file in fs::read_dir(golden).unwrap() {
            let path = file.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let (name, version) = stem.rsplit_once(".v").unwrap();
            if !name.starts_with("organization.") {
                continue;
            }
            let payload: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let recorded = Recorded {
                position: 1,
                event_id: Uuid::nil(),
                org: OrganizationId::from_uuid(Uuid::nil()),
                aggregate_type: organizations::TYPE.to_owned(),
                aggregate_id: String::new(),
                sequence: 1,
                event_type: name.to_owned(),
                event_version: version.parse().unwrap(),
                payload: to_raw_value(&payload).unwrap().into(),
                metadata: BTreeMap::new(),
                recorded_at: Timestamp::UNIX_EPOCH,
                command_id: Uuid::nil(),
                correlation_id: Uuid::nil(),
                causation_id: None,
                actor: String::new(),
            };
            let events = recorded.decode_as::<OrganizationEvent>().unwrap();
            let tells = events.iter().any(|event| History::default().fold(&recorded, event));
            let is_read = READ.iter().chain(&OF_KEYS).any(|known| *known == name);
            assert_eq!(tells, is_read, "{name}");
            read += usize::from(is_read);
        }
        assert_eq!(read, READ.len() + OF_KEYS.len());
    }
}
