//! Which connections are open, and whose clients keep the server waiting.
//!
//! There is room for so many connections, and so many bytes are held for clients that have not
//! sent all of their body or not taken all of their answer. When either runs out, whoever has kept
//! the server waiting longest gives way: to be slow costs others nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Nobody gives way sooner: what a client sends at once has come by then.
const PATIENCE: Duration = Duration::from_millis(200);

/// Connections that gave way and are not closed yet; nobody is taken in while there are more.
const LEAVING: usize = 256;

/// Since when, and the number of the connection.
type Turn = (Instant, u64);

pub(super) struct Places {
    limit: usize,
    /// Bytes of bodies that are not whole and of answers that are not taken.
    budget: usize,
    table: Mutex<Table>,
    freed: Notify,
}

#[derive(Default)]
struct Table {
    opened: u64,
    open: usize,
    leaving: usize,
    held: usize,
    /// Clients that have nothing asked yet: idle, or in the middle of a head.
    heads: BTreeMap<Turn, CancellationToken>,
    /// Clients that are sending a body or taking an answer, and the bytes held for each.
    holders: BTreeMap<Turn, (CancellationToken, usize)>,
}

/// Connections by what they do.
pub(super) struct Census {
    pub head: usize,
    pub transfer: usize,
    pub serving: usize,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    gives_way: CancellationToken,
    at: Mutex<At>,
    /// The whole answer has been written.
    out: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client has the turn to ask.
    Head,
    /// The client is sending a body.
    Body,
    /// The server has the turn; also for as long as a live stream lasts.
    Work,
    /// The client is taking an answer.
    Answer,
}

struct At {
    stage: Stage,
    since: Instant,
    /// There is no more of the answer than what waits to be written.
    ended: bool,
}

impl Places {
    pub fn new(limit: usize, budget: usize) -> Arc<Self> {
        Arc::new(Self { limit, budget, table: Mutex::default(), freed: Notify::new() })
    }

    /// Waits until another connection may be taken in, if need be at the cost of the slowest.
    pub async fn room(&self) {
        while let Err(patience) = self.make_room() {
            let freed = self.freed.notified();
            match patience {
                // In either case the next look decides.
                Some(until) => drop(timeout_at(until, freed).await),
                None => freed.await,
            }
        }
    }

    /// Else gives the time until which whoever is slowest may stay, if that is what to wait for.
    fn make_room(&self) -> Result<(), Option<Instant>> {
        let mut table = self.table();
        if table.leaving >= LEAVING {
            return Err(None);
        }
        if table.open < self.limit {
            return Ok(());
        }
        let Some(slowest) = table.slowest() else { return Err(None) };
        let until = slowest.0 + PATIENCE;
        if until > Instant::now() {
            return Err(Some(until));
        }
        table.turn_out(slowest);
        Ok(())
    }

    pub fn enter(self: &Arc<Self>) -> Arc<Place> {
        let (gives_way, since) = (CancellationToken::new(), Instant::now());
        let mut table = self.table();
        table.opened += 1;
        table.open += 1;
        let number = table.opened;
        table.heads.insert((since, number), gives_way.clone());
        let at = Mutex::new(At { stage: Stage::Head, since, ended: false });
        Arc::new(Place { places: Arc::clone(self), number, gives_way, at, out: Notify::new() })
    }

    /// Whether others may be waiting for a place.
    pub fn are_taken(&self) -> bool {
        self.table().open >= self.limit
    }

