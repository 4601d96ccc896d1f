use domain::scans::{FindingStatus, ScanEvent, ScanStatus, Severity};
use futures::TryStreamExt;
use projections::{
    MAX_LIMIT, QueryError, Slice,
    scans::{self, AsOf, EngineStatus, FindingFilter, ScanFilter},
};

use crate::world::*;

const FIRST: Slice<'static> = Slice { limit: 100, cursor: None };

#[tokio::test]
async fn a_scan_is_shown_as_its_events_tell() {
    let (world, _projector) = World::projected().await;
    let position = world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    let view = world.scans(position).await;
    let row = scans::get(scope(1), &view, scan(1)).await.unwrap().unwrap();
    assert_eq!(row.state, ScanStatus::Completed);
    assert_eq!((row.sequence, row.position, row.requested_position), (6, position, 1));
    assert_eq!((row.findings, row.counts.total(), row.suppressed), (2, 2, 0));
    assert_eq!(row.engines[0].status, EngineStatus::Completed);
    assert_eq!(row.engines[0].findings, 2);
    assert_eq!(row.engines[0].summary.as_deref(), Some("12 files"));
    assert_eq!(row.engines[1].status, EngineStatus::Stopped);
    assert_eq!((row.started_at, row.finished_at), (Some(at(1)), Some(at(4))));
    assert!(row.complete);
}

#[tokio::test]
async fn a_new_attempt_replaces_the_findings_of_the_one_before() {
    let (world, _projector) = World::projected().await;
    let first = vec![finding(1, Severity::High), finding(2, Severity::Low)];
    let requeued = ScanEvent::Requeued {
        attempt: 2,
        reason: "worker lost".to_owned(),
        not_before: at(9),
        fault: true,
    };
    let events = [requested(), started(1), engine_started(1), found(1, 0, first), requeued.clone()];
    let position = world.append(org(1), scan(1), 0, &events).await;
    let view = world.scans(position).await;
    let row = scans::get(scope(1), &view, scan(1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.attempt, row.findings), (ScanStatus::Queued, 2, 2));
    assert_eq!(row.reason.as_deref(), Some("worker lost"));

    let second = vec![finding(2, Severity::Critical), finding(3, Severity::Info)];
    let events = [started(2), engine_started(2), found(2, 0, second)];
    let position = world.append(org(1), scan(1), 5, &events).await;
    let view = world.scans(position).await;
    let row = scans::get(scope(1), &view, scan(1)).await.unwrap().unwrap();
    assert_eq!((row.findings, row.counts.critical, row.counts.high), (2, 1, 0));
    let filter = FindingFilter::default();
    let page = scans::findings(scope(1), &view, scan(1), &filter, FIRST).await.unwrap();
    let shown: Vec<_> = page.items.into_iter().map(|row| (row.number, row.finding)).collect();
    assert_eq!(shown, [(1, finding(2, Severity::Critical)), (2, finding(3, Severity::Info))]);
}

#[tokio::test]
async fn a_finding_reported_twice_is_kept_once() {
    let (world, _projector) = World::projected().await;
    let twice = vec![finding(1, Severity::High), finding(1, Severity::Low)];
    let events = [requested(), started(1), engine_started(1), found(1, 0, twice)];
    world.append(org(1), scan(1), 0, &events).await;
    // Once more, in a batch of its own.
    let mut suppressed = finding(2, Severity::High);
    suppressed.status = FindingStatus::Suppressed;
    let again = vec![finding(1, Severity::Info), suppressed];
    let position = world.append(org(1), scan(1), 4, &[found(1, 1, again)]).await;
    let view = world.scans(position).await;
    let row = scans::get(scope(1), &view, scan(1)).await.unwrap().unwrap();
    assert_eq!((row.findings, row.counts.high, row.counts.total(), row.suppressed), (2, 1, 1, 1));
}

#[tokio::test]
async fn a_query_of_another_organisation_finds_nothing() {
    let (world, _projector) = World::projected().await;
    let position = world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    let queued = world.append(org(1), scan(2), 0, &[requested()]).await;
    let view = world.scans(position.max(queued)).await;
    assert_eq!(scans::get(scope(2), &view, scan(1)).await.unwrap(), None);
    let filter = ScanFilter::default();
    assert!(scans::list(scope(2), &view, &filter, FIRST).await.unwrap().items.is_empty());
    let filter = FindingFilter::default();
    let page = scans::findings(scope(2), &view, scan(1), &filter, FIRST).await.unwrap();
    assert!(page.items.is_empty());
    let point = AsOf::Position(queued);
    assert_eq!(scans::as_of(&world.journal, scope(2), scan(1), point).await.unwrap(), None);
    let jobs = world.view(projections::jobs::NAME, queued).await;
    let id = scan(2).to_string();
    assert!(projections::jobs::get(scope(1), &jobs, &id).await.unwrap().is_some());
    assert_eq!(projections::jobs::get(scope(2), &jobs, &id).await.unwrap(), None);
    assert_eq!(projections::jobs::place(scope(2), &jobs, &id).await.unwrap(), None);
}

