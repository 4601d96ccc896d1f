use std::{hash::BuildHasher, sync::Arc, time::Duration};

use cqrs_es::DomainEvent;
use domain::{Decide, Decision, Service, Timestamp, ids::OrganizationId};
use rand::Rng;
use serde_json::value::to_raw_value;
use tokio::sync::MutexGuard;
use uuid::Uuid;

use crate::{
    Actor, AppendError, AppendRequest, Context, Journal, LoadError, NewEvent, PersonalError,
    StoredResult,
    append::Standing,
    idempotency::{self, Found},
    load::{self, Loaded},
};

/// A version conflict is retried this often before it is shown to the caller.
const ATTEMPTS: u32 = 8;
/// Events between two snapshots of one aggregate: folding fewer costs less than reading one.
const SNAPSHOT_EVERY: u64 = 100;

pub(crate) type Turn<'a> = MutexGuard<'a, ()>;

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub aggregate_id: String,
    /// Position of the last event of the aggregate.
    pub position: u64,
    /// Sequence of the last event of the aggregate.
    pub sequence: u64,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Events were appended.
    Applied,
    /// The state already was as asked for.
    AlreadyApplied,
    /// The idempotency key was used before: this is what came of it then.
    Replayed,
}

#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<E: std::error::Error + 'static> {
    /// The rules of the aggregate say no.
    #[error(transparent)]
    Refused(E),
    /// A part of the platform acts outside its kind. It is a fault of this program.
    #[error("the {} does not give such commands to a {aggregate}", .service.as_str())]
    OutsideItsKind { service: Service, aggregate: &'static str },
    /// The aggregate belongs to another organisation; to the caller it does not exist.
    #[error("the aggregate belongs to another organisation")]
    OtherOrganization,
    #[error("the aggregate is at version {actual}, not at version {expected}")]
    VersionMismatch { expected: u64, actual: u64 },
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Personal(#[from] PersonalError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("an event could not be written as JSON")]
    Encode(#[from] serde_json::Error),
}

impl Journal {
    /// Carries out a command on one aggregate: load, decide, append. The one way in.
    ///
    /// A version conflict is retried on the newer state, unless the caller pinned a version.
    pub async fn execute<A>(
        &self,
        context: &Context,
        id: &str,
        command: A::Command,
    ) -> Result<Committed, ExecuteError<A::Error>>
    where
        A: Decide,
    {
        if let Actor::System(service) = context.actor
            && !A::serves(service, &command)
        {
            return Err(ExecuteError::OutsideItsKind { service, aggregate: A::TYPE });
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            let turn = self.turn::<A>(id).await;
            match self.attempt::<A>(context, id, command.clone(), attempt == 1, turn).await {
                Err(ExecuteError::Append(AppendError::Conflict { .. }))
                    if attempt < ATTEMPTS && context.expected_version.is_none() =>
                {
                    let jitter = rand::rng().random_range(1..=1 << attempt.min(6));
                    tokio::time::sleep(Duration::from_millis(jitter)).await;
                }
                Err(ExecuteError::Append(AppendError::Conflict { expected }))
                    if context.expected_version.is_some() =>
                {
                    self.inner.cache.remove(A::TYPE, id);
                    let actual = self.load::<A>(context.org, id).await?.version;
                    return Err(ExecuteError::VersionMismatch { expected, actual });
                }
                Err(ExecuteError::Append(AppendError::Duplicate(result))) => {
                    return Ok(replayed(*result));
                }
                other => return other,
            }
        }
    }

    /// Commands of this process on one aggregate take turns instead of conflicting in the log.
    pub(crate) async fn turn<A: Decide>(&self, id: &str) -> Turn<'_> {
        let stripe = self.inner.hasher.hash_one((A::TYPE, id)) as usize % self.inner.stripes.len();
        self.inner.stripes[stripe].lock().await
    }

    /// The first attempt is decided on what the commands before it leave, and passes the turn on, before
    /// any of them is in the log. If one of them is refused, so is it, and later attempts keep the turn
    /// until they know.
    async fn attempt<A>(
        &self,
        context: &Context,
        id: &str,
        command: A::Command,
        first: bool,
        turn: Turn<'_>,
    ) -> Result<Committed, ExecuteError<A::Error>>
    where
        A: Decide,
    {
        let mut turn = Some(turn);
        let eager = first && context.expected_version.is_none();
        let known = if eager {
            let known = self.inner.cache.get::<A>(id);
            known.filter(|known| known.fate.standing() != Standing::Refused)
        } else {
            self.settled::<A>(id).await.filter(|_| first)
        };
        let (mut loaded, cached) = match known {
            Some(loaded) => (loaded, true),
            // What a state without events accepts needs no read: when the aggregate is there after
            // all, the append refuses it and the next attempt reads.
            None if first && creates::<A>(context, &command) => (Arc::new(Loaded::empty()), false),
            None => (Arc::new(self.load::<A>(context.org, id).await?), false),
        };
        let mut decision = decide(&loaded, context, command.clone());
        // A "no" must not rest on a state that is not in the log, or that another process has moved on.
        if cached
            && !matches!(decision, Ok(Decision::Accept(_)))
            && let Some(newer) = self.newer(context.org, id, &loaded).await?
        {
            decision = decide(&newer, context, command);
            loaded = newer;
        }
        match decision {
            Ok(Decision::Accept(events)) => {
                let passed_on = if eager { turn.take() } else { None };
                self.append(context, id, &loaded, events, passed_on).await
            }
            Ok(Decision::AlreadyApplied) => {
                if let Some(result) = self.replay_of(context).await? {
                    return Ok(result);
                }
                if context.idempotency.is_some() {
                    self.append(context, id, &loaded, Vec::new(), None).await?;
                }
                Ok(committed(id, &loaded, Outcome::AlreadyApplied))
            }
            Err(refusal) => match self.replay_of(context).await? {
                Some(result) => Ok(result),
                None => Err(refusal),
            },
        }
    }

    /// Appends events that were decided on `loaded`. The turn is passed on as soon as they wait for the
    /// log.
    pub(crate) async fn append<A>(
        &self,
        context: &Context,
        id: &str,
        loaded: &Arc<Loaded<A>>,
        mut events: Vec<A::Event>,
        turn: Option<Turn<'_>>,
    ) -> Result<Committed, ExecuteError<A::Error>>
    where
        A: Decide,
    {
        let ids: Vec<_> = events.iter().map(|_| self.inner.clock.new_id()).collect();
        for (event_id, event) in ids.iter().zip(&mut events) {
            self.seal::<A>(*event_id, event).await?;
        }
        let mut request = self.request::<A>(context, id, loaded.version, &ids, &events)?;
        if !events.is_empty() {
            self.add_origin(context, request.command_id, &mut request.metadata).await?;
        }
        let submitted = self.inner.appender.submit(request, Some(loaded.fate.clone()))?;
        if events.is_empty() {
            submitted.verdict().await?;
            return Ok(committed(id, loaded, Outcome::AlreadyApplied));
        }
        let mut next = (**loaded).clone();
        for event in &events {
            next.state.evolve(event);
        }
        next.version += events.len() as u64;
        next.fate = submitted.fate.clone();
        next.org = Some(context.org.uuid());
        let next = Arc::new(next);
        self.inner.cache.put(id, Arc::clone(&next));
        drop(turn);
        submitted.verdict().await?;
        let result = committed(id, &next, Outcome::Applied);
        if next.version / SNAPSHOT_EVERY > loaded.version / SNAPSHOT_EVERY {
            self.snapshot(id, next);
        }
        Ok(result)
    }

    fn request<A: Decide>(
        &self,
        context: &Context,
        id: &str,
        expected_version: u64,
        ids: &[Uuid],
        events: &[A::Event],
    ) -> Result<AppendRequest, serde_json::Error> {
        let events_json = ids
            .iter()
            .zip(events)
            .map(|(event_id, event)| {
                Ok(NewEvent {
                    event_id: *event_id,
                    event_type: event.event_type(),
                    event_version: event.event_version(),
                    payload: to_raw_value(event)?,
                })
            })
            .collect::<Result<_, serde_json::Error>>()?;
        Ok(AppendRequest {
            org: context.org,
            aggregate_type: A::TYPE,
            aggregate_id: id.to_owned(),
            expected_version,
            events: events_json,
            claims: events.iter().flat_map(A::claims).collect(),
            idempotency: context.idempotency.clone(),
            command_id: self.inner.clock.new_id(),
            correlation_id: context.correlation_id,
            causation_id: context.causation_id,
            actor: context.actor.to_string(),
            metadata: context.metadata.clone(),
        })
    }

    /// What an earlier request under the caller's idempotency key came to.
    async fn replay_of<E: std::error::Error + 'static>(
        &self,
        context: &Context,
    ) -> Result<Option<Committed>, ExecuteError<E>> {
        let Some(key) = &context.idempotency else { return Ok(None) };
        let mut connection = self.inner.pool.acquire().await.map_err(AppendError::from)?;
        match idempotency::find(&mut connection, context.org, key)
            .await
            .map_err(AppendError::from)?
        {
            None => Ok(None),
            Some(Found::Same(result)) => Ok(Some(replayed(result))),
            Some(Found::Other) => Err(AppendError::KeyReused.into()),
        }
    }

    /// Saves a snapshot in the background. One that cannot be saved is only slower to load.
    fn snapshot<A: Decide>(&self, id: &str, loaded: Arc<Loaded<A>>) {
        let Ok(permit) = Arc::clone(&self.inner.snapshots).try_acquire_owned() else { return };
        let (pool, id) = (self.inner.pool.clone(), id.to_owned());
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = load::save_snapshot(&pool, &id, &loaded).await {
                tracing::warn!(%error, aggregate = A::TYPE, id, "snapshot not saved");
            }
        });
    }

    /// What is known of it, once that is in the log.
    async fn settled<A: Decide>(&self, id: &str) -> Option<Arc<Loaded<A>>> {
        let known = self.inner.cache.get::<A>(id)?;
        known.fate.wait().await.map(|_| known)
    }

    /// What is known of it, and whatever another process has added since.
    async fn present<A: Decide>(
        &self,
        org: OrganizationId,
        id: &str,
    ) -> Result<Arc<Loaded<A>>, LoadError> {
        let Some(known) = self.inner.cache.get::<A>(id) else {
            return Ok(Arc::new(self.load::<A>(org, id).await?));
        };
        Ok(self.newer(org, id, &known).await?.unwrap_or(known))
    }

    /// What is in the log, if it is not what is known.
    async fn newer<A: Decide>(
        &self,
        org: OrganizationId,
        id: &str,
        known: &Loaded<A>,
    ) -> Result<Option<Arc<Loaded<A>>>, LoadError> {
        let fresh = if known.fate.wait().await.is_some() {
            let mut fresh = known.clone();
            if !load::catch_up(&self.inner.pool, org.uuid(), id, &mut fresh).await? {
                return Ok(None);
            }
            fresh
        } else {
            self.load(org, id).await?
        };
        let fresh = Arc::new(fresh);
        self.inner.cache.put_newer(id, Arc::clone(&fresh));
        Ok(Some(fresh))
    }

    async fn load<A: Decide>(&self, org: OrganizationId, id: &str) -> Result<Loaded<A>, LoadError> {
        load::load(&self.inner.pool, org.uuid(), id).await
    }

    /// The state of an aggregate after its first `up_to_version` events, folded from the events
    /// alone. It is for audit and asks for no organisation: whoever shows it to somebody checks that.
    pub async fn replay<A: Decide>(&self, id: &str, up_to_version: u64) -> Result<A, LoadError> {
        Ok(load::replay::<A>(&self.inner.pool, id, up_to_version).await?.state)
    }

    /// The present state of an aggregate and its version, for whoever must act on it. `None` when
    /// it does not exist or belongs to another organisation.
    pub async fn state<A: Decide>(
        &self,
        org: OrganizationId,
        id: &str,
    ) -> Result<Option<(A, u64)>, LoadError> {
        let loaded = self.present::<A>(org, id).await?;
        let own = loaded.org == Some(org.uuid());
        Ok(own.then(|| (loaded.state.clone(), loaded.version)))
    }

    /// Forgets idempotency keys older than `before`; gives how many.
    pub async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, sqlx::Error> {
        idempotency::forget(&self.inner.pool, before).await
    }
}

fn decide<A>(
    loaded: &Loaded<A>,
    context: &Context,
    command: A::Command,
) -> Result<Decision<A::Event>, ExecuteError<A::Error>>
where
    A: Decide,
{
    if loaded.org.is_some_and(|org| org != context.org.uuid()) {
        return Err(ExecuteError::OtherOrganization);
    }
    if let Some(expected) = context.expected_version
        && expected != loaded.version
    {
        return Err(ExecuteError::VersionMismatch { expected, actual: loaded.version });
    }
    loaded.state.decide(command).map_err(ExecuteError::Refused)
}

fn creates<A: Decide>(context: &Context, command: &A::Command) -> bool {
    matches!(decide::<A>(&Loaded::empty(), context, command.clone()), Ok(Decision::Accept(_)))
}

fn committed<A>(id: &str, loaded: &Loaded<A>, outcome: Outcome) -> Committed {
    Committed {
        aggregate_id: id.to_owned(),
        position: loaded.fate.position().unwrap_or_default(),
        sequence: loaded.version,
        outcome,
    }
}

fn replayed(result: StoredResult) -> Committed {
    Committed {
        aggregate_id: result.aggregate_id,
        position: result.position,
        sequence: result.version,
        outcome: Outcome::Replayed,
    }
}
