//! What the clients asked for and what they were told, in their own words.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    sync::{Mutex, MutexGuard},
};

/// A command given over HTTP, under one key, until there is an answer.
#[derive(Debug, Clone)]
pub struct Command {
    pub key: String,
    pub what: What,
    /// One for each time it was sent.
    pub request_ids: Vec<String>,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A scan of a tree.
    Request {
        tree: usize,
    },
    Cancel {
        scan: String,
        pinned: Option<u64>,
    },
    /// Another name for the organisation of the load.
    Rename {
        name: String,
    },
    /// A request that can never be taken.
    Nonsense,
    /// Another request under the key of an earlier one.
    KeyOfAnother {
        key: String,
    },
    /// An earlier command once more, unchanged.
    Again {
        key: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Accepted(Receipt),
    Refused { status: u16, code: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub id: String,
    pub version: u64,
    pub position: u64,
    pub replayed: bool,
}

/// An organisation asked for on the command line.
#[derive(Debug, Clone)]
pub struct Founding {
    pub slug: String,
    pub outcome: Founded,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Founded {
    Made { id: String },
    Taken,
    Unknown,
}

/// The newest that anybody was told of a scan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    pub version: u64,
    pub position: u64,
}

#[derive(Default)]
pub struct Record {
    commands: Mutex<Vec<Command>>,
    foundings: Mutex<Vec<Founding>>,
    known: Mutex<HashMap<String, Known>>,
    order: Mutex<Vec<String>>,
    broken: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Record {
    pub fn add(&self, command: Command) {
        if let (What::Request { .. }, Answer::Accepted(receipt)) = (&command.what, &command.answer)
        {
            lock(&self.order).push(receipt.id.clone());
        }
        if let Answer::Accepted(receipt) = &command.answer {
            self.learn(&receipt.id, receipt.version, receipt.position);
        }
        lock(&self.commands).push(command);
    }

    pub fn add_founding(&self, founding: Founding) {
        lock(&self.foundings).push(founding);
    }

    pub fn commands(&self) -> Vec<Command> {
        lock(&self.commands).clone()
    }

    pub fn foundings(&self) -> Vec<Founding> {
        lock(&self.foundings).clone()
    }

    /// Scans in the order in which they were accepted.
    pub fn scans(&self) -> Vec<String> {
        lock(&self.order).clone()
    }

    /// Somebody was told that the scan has this version at this position.
    pub fn learn(&self, scan: &str, version: u64, position: u64) {
        let mut known = lock(&self.known);
        let known = known.entry(scan.to_owned()).or_default();
        known.version = known.version.max(version);
        known.position = known.position.max(position);
    }

    pub fn known(&self, scan: &str) -> Known {
        lock(&self.known).get(scan).copied().unwrap_or_default()
    }

    /// The newest position that anybody was told.
    pub fn newest(&self) -> u64 {
        lock(&self.known).values().map(|known| known.position).max().unwrap_or_default()
    }

    /// A promise was broken while the storm went on. The same is told once.
    pub fn broken(&self, what: String) {
        let mut broken = lock(&self.broken);
        if !broken.contains(&what) {
            println!("          BROKEN: {what}");
            broken.push(what);
        }
    }

    pub fn all_broken(&self) -> Vec<String> {
        lock(&self.broken).clone()
    }

    pub fn count(&self, what: &'static str) {
        *lock(&self.counts).entry(what).or_default() += 1;
    }

    pub fn counted(&self, what: &str) -> usize {
        lock(&self.counts).get(what).copied().unwrap_or_default()
    }

    pub fn summary(&self) -> String {
        let mut text = format!("load: {} commands", lock(&self.commands).len());
        for (what, count) in lock(&self.counts).iter() {
            let _ = write!(text, ", {what} {count}");
        }
        text
    }
}
