use std::{collections::BTreeMap, net::IpAddr};

use domain::{
    Service,
    ids::{ApiKeyId, OrganizationId, UserId},
};
use uuid::Uuid;

/// Who acts. It is recorded with every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    ApiKey(ApiKeyId),
    User(UserId),
    /// Somebody of whom nothing is known yet.
    Anonymous,
    /// A part of the platform that acts by itself, within its kind.
    System(Service),
    /// Whoever runs the command line on the operator's machine.
    Operator,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::System(service) => write!(f, "system:{}", service.as_str()),
            Self::Operator => f.write_str("operator"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no actor")]
pub struct UnknownActor;

impl std::str::FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        match text.split_once(':') {
            Some(("api_key", id)) => id.parse().map(Self::ApiKey).map_err(|_| UnknownActor),
            Some(("user", id)) => id.parse().map(Self::User).map_err(|_| UnknownActor),
            Some(("system", name)) => {
                let service = Service::ALL.into_iter().find(|service| service.as_str() == name);
                service.map(Self::System).ok_or(UnknownActor)
            }
            None if text == "anonymous" => Ok(Self::Anonymous),
            None if text == "operator" => Ok(Self::Operator),
            _ => Err(UnknownActor),
        }
    }
}

/// For whom, by whom and because of what a command is carried out.
#[derive(Debug, Clone)]
pub struct Context {
    pub org: OrganizationId,
    pub actor: Actor,
    /// Shared by everything that follows from one outside request.
    pub correlation_id: Uuid,
    /// The event that led to the command, if one did.
    pub causation_id: Option<Uuid>,
    /// The person or key for whom a part of the platform acts.
    pub on_behalf_of: Option<Actor>,
    /// Where the command came from.
    pub origin: Option<Origin>,
    /// Kept with the events: `request_id`, `traceparent`, `operation`.
    pub metadata: BTreeMap<String, String>,
    pub idempotency: Option<IdempotencyKey>,
    /// The version the caller has seen. A command on another one is refused, never retried.
    pub expected_version: Option<u64>,
}

/// Where a command came from, which tells about whoever gave it.
///
/// Of a person it is sealed under their key. Of anybody else only the network is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// Whose it is, where the actor does not say so.
    pub person: Option<UserId>,
}

/// A key chosen by the client under which a command takes effect once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// Of everything that makes the request what it is.
    pub request_hash: [u8; 32],
}

impl Context {
    pub fn new(org: OrganizationId, actor: Actor, correlation_id: Uuid) -> Self {
        Self {
            org,
            actor,
            correlation_id,
            causation_id: None,
            on_behalf_of: None,
            origin: None,
            metadata: BTreeMap::new(),
            idempotency: None,
            expected_version: None,
        }
    }

    #[must_use]
    pub fn caused_by(mut self, event_id: Uuid) -> Self {
        self.causation_id = Some(event_id);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_comes_back_from_what_events_say() {
        let id = Uuid::from_u128(7);
        let people = [Actor::ApiKey(ApiKeyId::from_uuid(id)), Actor::User(UserId::from_uuid(id))];
        let others = [Actor::Anonymous, Actor::Operator];
        for actor in people.into_iter().chain(others).chain(Service::ALL.map(Actor::System)) {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        for bad in ["", "system:toaster", "user:", "api_key:user_1", "robot:1"] {
            assert_eq!(bad.parse::<Actor>(), Err(UnknownActor), "{bad}");
        }
    }
}
