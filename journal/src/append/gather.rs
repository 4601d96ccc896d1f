//! Which of the requests that wait can be appended in one round trip.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    AppendRequest, Fate, Standing,
    batch::Part,
    queue::{Reply, Waiting},
    request::claim_key,
};

/// Requests that touch nothing in common, but for those that follow each other on one stream.
#[derive(Default)]
pub(super) struct Batch {
    requests: Vec<(AppendRequest, Option<usize>)>,
    replies: Vec<Reply>,
    bytes: usize,
    /// By stream the last request for it.
    streams: HashMap<(&'static str, String), usize>,
    claims: HashSet<(&'static str, String)>,
    keys: HashSet<(Uuid, String)>,
}

/// Where a request belongs.
pub(super) enum Place {
    /// Into this batch, after the request of this number if it was decided on that one.
    Here(Option<usize>),
    /// Into one that comes later: it shares something with a request of this one.
    Later,
    /// Into none: what it was decided on has not come about.
    Nowhere,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn place(&self, waiting: &Waiting) -> Place {
        let Waiting { request, after, .. } = waiting;
        let standing = after.as_ref().map(Fate::standing);
        if standing == Some(Standing::Refused) {
            return Place::Nowhere;
        }
        let collides = request.claims.iter().any(|claim| self.claims.contains(&claim_key(claim)))
            || key_of(request).is_some_and(|key| self.keys.contains(&key));
        if collides {
            return Place::Later;
        }
        match self.streams.get(&stream_of(request)) {
            Some(last) if self.can_follow(*last, waiting) => Place::Here(Some(*last)),
            None if standing != Some(Standing::Undecided) => Place::Here(None),
            _ => Place::Later,
        }
    }

    /// Whether the request was decided on that one of the batch, and can be appended along with it.
    /// Whether claims are held can only be told from what is committed.
    fn can_follow(&self, last: usize, waiting: &Waiting) -> bool {
        let Waiting { request, after, .. } = waiting;
        let (before, _) = &self.requests[last];
        after.as_ref().is_some_and(|after| after.is(self.replies[last].fate()))
            && request.claims.is_empty()
            && request.org == before.org
            && !before.events.is_empty()
            && request.expected_version == before.version_after()
    }

    pub fn add(&mut self, waiting: Waiting, after: Option<usize>) {
        let Waiting { request, reply, .. } = waiting;
        self.streams.insert(stream_of(&request), self.requests.len());
        self.claims.extend(request.claims.iter().map(claim_key));
        self.keys.extend(key_of(&request));
        self.bytes += request.bytes();
        self.requests.push((request, after));
        self.replies.push(reply);
    }

    pub fn parts(&self) -> Vec<Part<'_>> {
        self.requests.iter().map(|(request, after)| Part { request, after: *after }).collect()
    }

    pub fn into_replies(self) -> Vec<Reply> {
        self.replies
    }
}

fn stream_of(request: &AppendRequest) -> (&'static str, String) {
    (request.aggregate_type, request.aggregate_id.clone())
}

fn key_of(request: &AppendRequest) -> Option<(Uuid, String)> {
    request.idempotency.as_ref().map(|key| (request.org.uuid(), key.key.clone()))
}
