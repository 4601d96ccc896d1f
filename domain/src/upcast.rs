//! Older stored events become today's before anything folds them.
//!
//! A step takes one stored event of an older version and gives none, one or several of a newer
//! version. Steps chain until the newest version is reached. [`Chain::new`] refuses a set of steps
//! that has a gap, two steps for one version or a step from today's version. What a step gives is
//! only known once it has run, so a cycle between types is found by [`Chain::upcast`].

use std::collections::BTreeMap;

use serde_json::Value;

/// A stored event as the upcasters see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Full name, `scan.requested`.
    pub event_type: String,
    pub event_version: u32,
    pub payload: Value,
}

/// Takes the payload of the older version.
pub type Upcast = fn(Value) -> Vec<Stored>;

pub struct Step {
    pub event_type: &'static str,
    pub from_version: u32,
    pub upcast: Upcast,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("two upcasters take version {version} of {event_type}")]
    Twice { event_type: &'static str, version: u32 },
    #[error(
        "no upcaster takes version {version} of {event_type}, although its current version is {current}"
    )]
    Gap { event_type: String, version: u32, current: u32 },
    #[error(
        "an upcaster takes version {version} of {event_type}, which is not older than {current}"
    )]
    NotOlder { event_type: &'static str, version: u32, current: u32 },
    #[error("upcasting version {version} of {event_type} comes to no end")]
    Cycle { event_type: String, version: u32 },
    #[error("upcasting version {version} of {event_type} gave an event that is not newer")]
    NotNewer { event_type: String, version: u32 },
    #[error("there is no event type {event_type} of version {version}")]
    Unknown { event_type: String, version: u32 },
}

/// The steps of all event types, checked at construction.
pub struct Chain {
    steps: BTreeMap<(&'static str, u32), Upcast>,
    current: BTreeMap<String, u32>,
}

impl Chain {
    /// `current` names today's version of every event type.
    pub fn new(steps: Vec<Step>, current: BTreeMap<String, u32>) -> Result<Self, Error> {
        let mut by_version = BTreeMap::new();
        for step in &steps {
            let key = (step.event_type, step.from_version);
            if by_version.insert(key, step.upcast).is_some() {
                return Err(Error::Twice {
                    event_type: step.event_type,
                    version: step.from_version,
                });
            }
            if let Some(newest) = current.get(step.event_type)
                && step.from_version >= *newest
            {
                return Err(Error::NotOlder {
                    event_type: step.event_type,
                    version: step.from_version,
                    current: *newest,
                });
            }
        }
        for (event_type, newest) in &current {
            for version in 1..*newest {
                if !by_version.contains_key(&(event_type.as_str(), version)) {
                    return Err(Error::Gap {
                        event_type: event_type.clone(),
                        version,
                        current: *newest,
                    });
                }
            }
        }
        Ok(Self { steps: by_version, current })
    }

    /// Whether events of this type and version need no upcasting.
    pub fn is_current(&self, event_type: &str, event_version: u32) -> bool {
        self.current.get(event_type) == Some(&event_version)
    }

    /// Today's form of a stored event: none, one or several events.
    pub fn upcast(&self, stored: Stored) -> Result<Vec<Stored>, Error> {
        // On a way without a cycle each step is taken once at most.
        self.upcast_within(self.steps.len(), stored)
    }

    fn upcast_within(&self, steps_left: usize, stored: Stored) -> Result<Vec<Stored>, Error> {
        let step = self.steps.get(&(stored.event_type.as_str(), stored.event_version)).copied();
        let Some(step) = step else {
            return match self.current.get(&stored.event_type) {
                Some(current) if *current == stored.event_version => Ok(vec![stored]),
                _ => Err(Error::Unknown {
                    event_type: stored.event_type,
                    version: stored.event_version,
                }),
            };
        };
        let (event_type, version) = (stored.event_type, stored.event_version);
        let Some(steps_left) = steps_left.checked_sub(1) else {
            return Err(Error::Cycle { event_type, version });
        };
        let mut newest = Vec::new();
        for next in step(stored.payload) {
            if next.event_type == event_type && next.event_version <= version {
                return Err(Error::NotNewer { event_type, version });
            }
            newest.extend(self.upcast_within(steps_left, next)?);
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(event_type: &str, event_version: u32, payload: Value) -> Stored {
        Stored { event_type: event_type.into(), event_version, payload }
    }

    fn current(types: &[(&str, u32)]) -> BTreeMap<String, u32> {
        types.iter().map(|(name, version)| ((*name).to_owned(), *version)).collect()
    }

    #[test]
    fn one_stored_event_becomes_none_one_or_several() {
        let chain = Chain::new(
            vec![
                Step { event_type: "a", from_version: 1, upcast: |v| vec![stored("a", 2, v)] },
                Step {
                    event_type: "a",
                    from_version: 2,
                    upcast: |v| vec![stored("a", 3, v.clone()), stored("b", 1, v)],
                },
                Step { event_type: "gone", from_version: 1, upcast: |_| vec![] },
            ],
            current(&[("a", 3), ("b", 1)]),
        )
        .unwrap();

        let newest = chain.upcast(stored("a", 1, json!(7))).unwrap();
        assert_eq!(newest, [stored("a", 3, json!(7)), stored("b", 1, json!(7))]);
        assert_eq!(chain.upcast(stored("gone", 1, json!(0))).unwrap(), []);
        assert_eq!(
            chain.upcast(stored("a", 4, json!(0))),
            Err(Error::Unknown { event_type: "a".into(), version: 4 })
        );
    }

    #[test]
    fn steps_that_form_no_chain_are_refused_at_construction() {
        let step = |from_version| Step { event_type: "a", from_version, upcast: |_| vec![] };
        assert!(matches!(
            Chain::new(vec![step(1)], current(&[("a", 3)])),
            Err(Error::Gap { version: 2, .. })
        ));
        assert!(matches!(
            Chain::new(vec![step(1), step(1)], current(&[("a", 2)])),
            Err(Error::Twice { version: 1, .. })
        ));
        assert!(matches!(
            Chain::new(vec![step(1), step(2)], current(&[("a", 2)])),
            Err(Error::NotOlder { version: 2, current: 2, .. })
        ));
    }

    #[test]
    fn types_that_become_each_other_are_an_error_and_no_endless_loop() {
        let chain = Chain::new(
            vec![
                Step { event_type: "a", from_version: 1, upcast: |v| vec![stored("b", 1, v)] },
                Step { event_type: "b", from_version: 1, upcast: |v| vec![stored("a", 1, v)] },
            ],
            BTreeMap::new(),
        )
        .unwrap();
        assert!(matches!(chain.upcast(stored("a", 1, json!(1))), Err(Error::Cycle { .. })));
    }

    #[test]
    fn a_step_that_does_not_move_forward_is_refused() {
        let chain = Chain::new(
            vec![Step { event_type: "a", from_version: 1, upcast: |v| vec![stored("a", 1, v)] }],
            current(&[("a", 2)]),
        )
        .unwrap();
        assert!(matches!(chain.upcast(stored("a", 1, json!(1))), Err(Error::NotNewer { .. })));
    }
}
