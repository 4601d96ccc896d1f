use domain::scans::{ScanStatus, TYPE};
use projections::{
    Reach, RunOptions, Slice, TenantScope,
    dead_letters::{self, DeadLetterError, LetterId},
    scans,
};

use crate::world::*;

const FIRST: Slice<'static> = Slice { limit: 100, cursor: None };

fn letter(position: u64) -> LetterId {
    LetterId::new(scans::NAME, position)
}

fn undecodable() -> Vec<(String, String)> {
    vec![("scan.exploded".to_owned(), r#"{"type":"exploded"}"#.to_owned())]
}

/// A scan whose second event nobody knows, and another one around it.
async fn poisoned(world: &World) -> (u64, u64) {
    world.append(org(1), scan(1), 0, &[requested()]).await;
    world.append(org(1), scan(2), 0, &[requested()]).await;
    let poison = world.append_raw(org(1), TYPE, &scan(1).to_string(), 1, &undecodable()).await;
    world.append(org(1), scan(1), 2, &[started(1), engine_started(1)]).await;
    (poison, world.append(org(1), scan(2), 1, &[started(1)]).await)
}

async fn state(world: &World, n: u128, position: u64) -> ScanStatus {
    let view = world.scans(position).await;
    scans::get(scope(1), &view, scan(n)).await.unwrap().unwrap().state
}

#[tokio::test]
async fn poison_event_parks_its_aggregate_only() {
    let world = World::new().await;
    // Once with all of it in one batch, once event by event.
    let (poison, last) = poisoned(&world).await;
    let _projector = world.projector(RunOptions::default());
    assert_eq!(state(&world, 1, last).await, ScanStatus::Queued);
    assert_eq!(state(&world, 2, last).await, ScanStatus::Running);
    let later = world.append(org(1), scan(1), 4, &[engine_finished(1)]).await;
    let other = world.append(org(1), scan(2), 2, &[completed(1)]).await;
    assert_eq!(state(&world, 2, other).await, ScanStatus::Completed);

    let letters = dead_letters::list(Reach::Installation, &world.pool(), Some(scans::NAME), FIRST)
        .await
        .unwrap();
    let shown: Vec<_> = letters.items.iter().map(|l| (l.id.position, l.builds[0].parked)).collect();
    assert_eq!(shown, [(poison, false), (poison + 1, true), (poison + 2, true), (later, true)]);
    let error = &letters.items[0].builds[0].error;
    assert!(error.contains("scan.exploded"), "{error}");
    let (letter, event) =
        dead_letters::show(Reach::Installation, &world.journal, &letter(poison)).await.unwrap();
    assert_eq!((letter.builds.len(), event.event_type.as_str()), (1, "scan.exploded"));
}

#[tokio::test]
async fn dead_letters_are_listed_page_by_page() {
    let (world, _projector) = World::projected().await;
    let (_, last) = poisoned(&world).await;
    world.scans(last).await;
    world.view(projections::jobs::NAME, last).await;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let slice = Slice { limit: 1, cursor: cursor.as_deref() };
        let page =
            dead_letters::list(Reach::Installation, &world.pool(), None, slice).await.unwrap();
        seen.extend(page.items.into_iter().map(|letter| letter.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let whole = dead_letters::list(Reach::Installation, &world.pool(), None, FIRST).await.unwrap();
    let whole: Vec<_> = whole.items.into_iter().map(|letter| letter.id).collect();
    assert_eq!((seen.len(), &seen), (6, &whole));
}

#[tokio::test]
async fn an_organisation_reaches_its_own_dead_letters_only() {
    let (world, _projector) = World::projected().await;
    let (poison, last) = poisoned(&world).await;
    world.scans(last).await;
    world.view(projections::jobs::NAME, last).await;
    let of = |n| Reach::Organization(TenantScope(org(n)));
    for (reach, letters) in [(of(1), 6), (of(2), 0), (Reach::Installation, 6)] {
        let page = dead_letters::list(reach, &world.pool(), None, FIRST).await.unwrap();
        assert_eq!(page.items.len(), letters, "{reach:?}");
        let shown = dead_letters::show(reach, &world.journal, &letter(poison)).await;
        assert_eq!(shown.is_ok(), letters > 0, "{reach:?}");
    }
}

#[tokio::test]
async fn dead_letter_discard_applies_the_events_behind_it() {
    let (world, _projector) = World::projected().await;
    let (poison, last) = poisoned(&world).await;
    assert_eq!(state(&world, 1, last).await, ScanStatus::Queued);
    let journal = &world.journal;

    let still = dead_letters::replay(journal, &letter(poison)).await.unwrap();
    assert_eq!((still[0].applied, still[0].left), (0, 3));
    let (shown, _) =
        dead_letters::show(Reach::Installation, journal, &letter(poison)).await.unwrap();
    assert_eq!(shown.builds[0].attempts, 2);
    let refused = dead_letters::discard(journal, &letter(poison + 1)).await;
    assert!(matches!(refused, Err(DeadLetterError::Parked { .. })));
    let refused = dead_letters::discard(journal, &letter(1)).await;
    assert!(matches!(refused, Err(DeadLetterError::NotFound(_))));

    let done = dead_letters::discard(journal, &letter(poison)).await.unwrap();
    assert_eq!((done[0].applied, done[0].left), (2, 0));
    assert_eq!(state(&world, 1, last).await, ScanStatus::Running);
    // It goes on as if nothing had been.
    let position = world.append(org(1), scan(1), 4, &[completed(1)]).await;
    assert_eq!(state(&world, 1, position).await, ScanStatus::Completed);
    let left =
        dead_letters::list(Reach::Installation, &world.pool(), Some("scans"), FIRST).await.unwrap();
    assert!(left.items.is_empty());
}

#[tokio::test]
async fn dead_letter_replay_applies_what_the_database_refused_before() {
    let (world, _projector) = World::projected().await;
    let view = world.scans(0).await;
    let table = format!("{}.scans", view.schema());
    let limit = format!(
        "ALTER TABLE {table} ADD CONSTRAINT few CHECK (attempt < 2 OR scan_id <> '{}')",
        scan(1).uuid()
    );
    sqlx::query(&limit).execute(&world.pool()).await.unwrap();
    let mut last = 0;
    for n in 1..=20 {
        last = world.append(org(1), scan(n), 0, &[requested(), started(2), completed(2)]).await;
    }
    assert_eq!(state(&world, 1, last).await, ScanStatus::Queued);
    for n in 2..=20 {
        assert_eq!(state(&world, n, last).await, ScanStatus::Completed);
    }
    let drop = format!("ALTER TABLE {table} DROP CONSTRAINT few");
    sqlx::query(&drop).execute(&world.pool()).await.unwrap();
    let done = dead_letters::replay(&world.journal, &letter(3)).await.unwrap();
    assert_eq!((done[0].applied, done[0].left), (2, 0));
    assert_eq!(state(&world, 1, last).await, ScanStatus::Completed);
}

#[tokio::test]
async fn too_many_dead_letters_stop_the_view_until_some_are_dealt_with() {
    let world = World::new().await;
    projections::prepare(&world.pool()).await.unwrap();
    let _projector = world.projector(RunOptions { max_dead_letters: 2, ..RunOptions::default() });
    let (poison, last) = poisoned(&world).await;
    world
        .until(&format!(
            "SELECT EXISTS (SELECT FROM projections WHERE name = 'scans'
             AND error LIKE '%dead_letters%' AND position = {})",
            poison + 1
        ))
        .await;
    dead_letters::discard(&world.journal, &letter(poison)).await.unwrap();
    assert_eq!(state(&world, 1, last).await, ScanStatus::Running);
    let error = "SELECT count(error) FROM projections WHERE name = 'scans'";
    assert_eq!(world.count(error).await, 0);
}

#[tokio::test]
async fn a_dead_letter_is_discarded_in_all_builds_or_in_none() {
    let (world, _projector) = World::projected().await;
    let (poison, last) = poisoned(&world).await;
    world.scans(last).await;
    projections::rebuild(&world.pool(), scans::NAME).await.unwrap();
    world.until("SELECT EXISTS (SELECT FROM projections WHERE status = 'ready')").await;
    // In the second build an earlier event of the aggregate waits as well.
    let earlier = "INSERT INTO dead_letters
                   SELECT projection, version, generation, 1, aggregate_type, aggregate_id,
                          org_id, event_type, error, attempts, parked, at
                   FROM dead_letters WHERE generation = 2 AND NOT parked";
    sqlx::query(earlier).execute(&world.pool()).await.unwrap();
    let refused = dead_letters::discard(&world.journal, &letter(poison)).await;
    assert!(matches!(refused, Err(DeadLetterError::Parked { position }) if position == poison));
    let (shown, _) =
        dead_letters::show(Reach::Installation, &world.journal, &letter(poison)).await.unwrap();
    assert_eq!(shown.builds.len(), 2, "{shown:?}");
}
