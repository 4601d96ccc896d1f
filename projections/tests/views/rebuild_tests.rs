use std::time::Duration;

use projections::{Differences, RebuildError, RunOptions, Status, Terms, scans};
use sqlx::PgPool;

use crate::world::*;

const READY: &str =
    "SELECT EXISTS (SELECT FROM projections WHERE name = 'scans' AND status = 'ready')";

async fn status(world: &World, generation: i32) -> Option<Status> {
    let builds = projections::list(&world.pool()).await.unwrap();
    builds
        .iter()
        .find(|build| build.name == "scans" && build.generation == generation)
        .map(|build| build.status)
}

/// Whatever the rows say.
async fn switch(pool: &PgPool, wait: Duration) -> Result<(), RebuildError> {
    let terms = Terms { wait, ..Terms::default() };
    projections::switch(pool, "scans", Differences::Accept, terms).await
}

#[tokio::test]
async fn rebuild_equals_live() {
    let (world, _projector) = World::projected().await;
    for n in 1..=40 {
        world.append(org(n % 3), scan(n), 0, &whole_scan(n)).await;
    }
    let retried = [started(1), engine_started(1), found(1, 0, whole_finding()), started(2)];
    world.append(org(1), scan(100), 0, &[requested()]).await;
    let last = world.append(org(1), scan(100), 1, &retried).await;
    for name in ["organizations", "scans", "jobs"] {
        projections::rebuild(&world.pool(), name).await.unwrap();
    }
    world.until("SELECT count(*) = 3 FROM projections WHERE status = 'ready'").await;
    // Live traffic goes on while they are compared.
    let pool = world.pool();
    let ((), compared) = tokio::join!(
        async {
            for n in 200..=260 {
                world.append(org(1), scan(n), 0, &whole_scan(n)).await;
            }
        },
        projections::compare(&pool, "scans", LONG),
    );
    let compared = compared.unwrap();
    assert!(compared.is_clean(), "{compared:?}");
    assert!(compared.position >= last);
    assert!(compared.tables.iter().all(|table| table.live_rows >= 41), "{compared:?}");
    for name in ["organizations", "jobs"] {
        let compared = projections::compare(&world.pool(), name, LONG).await.unwrap();
        assert!(compared.is_clean(), "{compared:?}");
    }

    // A difference is told.
    let change = "UPDATE scans_v1.scans SET attempt = 7 WHERE requested_position = 1";
    sqlx::query(change).execute(&world.pool()).await.unwrap();
    let compared = projections::compare(&world.pool(), "scans", LONG).await.unwrap();
    let equal: Vec<_> = compared.tables.iter().map(|table| (table.table, table.equal)).collect();
    assert_eq!(equal, [("scans", false), ("findings", true)]);
}

fn whole_finding() -> Vec<domain::scans::Finding> {
    vec![finding(1, domain::scans::Severity::High)]
}

#[tokio::test]
async fn a_killed_rebuild_resumes() {
    let (world, projector) = World::projected().await;
    let mut last = 0;
    for n in 1..=200 {
        last = world.append(org(1), scan(n), 0, &whole_scan(n)).await;
    }
    world.scans(last).await;
    projector.stop().await;
    projections::rebuild(&world.pool(), "scans").await.unwrap();
    let slow = RunOptions { rebuild_events: 10, ..RunOptions::default() };
    let began = "SELECT EXISTS (SELECT FROM projections WHERE generation = 2 AND position > 0)";
    let projector = world.projector(slow);
    world.until(began).await;
    projector.kill();
    let resumed_from = world.count("SELECT position FROM projections WHERE generation = 2").await;
    assert!(resumed_from > 0);
    let _projector = world.projector(RunOptions::default());
    world.until(READY).await;
    let compared = projections::compare(&world.pool(), "scans", LONG).await.unwrap();
    assert!(compared.is_clean(), "{compared:?}");
}

