//! Orders of events that random sessions seldom come to, made to happen by held locks.

use std::time::Duration;

use journal::{AppendError, AppendRequest, Appended, Journal};
use sqlx::PgPool;
use testkit::TestDatabase;
use tokio::task::JoinHandle;

use crate::{
    plan::{Seat, Step},
    run,
};

fn step(expected: u64, seats: Vec<Seat>) -> AppendRequest {
    let step = Step { stream: 0, ahead: 0, events: 1, seats, key: None, stranger: false };
    run::request(&step, expected)
}

fn seat(take: bool) -> Vec<Seat> {
    vec![Seat { number: 0, take }]
}

type Told = JoinHandle<Result<Appended, AppendError>>;

fn spawn(journal: &Journal, request: AppendRequest) -> Told {
    let journal = journal.clone();
    tokio::spawn(async move { journal.append_request(request).await })
}

/// Until so many sessions wait for a lock, or the request has been answered.
async fn until_blocked(pool: &PgPool, sessions: i64, request: &Told) {
    let mut blocked = 0;
    while blocked < sessions && !request.is_finished() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        blocked = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(pool)
        .await
        .unwrap();
    }
}

/// A stream that holds the seat, at version 1, on which a release waits and another request comes.
async fn release_and(next: AppendRequest) -> (TestDatabase, Result<Appended, AppendError>) {
    let (database, journals, _stop) = run::open(2).await;
    let [first, second] = [0, 1].map(|number: usize| journals[number].0.clone());
    first.append_request(step(0, seat(true))).await.unwrap();

    let pool = database.pool();
    let mut hold = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM streams FOR UPDATE").execute(&mut *hold).await.unwrap();
    let release = spawn(&first, step(1, seat(false)));
    until_blocked(&pool, 1, &release).await;
    let next = spawn(&second, next);
    until_blocked(&pool, 2, &next).await;
    hold.commit().await.unwrap();
    release.await.unwrap().unwrap();
    (database, next.await.unwrap())
}

/// It sees the seat in the stream's own hands, and must not go on after it was given up.
#[tokio::test]
async fn a_claim_that_is_released_meanwhile_is_not_taken_for_held() {
    let (database, told) = release_and(step(2, seat(true))).await;
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM claims")
        .fetch_one(&database.pool())
        .await
        .unwrap();
    assert_eq!(held == 1, told.is_ok(), "{told:?}, and {held} claims are held");
}
