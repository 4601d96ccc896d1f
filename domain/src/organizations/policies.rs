use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    MAX_POLICIES, MAX_ZONES, Organization, OrganizationError, OrganizationEvent, command::Decided,
};
use crate::{Decision, Timestamp, ids::PolicyId};

pub(super) fn add(
    state: &Organization,
    policy_id: PolicyId,
    policy: Value,
    now: Timestamp,
) -> Decided {
    if state.policies.contains_key(&policy_id.to_string()) {
        return Ok(Decision::AlreadyApplied);
    }
    if state.policies.len() >= MAX_POLICIES {
        return Err(OrganizationError::TooManyPolicies);
    }
    check_zones(state, policy_id, &policy)?;
    Ok(Decision::one(OrganizationEvent::PolicyAdded { policy_id, policy, added_at: now }))
}

pub(super) fn change(
    state: &Organization,
    policy_id: PolicyId,
    policy: Value,
    now: Timestamp,
) -> Decided {
    check_known(state, policy_id)?;
    check_zones(state, policy_id, &policy)?;
    Ok(Decision::one(OrganizationEvent::PolicyChanged { policy_id, policy, changed_at: now }))
}

pub(super) fn remove(state: &Organization, policy_id: PolicyId, now: Timestamp) -> Decided {
    check_known(state, policy_id)?;
    Ok(Decision::one(OrganizationEvent::PolicyRemoved { policy_id, removed_at: now }))
}

fn check_known(state: &Organization, id: PolicyId) -> Result<(), OrganizationError> {
    let known = state.policies.contains_key(&id.to_string());
    known.then_some(()).ok_or(OrganizationError::UnknownPolicy)
}

/// Every decision looks at a clock for each zone.
fn check_zones(
    state: &Organization,
    id: PolicyId,
    policy: &Value,
) -> Result<(), OrganizationError> {
    let id = id.to_string();
    let others = state.policies.iter().filter(|(other, _)| **other != id);
    let others = others.filter_map(|(_, zone)| zone.as_deref());
    let zones: BTreeSet<_> = others.chain(zone(policy)).collect();
    if zones.len() > MAX_ZONES { Err(OrganizationError::TooManyZones) } else { Ok(()) }
}

/// The time zone that a policy names.
pub(super) fn zone(policy: &Value) -> Option<&str> {
    policy.pointer("/conditions/time/zone").and_then(Value::as_str)
}