#[tokio::test]
async fn switch_and_rollback_under_reads() {
    let (world, _projector) = World::projected().await;
    for n in 1..=20 {
        world.append(org(1), scan(n), 0, &whole_scan(n)).await;
    }
    let pool = world.pool();
    projections::rebuild(&pool, "scans").await.unwrap();
    let busy = projections::rebuild(&pool, "scans").await;
    assert!(matches!(busy, Err(RebuildError::Busy { .. })));
    world.until(READY).await;

    let stop = tokio_util::sync::CancellationToken::new();
    let answered_by = tokio::sync::watch::Sender::new(String::new());
    let reads = async {
        let mut reached = 0;
        while !stop.is_cancelled() {
            let view = world.views.open(scans::NAME, None, Duration::ZERO).await.unwrap();
            assert!(view.position() >= reached, "the view went back");
            reached = view.position();
            answered_by.send_replace(view.schema().to_owned());
            assert!(scans::get(scope(1), &view, scan(1)).await.unwrap().is_some());
        }
    };
    let answered_by_schema = |schema: &'static str| {
        let mut answered_by = answered_by.subscribe();
        async move {
            let answered = answered_by.wait_for(|by| by == schema);
            assert!(tokio::time::timeout(LONG, answered).await.is_ok_and(|by| by.is_ok()));
        }
    };
    let writes = async {
        let mut n = 1000;
        while !stop.is_cancelled() {
            n += 1;
            world.append(org(1), scan(n), 0, &whole_scan(n)).await;
        }
    };
    let changes = async {
        switch(&pool, LONG).await.unwrap();
        assert_eq!(status(&world, 2).await, Some(Status::Live));
        assert_eq!(status(&world, 1).await, Some(Status::Standby));
        answered_by_schema("scans_v1_r2").await;
        projections::rollback(&pool, "scans", Terms::default()).await.unwrap();
        assert_eq!(status(&world, 1).await, Some(Status::Live));
        answered_by_schema("scans_v1").await;
        stop.cancel();
    };
    tokio::join!(reads, writes, changes);

    let compared = projections::compare(&pool, "scans", LONG).await.unwrap();
    assert!(compared.is_clean(), "{compared:?}");
    projections::drop_standby(&pool, "scans").await.unwrap();
    assert_eq!(status(&world, 2).await, None);
    let gone = "SELECT count(*) FROM pg_namespace WHERE nspname = 'scans_v1_r2'";
    assert_eq!(world.count(gone).await, 0);
    let none = projections::rollback(&pool, "scans", Terms::default()).await;
    assert!(matches!(none, Err(RebuildError::Missing { .. })));

    let last = world.append(org(1), scan(5000), 0, &[requested()]).await;
    world.scans(last).await;
    projections::rebuild(&pool, "scans").await.unwrap();
    projections::cancel_rebuild(&pool, "scans").await.unwrap();
    assert_eq!(status(&world, 2).await, None);
}

#[tokio::test]
async fn nothing_is_switched_while_no_projector_can_bring_both_to_one_position() {
    let (world, projector) = World::projected().await;
    let last = world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    world.scans(last).await;
    projections::rebuild(&world.pool(), "scans").await.unwrap();
    world.until(READY).await;
    projector.stop().await;
    let behind = "UPDATE projections SET position = 0 WHERE name = 'scans' AND generation = 2";
    sqlx::query(behind).execute(&world.pool()).await.unwrap();
    let refused = switch(&world.pool(), Duration::from_millis(50)).await;
    assert!(matches!(refused, Err(RebuildError::NotLevel("scans"))));
    assert_eq!(status(&world, 1).await, Some(Status::Live));
    assert_eq!(world.count("SELECT count(hold_at) FROM projections").await, 0);
}

