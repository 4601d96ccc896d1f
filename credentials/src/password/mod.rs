//! Passwords: whether one is strong enough, how it is stored, and whether a given one is it.

mod hasher;
mod options;
mod scheme;
mod strength;

pub use hasher::{ChooseError, Hasher, HasherError};
pub use options::{OptionsError, PasswordOptions};
pub use scheme::{Scheme, SchemeError, Verdict};
pub use strength::{Policy, Weakness};

/// Bytes of the longest password. What is longer is refused before any work is done on it.
pub const MAX_BYTES: usize = 1024;

/// Characters of the shortest password (NIST SP 800-63B).
pub const MIN_CHARS: usize = 8;