    pub fn census(&self) -> Census {
        let table = self.table();
        let (head, transfer) = (table.heads.len(), table.holders.len());
        Census { head, transfer, serving: table.open.saturating_sub(head + transfer) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn slowest(&self) -> Option<Turn> {
        let head = self.heads.first_key_value().map(|(turn, _)| *turn);
        let holder = self.holders.first_key_value().map(|(turn, _)| *turn);
        head.into_iter().chain(holder).min()
    }

    /// It is out of the books at once; its connection ends when its task comes to it.
    fn turn_out(&mut self, turn: Turn) {
        if let Some(gives_way) = self.leave(turn) {
            gives_way.cancel();
            self.open -= 1;
            self.leaving += 1;
            metrics::counter!("http_refused_total", "reason" => "slow").increment(1);
        }
    }

    fn leave(&mut self, turn: Turn) -> Option<CancellationToken> {
        if let Some((gives_way, bytes)) = self.holders.remove(&turn) {
            self.held -= bytes;
            return Some(gives_way);
        }
        self.heads.remove(&turn)
    }
}

impl Place {
    /// The client has asked: waits until the answer before is out, then the turn is the server's.
    pub async fn asked(&self) {
        while self.at().stage != Stage::Head {
            self.out.notified().await;
        }
        self.go(Stage::Work);
    }

    /// The client may have asked, and does not keep the server waiting until that is looked at.
    pub fn is_due(&self) {
        let at = self.at();
        if at.stage == Stage::Head {
            self.places.table().heads.remove(&(at.since, self.number));
        }
    }

    /// It was looked at, after a while that is not the client's. If nothing is asked yet, the turn
    /// is still its own.
    pub fn is_seen(&self, waited: Duration) {
        let mut at = self.at();
        let mut table = self.places.table();
        let turn = (at.since, self.number);
        if at.stage == Stage::Head && !self.is_turned_out() && !table.heads.contains_key(&turn) {
            at.since += waited;
            table.heads.insert((at.since, self.number), self.gives_way.clone());
            self.places.freed.notify_one();
        }
    }

    /// The client has the rest of a body to send.
    pub fn receives(&self) {
        self.go(Stage::Body);
    }

    /// The whole request is there.
    pub fn works(&self) {
        self.go(Stage::Work);
    }

    /// The answer is made. Of one without an end the length is not known.
    pub fn answers(&self, length: Option<usize>) {
        self.at().ended = false;
        if let Some(bytes) = length {
            self.go(Stage::Answer);
            self.holds(bytes);
        }
    }

    /// So many more bytes lie here for a client that is sending or taking them.
    pub fn holds(&self, bytes: usize) {
        let since = self.at().since;
        let mut table = self.places.table();
        let Some((_, held)) = table.holders.get_mut(&(since, self.number)) else { return };
        *held += bytes;
        table.held += bytes;
        while table.held > self.places.budget
            && table.holders.len() > 1
            && let Some((&slowest, _)) = table.holders.first_key_value()
        {
            table.turn_out(slowest);
        }
    }

    /// Nothing will be added to the answer.
    pub fn has_answered(&self) {
        self.at().ended = true;
    }

    /// All that was given to be written is written.
    pub fn is_flushed(&self) {
        if std::mem::take(&mut self.at().ended) {
            self.go(Stage::Head);
            self.out.notify_one();
        }
    }

    /// Whether nothing is asked that would be answered.
    pub fn is_unasked(&self) -> bool {
        self.at().stage == Stage::Head
    }

    pub fn is_turned_out(&self) -> bool {
        self.gives_way.is_cancelled()
    }

    pub async fn turned_out(&self) {
        self.gives_way.cancelled().await;
    }

    /// Whether the connection shall end with this answer, for the sake of those who wait.
    pub fn is_coveted(&self) -> bool {
        self.is_turned_out() || self.places.are_taken()
    }

    fn go(&self, stage: Stage) {
        let mut at = self.at();
        let mut table = self.places.table();
        table.leave((at.since, self.number));
        (at.stage, at.since) = (stage, Instant::now());
        if self.is_turned_out() {
            return;
        }
        let (turn, gives_way) = ((at.since, self.number), self.gives_way.clone());
        match stage {
            Stage::Head => drop(table.heads.insert(turn, gives_way)),
            Stage::Body | Stage::Answer => drop(table.holders.insert(turn, (gives_way, 0))),
            Stage::Work => {}
        }
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let turn = (self.at().since, self.number);
        let mut table = self.places.table();
        table.leave(turn);
        if self.is_turned_out() {
            table.leaving -= 1;
        } else {
            table.open -= 1;
        }
        drop(table);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_kept_the_server_waiting_longest_gives_way_and_who_is_served_does_not() {
        let places = Places::new(3, 100);
        let served = places.enter();
        served.asked().await;
        let slow = places.enter();
        tokio::time::advance(Duration::from_millis(10)).await;
        let idle = places.enter();
        assert!(places.are_taken());

        let begun = Instant::now();
        places.room().await;
        assert_eq!(begun.elapsed(), PATIENCE - Duration::from_millis(10));
        assert!(slow.is_turned_out() && !idle.is_turned_out() && !served.is_turned_out());

        let newcomer = places.enter();
        drop(slow);
        assert!(places.are_taken(), "a place is given back once");
        assert_eq!(places.table().leaving, 0);
        drop(newcomer);
        places.room().await;
        assert!(!idle.is_turned_out());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_to_be_heard_does_not_give_way() {
        let places = Places::new(1, 100);
        let place = places.enter();
        place.is_due();
        tokio::time::advance(2 * PATIENCE).await;
        assert_eq!(places.make_room(), Err(None));
        place.is_seen(2 * PATIENCE);
        assert_eq!(places.make_room(), Err(Some(Instant::now() + PATIENCE)));
        tokio::time::advance(PATIENCE).await;
        assert_eq!(places.make_room(), Ok(()));
        assert!(place.is_turned_out());
        place.is_seen(Duration::ZERO);
        assert!(places.table().heads.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_held_within_the_budget_and_given_back() {
        let places = Places::new(10, 100);
        let hold = async |bytes| {
            let place = places.enter();
            place.asked().await;
            place.receives();
            place.holds(bytes);
            tokio::time::advance(Duration::from_millis(1)).await;
            place
        };
        let (first, second) = (hold(40).await, hold(40).await);
        let third = hold(40).await;
        assert!(first.is_turned_out() && !second.is_turned_out());

        second.works();
        third.holds(60);
        assert!(!third.is_turned_out());
        drop(third);
        second.answers(Some(100));
        assert!(!second.is_turned_out());
        second.has_answered();
        second.is_flushed();
        assert!(second.is_unasked());
        assert_eq!(places.table().held, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_until_the_answer_before_it_is_out() {
        let places = Places::new(1, 100);
        let place = places.enter();
        place.asked().await;
        place.answers(Some(10));
        let next = place.asked();
        tokio::pin!(next);
        assert!(futures::poll!(next.as_mut()).is_pending());
        place.has_answered();
        place.is_flushed();
        next.await;
    }
}