#[tokio::test]
async fn a_build_that_is_switched_to_meanwhile_is_not_dropped() {
    let (world, _projector) = World::projected().await;
    let last = world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    world.scans(last).await;
    let pool = world.pool();
    projections::rebuild(&pool, "scans").await.unwrap();
    world.until(READY).await;
    let mut switch = pool.begin().await.unwrap();
    let statement = "UPDATE projections SET status =
                         CASE status WHEN 'live' THEN 'standby' ELSE 'live' END
                     WHERE name = 'scans'";
    sqlx::query(statement).execute(&mut *switch).await.unwrap();
    let drop = async { projections::cancel_rebuild(&pool, "scans").await };
    let commit = async {
        world
            .until(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                 AND datname = current_database() AND query LIKE 'DELETE FROM projections%')",
            )
            .await;
        switch.commit().await.unwrap();
    };
    let (refused, ()) = tokio::join!(drop, commit);
    assert!(matches!(refused, Err(RebuildError::Missing { .. })), "{refused:?}");
    assert_eq!(status(&world, 2).await, Some(Status::Live));
    let view = world.scans(last).await;
    assert!(scans::get(scope(1), &view, scan(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_version_that_is_not_there_cannot_be_dropped() {
    let (world, _projector) = World::projected().await;
    let refused = projections::drop_version(&world.pool(), "scans", 99).await;
    assert!(matches!(refused, Err(RebuildError::NoVersion { version: 99, .. })));
}

#[tokio::test]
async fn a_build_is_not_ready_before_it_holds_what_nobody_announced() {
    let (mut world, projector) = World::projected().await;
    let last = world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    world.scans(last).await;
    projector.stop().await;
    let pool = world.pool();
    projections::rebuild(&pool, "scans").await.unwrap();
    // The first batch of the build waits for this.
    let mut lock = pool.begin().await.unwrap();
    let statement = "LOCK TABLE scans_v1_r2.scans IN ACCESS EXCLUSIVE MODE";
    sqlx::query(statement).execute(&mut *lock).await.unwrap();
    let never = RunOptions { idle: Duration::from_secs(3600), ..RunOptions::default() };
    let _projector = world.projector(never);
    world
        .until(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
             AND datname = current_database() AND query LIKE '%scans_v1_r2.%')",
        )
        .await;
    world.append_elsewhere().await;
    let last = world.append(org(1), scan(2), 0, &[requested()]).await;
    lock.rollback().await.unwrap();
    world.until(READY).await;
    let position = "SELECT position FROM projections WHERE name = 'scans' AND generation = 2";
    assert_eq!(world.count(position).await, last as i64);
}

#[tokio::test]
async fn a_build_that_lags_or_differs_does_not_answer_unasked() {
    let (world, projector) = World::projected().await;
    let last = world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    world.scans(last).await;
    projector.stop().await;
    let pool = world.pool();
    projections::rebuild(&pool, "scans").await.unwrap();
    let switched = || projections::switch(&pool, "scans", Differences::Refuse, Terms::default());
    let behind = switched().await.unwrap_err();
    assert!(matches!(behind, RebuildError::Behind { position: 0, .. }), "{behind}");

    let _projector = world.projector(RunOptions::default());
    world.until(READY).await;
    sqlx::query("UPDATE scans_v1_r2.scans SET attempt = 7").execute(&pool).await.unwrap();
    let differs = switched().await.unwrap_err();
    assert!(matches!(differs, RebuildError::Differ { .. }), "{differs}");
    assert!(differs.to_string().contains("scans: 1 rows live, 1 rebuilt"), "{differs}");
    assert_eq!(status(&world, 1).await, Some(Status::Live));

    let named = Terms { live: Some(2), ..Terms::default() };
    let moved = projections::switch(&pool, "scans", Differences::Accept, named).await;
    assert!(matches!(moved, Err(RebuildError::Moved { live: 1, .. })), "{moved:?}");
    switch(&pool, LONG).await.unwrap();
    assert_eq!(status(&world, 2).await, Some(Status::Live));
    // Going back is for a build that turned out wrong: what it holds does not count.
    let named = Terms { live: Some(2), ..Terms::default() };
    projections::rollback(&pool, "scans", named).await.unwrap();
    let again = projections::rollback(&pool, "scans", named).await;
    assert!(matches!(again, Err(RebuildError::Moved { live: 1, .. })), "{again:?}");
}
