use std::collections::BTreeMap;

use domain::ClaimChange;
use journal::AppendRequest;
use uuid::Uuid;

/// What the log holds, as plain maps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    /// Owner and version by id.
    pub streams: BTreeMap<String, (Uuid, u64)>,
    /// Holder by key.
    pub claims: BTreeMap<String, String>,
    pub keys: BTreeMap<(Uuid, String), Kept>,
    /// Event ids; the position of the first is 1.
    pub events: Vec<Uuid>,
}

/// What is kept of a request under its idempotency key.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub hash: Vec<u8>,
    pub id: String,
    pub version: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Appended { version: u64 },
    Conflict,
    Claimed { key: String },
    Duplicate { id: String, version: u64 },
    KeyReused,
}

impl Model {
    /// What the log should say to the request. Several claims may be taken; any may be named.
    pub fn verdicts(&self, request: &AppendRequest) -> Vec<Verdict> {
        if let Some(key) = &request.idempotency
            && let Some(kept) = self.keys.get(&(request.org.uuid(), key.key.clone()))
        {
            return vec![if kept.hash == key.request_hash {
                Verdict::Duplicate { id: kept.id.clone(), version: kept.version }
            } else {
                Verdict::KeyReused
            }];
        }
        let claimed: Vec<_> = changes(request)
            .into_iter()
            .filter(|(key, take)| {
                *take && self.holder(key).is_some_and(|id| id != request.aggregate_id)
            })
            .map(|(key, _)| Verdict::Claimed { key: key.to_owned() })
            .collect();
        if !claimed.is_empty() {
            return claimed;
        }
        let fits = match self.streams.get(&request.aggregate_id) {
            None => request.expected_version == 0,
            Some((org, version)) => {
                *version == request.expected_version && *org == request.org.uuid()
            }
        };
        let version = request.expected_version + request.events.len() as u64;
        vec![if fits { Verdict::Appended { version } } else { Verdict::Conflict }]
    }

    /// Carries out a request that is appended.
    pub fn append(&mut self, request: &AppendRequest) {
        let id = &request.aggregate_id;
        let version = request.expected_version + request.events.len() as u64;
        if !request.events.is_empty() {
            self.streams.insert(id.clone(), (request.org.uuid(), version));
        }
        for (key, take) in changes(request) {
            if take {
                self.claims.insert(key.to_owned(), id.clone());
            } else if self.holder(key) == Some(id) {
                self.claims.remove(key);
            }
        }
        if let Some(key) = &request.idempotency {
            let kept = Kept { hash: key.request_hash.to_vec(), id: id.clone(), version };
            self.keys.insert((request.org.uuid(), key.key.clone()), kept);
        }
        self.events.extend(request.events.iter().map(|event| event.event_id));
    }

    fn holder(&self, key: &str) -> Option<&str> {
        self.claims.get(key).map(String::as_str)
    }
}

/// Whether each claim is taken or released: of several changes the last one counts.
fn changes(request: &AppendRequest) -> BTreeMap<&str, bool> {
    let changes = request.claims.iter().map(|change| match change {
        ClaimChange::Take { key, .. } => (key.as_str(), true),
        ClaimChange::Release { key, .. } => (key.as_str(), false),
    });
    changes.collect()
}
