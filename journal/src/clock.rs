use chrono::Utc;
use domain::Timestamp;
use uuid::Uuid;

/// Where time and ids come from, so that tests and replays can choose them.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// A fresh UUIDv7.
    fn new_id(&self) -> Uuid;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    fn now(&self) -> Timestamp {
        use chrono::SubsecRound;
        // Postgres keeps microseconds: more would not survive a round trip.
        Utc::now().trunc_subsecs(6)
    }

    #[expect(clippy::disallowed_methods, reason = "this is where ids are made")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}
