//! Second factors of people: an authenticator app, passkeys, and codes on paper for when they are lost.
//!
//! The aggregate's id is that of the person. Recovery codes come with the first factor and go with the
//! last. What a factor shares with the server is sealed; that a one-time code or a recovery code was used
//! is an event, so that it is not used twice on any replica. Wrong answers are counted, and after some of
//! them the next is listened to only later and later.

mod command;
mod error;
mod event;
mod state;

pub use command::{AddPasskey, FactorCommand};
pub use error::FactorError;
pub use event::{EVENT_TYPES, FactorEvent};
pub use state::{Factors, Passkey, Totp};

pub const TYPE: &str = "second_factor";

/// Claim that keeps passkeys unique over all people: its key is the hash of the credential's id.
pub const PASSKEY_CLAIM: &str = "passkey";

/// Names of personal fields, which their values are opened under.
pub const TOTP_SECRET: &str = "secret";
pub const PASSKEY_RECORD: &str = "record";
pub const PASSKEY_NAME: &str = "name";

pub const MAX_PASSKEYS: usize = 20;
pub const MAX_NAME_CHARS: usize = 100;

/// Wrong answers in a row that cost nothing.
pub const FREE_TRIES: u32 = 5;
/// After one more; then it doubles.
pub const FIRST_PAUSE: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
pub const LONGEST_PAUSE: chrono::TimeDelta = chrono::TimeDelta::hours(1);

crate::aggregate!(Factors, "second_factor", FactorCommand, FactorEvent, FactorError);
