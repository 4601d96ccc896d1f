//! People with an account.
//!
//! `signed_up` once; then the address is confirmed, passwords are changed and sessions are ended, until
//! the account is `erased`, after which nothing happens to it any more. An operator may have it `suspended`
//! for a while. A person is the tenant of their
//! own account: the organisation of its events is made of the user's own id.
//!
//! They come by a password, by persons at providers that are linked to the account, or by both.
//!
//! Links in mails work once: the state holds the nonce of the one that is open, and the token that is
//! made from it is never here.

mod command;
mod error;
mod event;
mod identities;
mod state;

pub use command::UserCommand;
pub use error::UserError;
pub use event::{EVENT_TYPES, UserEvent};
pub use identities::{Join, Linking, NewIdentity};
pub use state::{EmailChange, Identity, OpenLink, User};

use crate::{
    Pii,
    ids::{OrganizationId, UserId},
};

pub const TYPE: &str = "user";

/// Claim that keeps addresses unique: its key is the address's place in the blind index.
pub const EMAIL_CLAIM: &str = "user_email";
/// Claim that keeps a person at a provider with one account: its key is their place in the blind index.
pub const IDENTITY_CLAIM: &str = "user_identity";

/// Nobody has more ways in than that.
pub const MAX_IDENTITIES: usize = 20;

/// Names of personal fields, which their values are opened under.
pub const EMAIL: &str = "email";
pub const NAME: &str = "name";
pub const PASSWORD_HASH: &str = "password_hash";
pub const LANGUAGE: &str = "language";
pub const TIME_ZONE: &str = "time_zone";
/// Why the account is suspended.
pub const REASON: &str = "reason";
pub const SUBJECT: &str = "subject";

/// Purposes of links, which are a part of what their tokens are made of.
pub const VERIFY_LINK: &str = "verify email";
pub const RESET_LINK: &str = "reset password";
pub const CHANGE_EMAIL_LINK: &str = "change email";

/// How long the link that confirms an address works.
pub const VERIFICATION_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// How long the link that lets choose a new password works.
pub const RESET_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(1);
/// Mails of one kind to one person are this far apart at least, whoever asks for them.
pub const MAIL_PAUSE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// The organisation that a person's own account belongs to.
pub fn own_organization(user: UserId) -> OrganizationId {
    OrganizationId::from_uuid(user.uuid())
}

/// What somebody may tell about themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    pub name: Option<Pii<String>>,
    pub language: Option<Pii<String>>,
    pub time_zone: Option<Pii<String>>,
}

/// What is known of somebody who signs up. The index is that of the address, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUp {
    pub user_id: UserId,
    pub email: Pii<String>,
    pub email_index: String,
    pub name: Option<Pii<String>>,
    pub password_hash: Pii<String>,
    /// Of the link that confirms the address.
    pub nonce: String,
}

/// Somebody who had an account elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub user_id: UserId,
    pub email: Pii<String>,
    pub email_index: String,
    pub name: Option<Pii<String>>,
    /// As it was stored there. Whoever has none chooses a password by the link of a mail.
    pub password_hash: Option<Pii<String>>,
    /// Whether the address was confirmed there. Otherwise its owner is asked to.
    pub email_verified: bool,
    /// Of the link that confirms the address.
    pub nonce: String,
}

crate::aggregate!(User, "user", UserCommand, UserEvent, UserError);
