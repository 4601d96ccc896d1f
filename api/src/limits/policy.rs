use std::time::Duration;

/// What is limited. The names go over the wire and into headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Policy {
    /// Requests of a signed-in user.
    User,
    /// Requests of a client address that is not signed in.
    Address,
    /// Requests of an API key.
    Key,
    /// Attempts to sign in.
    Login,
    /// Requests for what a sign-in begins with, which prove nothing and try nothing.
    LoginBegin,
    /// Requests for a new account.
    SignUp,
    /// Requests for a new password.
    Reset,
    /// Invitations, by whoever invites and for each address that is invited.
    Invite,
    /// Requests that a language model answers.
    Ai,
}

impl Policy {
    pub const ALL: [Self; 9] = [
        Self::User,
        Self::Address,
        Self::Key,
        Self::Login,
        Self::LoginBegin,
        Self::SignUp,
        Self::Reset,
        Self::Invite,
        Self::Ai,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Address => "address",
            Self::Key => "key",
            Self::Login => "login",
            Self::LoginBegin => "login_begin",
            Self::SignUp => "sign_up",
            Self::Reset => "reset",
            Self::Invite => "invite",
            Self::Ai => "ai",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

/// So many requests within a window, evenly, and so many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// At least 1.
    pub limit: u32,
    /// At least a millisecond and at most [`Quota::MAX_WINDOW`].
    pub window: Duration,
    /// At least 1; more than `limit` is of no use.
    pub burst: u32,
}

impl Quota {
    pub const MAX_WINDOW: Duration = Duration::from_secs(24 * 3600);

    pub const fn new(limit: u32, window: Duration, burst: u32) -> Self {
        Self { limit, window, burst }
    }

    /// All of them at once, if need be.
    pub const fn per_minute(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(60), limit)
    }
}
