use std::{collections::HashMap, time::Duration};

use domain::{
    Service,
    ids::{OrganizationId, UserId},
    jobs::JobKind,
    organizations::Organization,
    scans::Scan,
    users::{User, own_organization},
};
use journal::{Actor, ExecuteError};
use projections::{
    View,
    jobs::{JobRow, system},
    organizations,
};
use uuid::Uuid;

use super::{BATCH, Failure, Sweeper, note_job, round::Round};
use crate::{
    queue,
    runtime::{JobAggregate, Standing},
};

/// For whom jobs are not to start.
struct Suspects {
    organizations: Vec<OrganizationId>,
    /// By what the queue calls whoever asked: people, and the keys that they issued.
    requesters: HashMap<String, UserId>,
}

impl Sweeper {
    /// Cancels what waits for those who are suspended. Whoever suspends them does so at once; this is for
    /// what was left when that was broken off, and for what came in at the same moment.
    pub(super) async fn cancel_suspended(&mut self, queue: &View) -> Result<(), Failure> {
        let suspects = self.suspects().await?;
        if suspects.organizations.is_empty() && suspects.requesters.is_empty() {
            return Ok(());
        }
        let requesters: Vec<_> = suspects.requesters.keys().cloned().collect();
        let limit = BATCH.unsigned_abs() as u32;
        let waiting =
            system::waiting_of(queue, &suspects.organizations, &requesters, limit).await?;
        for job in &waiting {
            note_job(&job.job_id, self.cancel(&suspects, job).await);
        }
        Ok(())
    }

    async fn suspects(&mut self) -> Result<Suspects, Failure> {
        let view = self.backbone.views.open(organizations::NAME, None, Duration::ZERO).await?;
        let limit = BATCH.unsigned_abs() as u32;
        let after = |round: &Round| round.after().parse().unwrap_or(Uuid::nil());
        let round = &mut self.suspended_organizations;
        let orgs = organizations::suspended_organizations(&view, after(round), limit).await?;
        orgs.last().into_iter().for_each(|org| round.pass(&org.uuid().to_string()));
        round.end_batch(orgs.len());
        let round = &mut self.suspended_users;
        let users = organizations::suspended_users(&view, after(round), limit).await?;
        users.last().into_iter().for_each(|user| round.pass(&user.uuid().to_string()));
        round.end_batch(users.len());
        let keys = match users.is_empty() {
            true => Vec::new(),
            false => organizations::keys_of_all(&view, &users).await?,
        };
        let keys = keys.into_iter().map(|(key, user)| (Actor::ApiKey(key), user));
        let people = users.into_iter().map(|user| (Actor::User(user), user));
        let requesters = people.chain(keys).map(|(actor, user)| (actor.to_string(), user));
        Ok(Suspects { organizations: orgs, requesters: requesters.collect() })
    }

    /// The views may lag: only the log knows whether the suspension still holds.
    async fn cancel(&self, suspects: &Suspects, job: &JobRow) -> Result<(), Failure> {
        let journal = &self.backbone.journal;
        let mut suspended = false;
        if let Some(user) = suspects.requesters.get(&job.requested_by) {
            let (own, id) = (own_organization(*user), user.to_string());
            let account = journal.state::<User>(own, &id).await?;
            suspended = account.is_some_and(|(account, _)| account.suspended);
        }
        let organization = journal.state::<Organization>(job.org, &job.org.to_string()).await?;
        if !suspended && organization.is_none_or(|(organization, _)| !organization.suspended) {
            return Ok(());
        }
        match job.kind {
            JobKind::Scan => self.cancel_as::<Scan>(job).await,
        }
    }

    async fn cancel_as<A: JobAggregate>(&self, job: &JobRow) -> Result<(), Failure> {
        let journal = &self.backbone.journal;
        let Some((state, version)) = journal.state::<A>(job.org, &job.job_id).await? else {
            return Ok(());
        };
        if !matches!(state.standing(), Standing::Waiting { .. }) {
            return Ok(());
        }
        let mut context = queue::context(job, Service::Sweeper);
        // What has started meanwhile goes on.
        context.expected_version = Some(version);
        let command = A::cancel(journal.clock().now());
        match journal.execute::<A>(&context, &job.job_id, command).await {
            Ok(_) => {}
            Err(ExecuteError::VersionMismatch { .. } | ExecuteError::Refused(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        tracing::info!(job = job.job_id, "a job of somebody who is suspended was cancelled");
        self.backbone.logs.end(job.org, &job.job_id).await;
        Ok(())
    }
}
