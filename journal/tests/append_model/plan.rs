use proptest::{collection::vec, option, prelude::*};

/// Few enough that everything meets everything.
const STREAMS: usize = 3;
const SEATS: usize = 3;
const KEYS: usize = 4;
const JOURNALS: usize = 3;
const SESSIONS: usize = 6;

/// What one session hands in, one after the other.
pub type Session = Vec<Chain>;

/// What is handed in at once, for the stream of the first: each is decided on the events of the one
/// before it.
pub type Chain = Vec<Step>;

/// The requests of all sessions; sessions share the journals.
#[derive(Debug, Clone)]
pub struct Plan {
    pub journals: usize,
    pub sessions: Vec<Session>,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub stream: usize,
    /// Added to the version the stream was last seen at, or would be at after the step before.
    pub ahead: i64,
    pub events: usize,
    pub seats: Vec<Seat>,
    pub key: Option<Key>,
    /// Handed in for another organisation than the one that owns the stream.
    pub stranger: bool,
}

#[derive(Debug, Clone)]
pub struct Seat {
    pub number: usize,
    pub take: bool,
}

#[derive(Debug, Clone)]
pub struct Key {
    pub number: usize,
    /// Which of two requests it is used for.
    pub request: u8,
}

pub fn plan() -> impl Strategy<Value = Plan> {
    let chain = prop_oneof![2 => vec(step(), 1), 1 => vec(step(), 2..=4)];
    let sessions = vec(vec(chain, 1..=8), 2..=SESSIONS);
    (2..=JOURNALS, sessions).prop_map(|(journals, sessions)| Plan { journals, sessions })
}

fn step() -> impl Strategy<Value = Step> {
    let ahead = prop_oneof![8 => Just(0), 1 => -1..=2_i64];
    let key = (0..KEYS, 0..2_u8).prop_map(|(number, request)| Key { number, request });
    let fields = (
        0..STREAMS,
        ahead,
        prop_oneof![1 => Just(0), 8 => 1..=3_usize],
        vec(seat(), 0..=SEATS),
        option::weighted(0.3, key),
        prop::bool::weighted(0.05),
    );
    fields.prop_map(|(stream, ahead, events, seats, key, stranger)| Step {
        stream,
        ahead,
        events,
        // Claims belong to events: without one there is none.
        seats: if events == 0 { Vec::new() } else { seats },
        key,
        stranger,
    })
}

fn seat() -> impl Strategy<Value = Seat> {
    (0..SEATS, any::<bool>()).prop_map(|(number, take)| Seat { number, take })
}
