//! Subscribers that follow everything and come back after every fall.

mod jetstream;
mod sse;

use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use crate::world::World;

/// Which events a subscriber follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    All,
    /// Of the organisation of the load.
    Organization,
    /// Of that organisation, only the ends of scans.
    Ends,
    /// The organisation's own.
    Own,
    /// Of every organisation, only requests of scans.
    Requests,
}

pub const ENDS: [&str; 3] = ["scan.completed", "scan.failed", "scan.cancelled"];
pub const REQUEST: &str = "scan.requested";

/// An event as a subscriber got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Counts up when the subscriber begins again, because the stream was made again.
    pub run: usize,
    pub position: u64,
    pub event_id: String,
}

/// What one subscriber got, in the order in which it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub name: &'static str,
    pub filter: Filter,
    pub arrivals: Vec<Arrival>,
    pub falls: usize,
    /// Places missing between two events, which the subscriber did not pass over.
    pub holes: usize,
}

#[derive(Clone)]
struct Notes(Arc<Mutex<Seen>>);

pub struct Subscribers {
    notes: Vec<Notes>,
    tasks: JoinSet<()>,
}

impl Notes {
    fn new(name: &'static str, filter: Filter) -> Self {
        let seen = Seen { name, filter, arrivals: Vec::new(), falls: 0, holes: 0 };
        Self(Arc::new(Mutex::new(seen)))
    }

    fn write(&self, arrival: Arrival) {
        self.0.lock().unwrap().arrivals.push(arrival);
    }

    fn fell(&self) {
        self.0.lock().unwrap().falls += 1;
    }

    fn hole(&self) {
        self.0.lock().unwrap().holes += 1;
    }

    /// The newest position that has come.
    fn newest(&self) -> u64 {
        let seen = self.0.lock().unwrap();
        seen.arrivals.iter().map(|arrival| arrival.position).max().unwrap_or(0)
    }
}

impl Subscribers {
    pub fn start(world: &Arc<World>) -> Self {
        let (mut notes, mut tasks) = (Vec::new(), JoinSet::new());
        let streams = [
            ("SSE of everything", Filter::Organization),
            ("SSE of the ends of scans", Filter::Ends),
            ("SSE of the organisation itself", Filter::Own),
        ];
        for (name, filter) in streams {
            let note = Notes::new(name, filter);
            tasks.spawn(sse::follow(Arc::clone(world), note.clone()));
            notes.push(note);
        }
        let durable = Notes::new("durable consumer of everything", Filter::All);
        tasks.spawn(jetstream::durable(Arc::clone(world), durable.clone()));
        let ordered = Notes::new("ordered consumer of requests", Filter::Requests);
        tasks.spawn(jetstream::ordered(Arc::clone(world), ordered.clone()));
        notes.extend([durable, ordered]);
        Self { notes, tasks }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.notes.iter().map(|notes| notes.0.lock().unwrap().clone()).collect()
    }

    pub async fn end(mut self) -> Vec<Seen> {
        self.tasks.shutdown().await;
        self.seen()
    }
}
