use chrono::DateTime;
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::Timestamp;

mod attempts;

type Rules = TestFramework<Scan>;

const HOLDER: Uuid = Uuid::from_u128(1);
const STRANGER: Uuid = Uuid::from_u128(2);

fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn repository(url: &str) -> Target {
    Target::Repository { source: RepositorySource::Url(url.into()) }
}

fn request(target: Target, engines: Option<Vec<Engine>>) -> ScanCommand {
    ScanCommand::Request { target, engines, profile: Profile::Quick, now: at(0) }
}

fn requested(engines: &[Engine]) -> ScanEvent {
    ScanEvent::Requested {
        target: repository("https://git.example/a"),
        engines: engines.to_vec(),
        profile: Profile::Quick,
        requested_at: at(0),
        deadline_s: 900,
    }
}

fn started(attempt: u32, fence: Uuid) -> ScanEvent {
    ScanEvent::AttemptStarted {
        attempt,
        fence,
        worker: "w".into(),
        started_at: at(1),
        deadline: at(901),
    }
}

fn start(attempt: u32, fence: Uuid) -> ScanCommand {
    ScanCommand::StartAttempt { attempt, fence, worker: "w".into(), now: at(1) }
}

fn engine_started(engine: Engine) -> ScanEvent {
    ScanEvent::EngineStarted { attempt: 1, engine, started_at: at(2) }
}

fn finished(engine: Engine, outcome: EngineOutcome) -> ScanEvent {
    ScanEvent::EngineFinished {
        attempt: 1,
        engine,
        outcome,
        warnings: Vec::new(),
        finished_at: at(3),
        summary: "1 file".into(),
    }
}

fn finding(severity: Severity, status: FindingStatus) -> Finding {
    Finding {
        rule_id: "r".into(),
        title: "t".into(),
        description: "d".into(),
        severity,
        cvss: None,
        cwe: Vec::new(),
        location: Location::File { path: "a".into(), line: Some(1), column: None, commit: None },
        evidence: None,
        fix: None,
        references: Vec::new(),
        aliases: Vec::new(),
        package: None,
        status,
        fingerprint: "f".into(),
    }
}

fn running() -> Vec<ScanEvent> {
    vec![requested(&[Engine::Secrets]), started(1, HOLDER), engine_started(Engine::Secrets)]
}

fn with(mut events: Vec<ScanEvent>, more: impl IntoIterator<Item = ScanEvent>) -> Vec<ScanEvent> {
    events.extend(more);
    events
}

#[test]
fn a_request_runs_every_engine_that_fits_unless_told_otherwise() {
    Rules::with(())
        .given_no_previous_events()
        .when(request(repository("https://git.example/a"), None))
        .then_expect_events(vec![requested(&[Engine::Secrets, Engine::Dependencies])]);
    Rules::with(())
        .given_no_previous_events()
        .when(request(
            repository("https://git.example/a"),
            Some(vec![Engine::Secrets, Engine::Secrets]),
        ))
        .then_expect_events(vec![requested(&[Engine::Secrets])]);
}

#[test]
fn a_request_that_cannot_be_met_is_refused() {
    let with_control = || TargetError::NotAUrl("it has white space or control characters".into());
    let refusals = [
        (request(repository("https://a.example/\u{0}"), None), with_control().into()),
        (request(repository("https://a.ex\nample/"), None), with_control().into()),
        (
            request(Target::Website { url: " https://a.example/".into() }, None),
            with_control().into(),
        ),
        (request(repository("https://u:p@git.example/a"), None), TargetError::Credentials.into()),
        (request(repository("file:///etc"), None), TargetError::Scheme("file".into()).into()),
        (
            request(
                Target::Repository { source: RepositorySource::Path("/srv/../etc".into()) },
                None,
            ),
            TargetError::Path.into(),
        ),
        (
            request(Target::Website { url: "ftp://a".into() }, None),
            TargetError::Scheme("ftp".into()).into(),
        ),
        (request(repository("https://git.example/a"), Some(vec![])), ScanError::NoEngines),
        (
            request(repository("https://git.example/a"), Some(vec![Engine::Website])),
            ScanError::EngineDoesNotFit { engine: Engine::Website, target: "repository" },
        ),
    ];
    for (command, refusal) in refusals {
        Rules::with(()).given_no_previous_events().when(command).then_expect_error(refusal);
    }
    Rules::with(())
        .given(vec![requested(&[Engine::Secrets])])
        .when(request(repository("https://git.example/a"), None))
        .then_expect_error(ScanError::Exists);
}

