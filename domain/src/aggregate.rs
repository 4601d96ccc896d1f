use std::fmt::Debug;

use crate::{PersonalField, Service};

/// What a command comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<E> {
    /// These events happened.
    Accept(Vec<E>),
    /// The state already is what the command asks for: nothing happened, and that is a success.
    AlreadyApplied,
}

impl<E> Decision<E> {
    pub fn one(event: E) -> Self {
        Self::Accept(vec![event])
    }
}

/// A change to the claims that keep a value unique across aggregates, carried out in the same
/// transaction as the event it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimChange {
    Take { kind: &'static str, key: String },
    Release { kind: &'static str, key: String },
}

/// The rules of one aggregate: a pure `decide` and a total `evolve`.
///
/// The implementing type is the state. `cqrs_es::Aggregate` is derived from these two functions by
/// the [`aggregate!`](crate::aggregate) macro, so that its test framework and stores fit.
pub trait Decide:
    cqrs_es::Aggregate<Services = (), Command: Clone + Send, Error: Send + Sync + 'static>
    + Clone
    + Debug
    + 'static
{
    /// Changes whenever the meaning of the serialised state does, so that older snapshots are
    /// dropped instead of misread.
    const STATE_VERSION: u32;

    fn decide(&self, command: Self::Command) -> Result<Decision<Self::Event>, Self::Error>;

    fn evolve(&mut self, event: &Self::Event);

    /// Whether a part of the platform that acts by itself may give the command. None may what nobody
    /// says here.
    fn serves(_service: Service, _command: &Self::Command) -> bool {
        false
    }

    /// The claims that `event` takes or releases.
    fn claims(_event: &Self::Event) -> Vec<ClaimChange> {
        Vec::new()
    }

    /// Shows each [`Pii`](crate::Pii) field of `event` to `visit`, so that it is sealed before it is
    /// appended. A field that is left out here cannot be written.
    fn personal(_event: &mut Self::Event, _visit: &mut dyn FnMut(PersonalField<'_>)) {}
}

/// Implements `cqrs_es::Aggregate` for a state that implements [`Decide`].
#[macro_export]
macro_rules! aggregate {
    ($state:ty, $name:literal, $command:ty, $event:ty, $error:ty) => {
        impl cqrs_es::Aggregate for $state {
            const TYPE: &'static str = $name;
            type Command = $command;
            type Event = $event;
            type Error = $error;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                if let $crate::Decision::Accept(events) = $crate::Decide::decide(self, command)? {
                    for event in events {
                        sink.write(event, self).await;
                    }
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::Decide::evolve(self, &event);
            }
        }
    };
}
