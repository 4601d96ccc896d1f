use std::time::Duration;

use projections::{RunOptions, ViewError, scans};

use crate::world::*;

#[tokio::test]
async fn a_read_with_min_position_waits_or_is_stale() {
    let (world, projector) = World::projected().await;
    let position = world.append(org(1), scan(1), 0, &[requested()]).await;
    let view = world.scans(position).await;
    assert!(view.position() >= position);

    let short = Duration::from_millis(50);
    let refused = world.views.open(scans::NAME, Some(position + 1), short).await;
    assert!(matches!(refused, Err(ViewError::Stale { position: at }) if at == position));

    let next = [started(1)];
    let (waited, appended) = tokio::join!(
        world.views.open(scans::NAME, Some(position + 1), LONG),
        world.append(org(1), scan(1), 1, &next),
    );
    assert!(waited.unwrap().position() >= appended);
    projector.stop().await;

    // Without a projector in this process it is found by looking.
    let elsewhere = projections::Views::new(world.pool());
    let position = world.append(org(1), scan(2), 0, &[requested()]).await;
    let refused = elsewhere.open(scans::NAME, Some(position), short).await;
    assert!(matches!(refused, Err(ViewError::Stale { .. })));
    let _projector = world.projector(RunOptions::default());
    let view = elsewhere.open(scans::NAME, Some(position), LONG).await.unwrap();
    assert!(scans::get(scope(1), &view, scan(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_view_of_a_long_log_is_not_built_before_it_has_caught_up() {
    let world = World::new().await;
    for n in 1..=50 {
        world.append(org(1), scan(n), 0, &whole_scan(n)).await;
    }
    let open = || world.views.open(scans::NAME, None, Duration::ZERO);
    assert!(matches!(open().await, Err(ViewError::NotBuilt { name: scans::NAME })));
    projections::prepare(&world.pool()).await.unwrap();
    assert!(matches!(open().await, Err(ViewError::NotBuilt { name: scans::NAME })));
    let _projector = world.projector(RunOptions::default());
    let view = world.scans(300).await;
    assert_eq!(view.position(), 300);
}