#[tokio::test]
async fn scans_are_listed_newest_first_page_by_page() {
    let (world, _projector) = World::projected().await;
    let mut position = 0;
    for n in 1..=7 {
        let events = if n % 2 == 0 { whole_scan(n) } else { vec![requested()] };
        position = world.append(org(1), scan(n), 0, &events).await;
    }
    let view = world.scans(position).await;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let slice = Slice { limit: 3, cursor: cursor.as_deref() };
        let page = scans::list(scope(1), &view, &ScanFilter::default(), slice).await.unwrap();
        seen.extend(page.items.iter().map(|row| row.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=7).rev().map(scan).collect::<Vec<_>>());

    let filter = ScanFilter { states: vec![ScanStatus::Completed], target_kind: None };
    let page = scans::list(scope(1), &view, &filter, FIRST).await.unwrap();
    assert_eq!(page.items.len(), 3);
    let filter = ScanFilter { target_kind: Some("website".to_owned()), ..ScanFilter::default() };
    assert!(scans::list(scope(1), &view, &filter, FIRST).await.unwrap().items.is_empty());
    let slice = Slice { limit: 3, cursor: Some("made-up") };
    let refused = scans::list(scope(1), &view, &ScanFilter::default(), slice).await;
    assert!(matches!(refused, Err(QueryError::Cursor(_))));
}

#[tokio::test]
async fn a_hundred_thousand_findings_are_paged_most_severe_first() {
    const FINDINGS: u128 = 100_000;
    const BATCH: u128 = 200;
    let (world, _projector) = World::projected().await;
    world.append(org(1), scan(1), 0, &[requested(), started(1), engine_started(1)]).await;
    let mut position = 0;
    for (batch, first) in (0..FINDINGS).step_by(BATCH as usize).enumerate() {
        let findings = (first..first + BATCH).map(|n| finding(n, Severity::ALL[n as usize % 5]));
        let event = found(1, batch as u32, findings.collect());
        position = world.append(org(1), scan(1), 3 + batch as u64, &[event]).await;
    }
    let view = loop {
        match world.views.open(scans::NAME, Some(position), LONG).await {
            Err(projections::ViewError::Stale { .. }) => {}
            view => break view.unwrap(),
        }
    };
    let row = scans::get(scope(1), &view, scan(1)).await.unwrap().unwrap();
    assert_eq!((u128::from(row.findings), row.counts.critical), (FINDINGS, 20_000));

    let all = scans::stream_findings(scope(1), view.clone(), scan(1), FindingFilter::default());
    let keys: Vec<_> =
        all.map_ok(|row| (row.finding.severity, row.number)).try_collect().await.unwrap();
    assert_eq!(keys.len() as u128, FINDINGS);
    assert!(keys.windows(2).all(|pair| {
        pair[0].0 > pair[1].0 || (pair[0].0 == pair[1].0 && pair[0].1 < pair[1].1)
    }));

    let filter = FindingFilter {
        severities: vec![Severity::High, Severity::Info],
        status: Some(FindingStatus::Open),
        ..FindingFilter::default()
    };
    let slice = Slice { limit: u32::MAX, cursor: None };
    let page = scans::findings(scope(1), &view, scan(1), &filter, slice).await.unwrap();
    assert_eq!(page.items.len(), MAX_LIMIT as usize);
    assert!(page.items.iter().all(|row| row.finding.severity == Severity::High));
    let filtered: Vec<_> =
        scans::stream_findings(scope(1), view, scan(1), filter).try_collect().await.unwrap();
    assert_eq!(filtered.len(), 40_000);
}

#[tokio::test]
async fn as_of_equals_what_the_view_showed_at_that_position() {
    let (world, _projector) = World::projected().await;
    let mut events = whole_scan(1);
    events.insert(4, found(1, 1, vec![finding(2, Severity::High), finding(9, Severity::High)]));
    for (version, event) in events.iter().enumerate() {
        let position =
            world.append(org(1), scan(1), version as u64, std::slice::from_ref(event)).await;
        world.append(org(2), scan(100 + version as u128), 0, &[requested()]).await;
        let view = world.scans(position).await;
        let shown = scans::get(scope(1), &view, scan(1)).await.unwrap();
        let point = AsOf::Position(position);
        let past = scans::as_of(&world.journal, scope(1), scan(1), point).await.unwrap();
        assert_eq!(shown, past);
        assert!(past.is_some());
        let recorded = world.journal.at(position).await.unwrap().unwrap();
        let point = AsOf::Time(recorded.recorded_at);
        let past = scans::as_of(&world.journal, scope(1), scan(1), point).await.unwrap();
        assert_eq!(shown, past);
    }
    let before = AsOf::Position(0);
    assert_eq!(scans::as_of(&world.journal, scope(1), scan(1), before).await.unwrap(), None);
    let early = scans::as_of(&world.journal, scope(1), scan(1), AsOf::Position(1)).await.unwrap();
    assert_eq!(early.map(|row| row.state), Some(ScanStatus::Queued));
}