#[test]
fn findings_come_in_order_and_once() {
    let batch = |batch| ScanCommand::RecordFindings {
        fence: HOLDER,
        engine: Engine::Secrets,
        batch,
        findings: vec![finding(Severity::High, FindingStatus::Open)],
    };
    let recorded = |batch| ScanEvent::FindingsRecorded {
        attempt: 1,
        engine: Engine::Secrets,
        batch,
        findings: vec![finding(Severity::High, FindingStatus::Open)],
    };
    let first = with(running(), [recorded(0)]);
    Rules::with(()).given(running()).when(batch(0)).then_expect_events(vec![recorded(0)]);
    Rules::with(()).given(first.clone()).when(batch(0)).then_expect_events(vec![]);
    Rules::with(()).given(first.clone()).when(batch(1)).then_expect_events(vec![recorded(1)]);
    for given in [2, u32::MAX] {
        Rules::with(()).given(first.clone()).when(batch(given)).then_expect_error(
            ScanError::BatchOutOfOrder { engine: Engine::Secrets, given, expected: 1 },
        );
    }
    let too_many = ScanCommand::RecordFindings {
        fence: HOLDER,
        engine: Engine::Secrets,
        batch: 0,
        findings: vec![finding(Severity::Low, FindingStatus::Open); MAX_BATCH_FINDINGS + 1],
    };
    Rules::with(()).given(running()).when(too_many).then_expect_error(ScanError::BatchTooLarge {
        given: MAX_BATCH_FINDINGS + 1,
        max: MAX_BATCH_FINDINGS,
    });
}

#[test]
fn a_result_counts_open_findings_of_the_attempt_that_ended() {
    let recorded = |attempt, severity, status| ScanEvent::FindingsRecorded {
        attempt,
        engine: Engine::Secrets,
        batch: 0,
        findings: vec![finding(severity, status), finding(severity, FindingStatus::Suppressed)],
    };
    let history = with(
        running(),
        [
            recorded(1, Severity::Critical, FindingStatus::Open),
            ScanEvent::Requeued {
                attempt: 2,
                reason: "lost".into(),
                not_before: at(5),
                fault: true,
            },
            started(2, STRANGER),
            engine_started(Engine::Secrets),
            recorded(2, Severity::Low, FindingStatus::Open),
            finished(Engine::Secrets, EngineOutcome::Partial),
        ],
    );
    Rules::with(())
        .given(history)
        .when(ScanCommand::Complete { fence: STRANGER, now: at(9) })
        .then_expect_events(vec![ScanEvent::Completed {
            attempt: 2,
            counts: SeverityCounts { low: 1, ..SeverityCounts::default() },
            complete: false,
            completed_at: at(9),
        }]);
}

#[test]
fn one_failing_engine_does_not_fail_the_others_but_all_of_them_do() {
    let both = |second| {
        vec![
            requested(&[Engine::Secrets, Engine::Dependencies]),
            started(1, HOLDER),
            engine_started(Engine::Secrets),
            finished(Engine::Secrets, EngineOutcome::Failed),
            engine_started(Engine::Dependencies),
            finished(Engine::Dependencies, second),
        ]
    };
    let complete = ScanCommand::Complete { fence: HOLDER, now: at(4) };
    Rules::with(())
        .given(both(EngineOutcome::Completed))
        .when(complete.clone())
        .then_expect_events(vec![ScanEvent::Completed {
            attempt: 1,
            counts: SeverityCounts::default(),
            complete: false,
            completed_at: at(4),
        }]);
    Rules::with(()).given(both(EngineOutcome::Failed)).when(complete.clone()).then_expect_events(
        vec![ScanEvent::Failed {
            attempt: 1,
            reason: "no engine could do its work; the warnings say why".into(),
            failed_at: at(4),
        }],
    );
    Rules::with(())
        .given(running())
        .when(complete)
        .then_expect_error(ScanError::EngineUnfinished(Engine::Secrets));
}

#[test]
fn warnings_are_bounded_and_say_how_many_were_left_out() {
    let warning = Warning { code: "c".into(), message: "m".into(), engine: None };
    let command = ScanCommand::FinishEngine {
        fence: HOLDER,
        engine: Engine::Secrets,
        outcome: EngineOutcome::Partial,
        warnings: vec![warning; 1000],
        summary: String::new(),
        now: at(3),
    };
    let state = running().into_iter().fold(Scan::default(), |mut scan, event| {
        cqrs_es::Aggregate::apply(&mut scan, event);
        scan
    });
    let Ok(crate::Decision::Accept(events)) = crate::Decide::decide(&state, command) else {
        panic!("the report of the holder was refused");
    };
    let [ScanEvent::EngineFinished { warnings, .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(warnings.len(), MAX_WARNINGS);
    assert_eq!(warnings[MAX_WARNINGS - 1].message, "901 more warnings were left out");
}
