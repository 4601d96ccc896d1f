use std::{sync::Arc, time::Duration};

use access::{Policies, Policy};
use domain::ids::OrganizationId;
use projections::{TenantScope, organizations};
use quick_cache::{Weighter, sync::Cache};
use serde_json::Value;

use crate::{
    problem::{Code, Problem},
    state::App,
};

/// Policies kept compiled, of all organisations together. They weigh some kilobytes each.
const MAX_POLICIES: u64 = 20_000;
const ORGANIZATIONS: usize = 1_000;

/// An organisation, and the position of the last event that changed its policies.
type Version = (OrganizationId, u64);

/// The policies of organisations, compiled once for each version of them.
pub(crate) struct PolicyCache {
    built_in: Arc<Policies>,
    compiled: Cache<Version, Arc<Policies>, Count>,
}

#[derive(Clone)]
struct Count;

impl Weighter<Version, Arc<Policies>> for Count {
    fn weight(&self, _: &Version, policies: &Arc<Policies>) -> u64 {
        policies.len() as u64 + 1
    }
}

impl PolicyCache {
    pub fn new() -> Self {
        let compiled = Cache::with_weighter(ORGANIZATIONS, MAX_POLICIES, Count);
        Self { built_in: Arc::new(Policies::built_in()), compiled }
    }

    /// The policies of the house alone.
    pub fn built_in(&self) -> &Policies {
        &self.built_in
    }

    /// The policies of the organisation, as they were after the event at `changed_at` or later. One
    /// that never had any shares those of the house.
    pub async fn of(
        &self,
        app: &App,
        organization: OrganizationId,
        changed_at: u64,
    ) -> Result<Arc<Policies>, Problem> {
        if changed_at == 0 {
            return Ok(Arc::clone(&self.built_in));
        }
        let version = (organization, changed_at);
        self.compiled.get_or_insert_async(&version, load(app, organization)).await
    }
}

async fn load(app: &App, organization: OrganizationId) -> Result<Arc<Policies>, Problem> {
    let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
    let rows = organizations::all_policies(TenantScope(organization), &view).await?;
    compile(rows.into_iter().map(|row| (row.id.to_string(), row.policy)).collect())
        .await
        .map(Arc::new)
}

/// Policies of an organisation, each under its id, with those of the house.
pub(crate) async fn compile(own: Vec<(String, Value)>) -> Result<Policies, Problem> {
    // Not where it holds up other requests.
    match tokio::task::spawn_blocking(|| checked(own)).await {
        Ok(compiled) => compiled,
        Err(aborted) => Err(Problem::internal(&aborted)),
    }
}

/// What was taken once and is refused today might be a deny, so that nothing is allowed without it.
fn checked(own: Vec<(String, Value)>) -> Result<Policies, Problem> {
    let mut checked = Vec::with_capacity(own.len());
    for (id, policy) in own {
        let policy = Policy::from_json(&policy).map_err(|faults| match faults.first() {
            Some(fault) => Problem::internal(fault),
            None => Problem::new(Code::Internal, "a policy cannot be read"),
        })?;
        checked.push((id, policy));
    }
    Policies::compile(checked).map_err(|error| Problem::internal(&error))
}
