//! Sign-ins of people: a family of refresh tokens of which only the newest works.
//!
//! `started`, then `refreshed` again and again, until it is `ended` or nobody has refreshed it for too
//! long. Using a token that was used before means that two have it, one of whom stole it: that ends the
//! session. An operator who acts as somebody has a session of theirs without such tokens. A session also ends with the epoch of its user's sessions, which it does not hear of itself.

mod command;
mod event;
mod state;

pub use command::{Impersonate, SessionCommand, SessionError, StartSession};
pub use event::{EVENT_TYPES, EndReason, Proof, SessionEvent};
pub use state::Session;

pub const TYPE: &str = "session";

/// Names of personal fields, which their values are opened under.
pub const CLIENT: &str = "client";
pub const ADDRESS: &str = "address";
pub const REASON: &str = "reason";

/// A session that is not refreshed for this long is over.
pub const IDLE_LIFE: chrono::TimeDelta = chrono::TimeDelta::days(30);
/// An operator acts as somebody for no longer than this.
pub const LONGEST_IMPERSONATION: chrono::TimeDelta = chrono::TimeDelta::hours(1);
/// Used tokens of a session that are recognised as stolen. Older ones are refused like any other text.
pub const REMEMBERED_TOKENS: usize = 64;

crate::aggregate!(Session, "session", SessionCommand, SessionEvent, SessionError);
