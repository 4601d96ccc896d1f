//! The journal as a store of cqrs-es, for code that is written against its traits.

use std::collections::HashMap;

use cqrs_es::{AggregateError, EventEnvelope, EventStore};
use domain::Decide;

use crate::{AppendError, Context, ExecuteError, Filter, Journal, MAX_PAGE, load::Loaded};

/// A journal on behalf of one caller.
pub struct JournalStore {
    journal: Journal,
    context: Context,
}

/// An aggregate as it was loaded, to be committed on.
pub struct AggregateContext<A> {
    id: String,
    loaded: std::sync::Arc<Loaded<A>>,
    aggregate: A,
}

impl<A: Decide> cqrs_es::AggregateContext<A> for AggregateContext<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

impl Journal {
    #[must_use]
    pub fn store(&self, context: Context) -> JournalStore {
        JournalStore { journal: self.clone(), context }
    }
}

impl<A> EventStore<A> for JournalStore
where
    A: Decide,
{
    type AC = AggregateContext<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let filter = Filter {
            org: Some(self.context.org),
            aggregate: Some((A::TYPE, aggregate_id.to_owned())),
            ..Filter::default()
        };
        let mut envelopes = Vec::new();
        let mut after = 0;
        loop {
            let page = self.journal.read(after, &filter, MAX_PAGE).await.map_err(unexpected)?;
            let Some(last) = page.last() else { return Ok(envelopes) };
            after = last.position;
            for recorded in page {
                let sequence = recorded.sequence as usize;
                let metadata = recorded.metadata.clone().into_iter().collect::<HashMap<_, _>>();
                for payload in recorded.decode_as::<A::Event>().map_err(unexpected)? {
                    envelopes.push(EventEnvelope {
                        aggregate_id: aggregate_id.to_owned(),
                        sequence,
                        payload,
                        metadata: metadata.clone(),
                    });
                }
            }
        }
    }

    async fn load_aggregate(
        &self,
        aggregate_id: &str,
    ) -> Result<Self::AC, AggregateError<A::Error>> {
        let org = self.context.org.uuid();
        let loaded = crate::load::load::<A>(self.journal.pool(), org, aggregate_id).await;
        let loaded = loaded.map_err(unexpected)?;
        if loaded.org.is_some_and(|owner| owner != org) {
            return Err(unexpected(ExecuteError::<A::Error>::OtherOrganization));
        }
        Ok(AggregateContext {
            id: aggregate_id.to_owned(),
            aggregate: loaded.state.clone(),
            loaded: std::sync::Arc::new(loaded),
        })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Self::AC,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let mut caller = self.context.clone();
        caller.metadata.extend(metadata.clone());
        let AggregateContext { id, loaded, .. } = &context;
        let first = loaded.version as usize + 1;
        let turn = Some(self.journal.turn::<A>(id).await);
        let appended = self.journal.append(&caller, id, loaded, events.clone(), turn).await;
        appended.map_err(|error| match error {
            ExecuteError::Append(AppendError::Conflict { .. }) => AggregateError::AggregateConflict,
            other => unexpected(other),
        })?;
        Ok(events
            .into_iter()
            .enumerate()
            .map(|(offset, payload)| EventEnvelope {
                aggregate_id: context.id.clone(),
                sequence: first + offset,
                payload,
                metadata: metadata.clone(),
            })
            .collect())
    }
}

fn unexpected<E: std::error::Error>(
    error: impl std::error::Error + Send + Sync + 'static,
) -> AggregateError<E> {
    AggregateError::UnexpectedError(Box::new(error))
}
