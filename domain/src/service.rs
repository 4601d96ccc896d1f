/// A part of the platform that acts by itself. What each may command, the aggregates say
/// ([`Decide::serves`](crate::Decide::serves)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Releases what waits, and commands nothing.
    Dispatcher,
    /// Runs the attempts that it holds.
    Worker,
    /// Ends attempts whose holder is gone or late, and cancels what waits for those who are suspended.
    Sweeper,
    /// Sends mails, and ends what they invited to.
    Mailer,
}

impl Service {
    pub const ALL: [Self; 4] = [Self::Dispatcher, Self::Worker, Self::Sweeper, Self::Mailer];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dispatcher => "dispatcher",
            Self::Worker => "worker",
            Self::Sweeper => "sweeper",
            Self::Mailer => "mailer",
        }
    }
}
