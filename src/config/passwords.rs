use credentials::password::{Hasher, PasswordOptions};
use serde::{Deserialize, Serialize};

use super::Faults;
use super::layers::Section;

/// How passwords are judged and hashed (Argon2id). Raising a cost makes every stored hash outdated, and
/// each is renewed the next time its owner signs in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// Memory of one hash.
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Hashes computed at the same time.
    pub threads: u32,
    /// Further ones that may wait; beyond them a request is turned away at once.
    pub waiting: u32,
    /// From 0, guessed at once, to 4, beyond the reach of somebody who has stolen the hash.
    pub min_score: u8,
}

impl Default for Passwords {
    fn default() -> Self {
        let PasswordOptions { memory_kib, iterations, parallelism, threads, waiting, min_score } =
            PasswordOptions::default();
        let (threads, waiting) = (threads as u32, waiting as u32);
        Self { memory_kib, iterations, parallelism, threads, waiting, min_score }
    }
}

impl Section for Passwords {
    const NAME: &'static str = "passwords";

    fn check(&self, faults: &mut Faults) {
        if let Err(error) = Hasher::new(&self.options()) {
            faults.add("passwords", error);
        }
    }
}

impl Passwords {
    pub fn options(&self) -> PasswordOptions {
        PasswordOptions {
            memory_kib: self.memory_kib,
            iterations: self.iterations,
            parallelism: self.parallelism,
            threads: self.threads as usize,
            waiting: self.waiting as usize,
            min_score: self.min_score,
        }
    }
}
