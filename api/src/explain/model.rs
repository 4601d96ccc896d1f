use access::{Considered, Effect, Outcome, PolicyRef, Reason, Tested};
use domain::Timestamp;
use journal::{Recorded, origin};
use poem_openapi::{Enum, Object};

/// Who wants to do what to what.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ExplainRequest {
    /// A member of the organisation. Without it and `key_id` the question is about the caller.
    pub user_id: Option<String>,
    /// A key of the organisation.
    pub key_id: Option<String>,
    /// `scans:create`
    pub action: String,
    /// What it would be done to; left out for a collection, or for what is about to be made.
    pub resource_id: Option<String>,
    /// A position of the log or a time (RFC 3339); left out for now.
    pub as_of: Option<String>,
    #[oai(default)]
    pub circumstances: CircumstancesInput,
}

/// Under which circumstances. What is left out is not known: a condition on it keeps an allow from
/// matching, and does not keep a deny from it.
#[derive(Debug, Default, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct CircumstancesInput {
    /// The moment of the question when left out.
    pub time: Option<Timestamp>,
    /// Of the caller when the question is about them.
    pub address: Option<String>,
    /// Of the caller when the question is about them.
    pub second_factor: Option<bool>,
    /// Of the caller when the question is about them: the name of a provider, `account`, `key`,
    /// `backend` or `operator`.
    pub signed_in_by: Option<String>,
    pub project: Option<String>,
    pub environment: Option<String>,
    /// Whether an operator acts in their place.
    pub impersonated: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "AccessReason")]
pub(crate) enum ReasonName {
    /// A policy allows it and none denies it.
    Allowed,
    /// A policy denies it.
    Denied,
    /// No policy allows it.
    NotAllowed,
    /// It is not a matter of policies: the key ended, or somebody or something is suspended or
    /// archived.
    Barred,
    /// A policy could not be worked out, so that nothing is allowed.
    Undecidable,
}

impl From<Reason> for ReasonName {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Allowed => Self::Allowed,
            Reason::Denied => Self::Denied,
            Reason::NotAllowed => Self::NotAllowed,
            Reason::Undecidable => Self::Undecidable,
        }
    }
}

/// What the answer rests on.
#[derive(Debug, Object)]
pub(crate) struct Decider {
    /// `viewer/scans:read` and the like of the house, an id of a policy of the organisation, or what
    /// bars it: `key-revoked`, `key-expired`, `key-unknown`, `issuer-gone`, `account-suspended`,
    /// `organization-suspended`, `organization-archived`.
    pub id: String,
    /// The name that the organisation gave its policy.
    #[oai(skip_serializing_if_is_none)]
    pub name: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "ConditionOutcome")]
pub(crate) enum OutcomeName {
    Met,
    NotMet,
    NotKnown,
}

/// A condition of a policy, and what it met.
#[derive(Debug, Object)]
pub(crate) struct ConditionView {
    pub text: String,
    pub outcome: OutcomeName,
    #[oai(skip_serializing_if_is_none)]
    pub met: Option<String>,
}

/// A policy about the action and whoever acts.
#[derive(Debug, Object)]
pub(crate) struct ConsideredView {
    pub id: String,
    #[oai(skip_serializing_if_is_none)]
    pub name: Option<String>,
    pub text: String,
    pub denies: bool,
    pub matched: bool,
    pub conditions: Vec<ConditionView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "GroundKind")]
pub(crate) enum GroundKind {
    Membership,
    ApiKey,
    Policy,
    Organization,
    Account,
}

/// A fact that the answer rests on, and the events that made it so.
#[derive(Debug, Object)]
#[oai(rename = "Ground")]
pub(crate) struct GroundView {
    pub kind: GroundKind,
    /// Of the user, the key, the policy or the organisation.
    pub id: String,
    pub events: Vec<Trace>,
}

/// An event of the log.
#[derive(Debug, Clone, Object)]
#[oai(rename = "GroundEvent")]
pub(crate) struct Trace {
    pub position: u64,
    pub event_id: String,
    #[oai(rename = "type")]
    pub event_type: String,
    pub recorded_at: Timestamp,
    /// Who did it.
    pub actor: String,
    #[oai(skip_serializing_if_is_none)]
    pub on_behalf_of: Option<String>,
}

impl From<&Recorded> for Trace {
    fn from(event: &Recorded) -> Self {
        Self {
            position: event.position,
            event_id: event.event_id.to_string(),
            event_type: event.event_type.clone(),
            recorded_at: event.recorded_at,
            actor: event.actor.clone(),
            on_behalf_of: event.metadata.get(origin::ON_BEHALF_OF).cloned(),
        }
    }
}

#[derive(Debug, Object)]
#[oai(rename = "AccessExplanation")]
pub(crate) struct ExplanationView {
    pub allowed: bool,
    pub reason: ReasonName,
    /// The answer in a sentence.
    pub summary: String,
    pub decided_by: Vec<Decider>,
    pub grounds: Vec<GroundView>,
    /// Everything that was looked at, for callers who may `policies:read`.
    pub considered: Vec<ConsideredView>,
    /// Of the last event of the organisation that was taken into account.
    pub position: u64,
    /// The moment that is answered for.
    pub at: Timestamp,
}

pub(super) fn id_of(policy: &PolicyRef) -> String {
    match policy {
        PolicyRef::BuiltIn(id) => id.clone(),
        PolicyRef::Organization(id) => id.to_string(),
    }
}

impl From<&Considered> for Decider {
    fn from(policy: &Considered) -> Self {
        let (name, text) = (policy.name.clone(), policy.text.clone());
        Self { id: id_of(&policy.policy), name, text }
    }
}

impl From<Considered> for ConsideredView {
    fn from(policy: Considered) -> Self {
        Self {
            id: id_of(&policy.policy),
            name: policy.name,
            text: policy.text,
            denies: policy.effect == Effect::Deny,
            matched: policy.matched,
            conditions: policy.conditions.into_iter().map(ConditionView::from).collect(),
        }
    }
}

impl From<Tested> for ConditionView {
    fn from(tested: Tested) -> Self {
        let outcome = match tested.outcome {
            Outcome::Holds => OutcomeName::Met,
            Outcome::Fails => OutcomeName::NotMet,
            Outcome::Unknown => OutcomeName::NotKnown,
        };
        Self { text: tested.text, outcome, met: tested.met }
    }
}
