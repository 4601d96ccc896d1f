use serde::{Deserialize, Serialize};

/// How passwords are judged and hashed.
///
/// The costs are those that OWASP names for Argon2id. Raising them makes every stored hash outdated,
/// and each is renewed the next time its owner logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordOptions {
    /// Memory of one hash.
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Hashes computed at the same time.
    pub threads: usize,
    /// Further hashes that may wait; beyond them a request is turned away at once.
    pub waiting: usize,
    /// From 0, guessed at once, to 4, beyond the reach of an attacker who has stolen the hash.
    pub min_score: u8,
}

impl Default for PasswordOptions {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            iterations: 2,
            parallelism: 1,
            threads: 2,
            waiting: 64,
            min_score: 3,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    #[error("a password hash takes 8 to {max} KiB of memory, and at least 8 for each unit of `parallelism`", max = super::scheme::MAX_MEMORY_KIB)]
    Memory,
    #[error("`iterations` of password hashes is 1 to {max}", max = super::scheme::MAX_ITERATIONS)]
    Iterations,
    #[error("`parallelism` of password hashes is 1 to {max}", max = super::scheme::MAX_PARALLELISM)]
    Parallelism,
    #[error("`threads` for password hashes is 1 to 256, and `waiting` at most 100000")]
    Pool,
    #[error("`min_score` of passwords is 0 to 4")]
    Score,
}
