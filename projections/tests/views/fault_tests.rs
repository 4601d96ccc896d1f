use std::time::Duration;

use projections::{RunOptions, ViewError, scans};
use sqlx::{Connection, PgConnection};

use crate::world::*;

const SCANS: u128 = 60;

async fn assert_whole(world: &World) {
    let view = loop {
        match world.views.open(scans::NAME, Some(SCANS as u64 * 6), LONG).await {
            // The pool still meets connections that were ended.
            Err(ViewError::Database(_)) => {}
            view => break view.unwrap(),
        }
    };
    assert_eq!(view.position(), SCANS as u64 * 6);
    let schema = view.schema();
    let completed = format!("SELECT count(*) FROM {schema}.scans WHERE state = 'completed'");
    assert_eq!(world.count(&completed).await, SCANS as i64);
    let findings = format!("SELECT count(*) FROM {schema}.findings");
    assert_eq!(world.count(&findings).await, 2 * SCANS as i64);
    assert_eq!(world.count("SELECT count(*) FROM dead_letters").await, 0);
}

#[tokio::test]
async fn a_database_fault_never_skips_an_event() {
    let world = World::new().await;
    projections::prepare(&world.pool()).await.unwrap();
    let timeout = Duration::from_millis(100);
    let _projector =
        world.projector(RunOptions { statement_timeout: timeout, ..RunOptions::default() });
    let mut other = PgConnection::connect(world.url()).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    let statement = "LOCK TABLE scans_v1.scans IN ACCESS EXCLUSIVE MODE";
    sqlx::query(statement).execute(&mut *lock).await.unwrap();
    for n in 1..=SCANS {
        world.append(org(1), scan(n), 0, &whole_scan(n)).await;
    }
    // Statements that take too long are broken off.
    world
        .until("SELECT EXISTS (SELECT FROM projections WHERE name = 'scans' AND error IS NOT NULL)")
        .await;
    // Connections are lost while the table is locked and after that.
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(terminate).execute(&mut *lock).await.unwrap();
    lock.rollback().await.unwrap();
    for _ in 0..5 {
        sqlx::query(terminate).execute(&mut other).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_whole(&world).await;
}

#[tokio::test]
async fn two_projectors_apply_each_event_once() {
    let world = World::new().await;
    projections::prepare(&world.pool()).await.unwrap();
    let few = RunOptions { batch_events: 7, rebuild_events: 7, ..RunOptions::default() };
    let _first = world.projector(few.clone());
    let _second = world.projector(RunOptions { batch_events: 5, ..few });
    for n in 1..=SCANS {
        world.append(org(1), scan(n), 0, &whole_scan(n)).await;
    }
    assert_whole(&world).await;
}

#[tokio::test]
async fn a_hole_in_the_log_stops_the_view_before_it() {
    let (world, _projector) = World::projected().await;
    let position = world.append(org(1), scan(1), 0, &[requested()]).await;
    world.scans(position).await;
    sqlx::query("UPDATE log_head SET position = position + 1")
        .execute(&world.pool())
        .await
        .unwrap();
    world.append(org(1), scan(2), 0, &[requested()]).await;
    world
        .until(
            "SELECT EXISTS (SELECT FROM projections WHERE name = 'scans' AND error LIKE '%hole%')",
        )
        .await;
    assert_eq!(world.scans(0).await.position(), position);
}
