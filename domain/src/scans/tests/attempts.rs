use chrono::TimeDelta;

use super::*;

#[test]
fn an_attempt_is_started_once() {
    let queued = vec![requested(&[Engine::Secrets])];
    Rules::with(())
        .given(queued.clone())
        .when(start(1, HOLDER))
        .then_expect_events(vec![started(1, HOLDER)]);
    Rules::with(())
        .given(queued.clone())
        .when(start(2, HOLDER))
        .then_expect_error(ScanError::NotWaiting(2));
    let taken = with(queued, [started(1, HOLDER)]);
    Rules::with(())
        .given(taken.clone())
        .when(start(1, STRANGER))
        .then_expect_error(ScanError::NotWaiting(1));
    // The same worker that did not hear the answer.
    Rules::with(()).given(taken).when(start(1, HOLDER)).then_expect_events(vec![]);
    Rules::with(())
        .given_no_previous_events()
        .when(start(1, HOLDER))
        .then_expect_error(ScanError::NotFound);
}

#[test]
fn only_the_holder_of_the_fence_reports() {
    let reports = |fence| {
        [
            ScanCommand::StartEngine { fence, engine: Engine::Secrets, now: at(2) },
            ScanCommand::RecordFindings {
                fence,
                engine: Engine::Secrets,
                batch: 0,
                findings: vec![],
            },
            ScanCommand::FinishEngine {
                fence,
                engine: Engine::Secrets,
                outcome: EngineOutcome::Completed,
                warnings: vec![],
                summary: String::new(),
                now: at(3),
            },
            ScanCommand::Complete { fence, now: at(4) },
            ScanCommand::FailAttempt { fence, reason: "r".into(), retry_after: None, now: at(4) },
            ScanCommand::AbandonAttempt { fence, reason: "r".into(), now: at(4) },
            ScanCommand::ConfirmCancelled { fence, now: at(4) },
        ]
    };
    for command in reports(STRANGER) {
        Rules::with(()).given(running()).when(command).then_expect_error(ScanError::StaleAttempt);
    }
    // The first holder was taken for dead and a second one runs the next attempt.
    let taken_over = with(
        running(),
        [
            ScanEvent::Requeued {
                attempt: 2,
                reason: "lost".into(),
                not_before: at(5),
                fault: true,
            },
            started(2, STRANGER),
        ],
    );
    for command in reports(HOLDER) {
        Rules::with(())
            .given(taken_over.clone())
            .when(command)
            .then_expect_error(ScanError::StaleAttempt);
    }
}

#[test]
fn a_failed_attempt_is_tried_again_until_its_budget_is_spent() {
    let fail = |fence, retry_after| ScanCommand::FailAttempt {
        fence,
        reason: "r".into(),
        retry_after,
        now: at(10),
    };
    let minute = TimeDelta::seconds(60);
    let failed = |attempt| ScanEvent::Failed { attempt, reason: "r".into(), failed_at: at(10) };
    Rules::with(()).given(running()).when(fail(HOLDER, Some(minute))).then_expect_events(vec![
        ScanEvent::Requeued { attempt: 2, reason: "r".into(), not_before: at(70), fault: true },
    ]);
    Rules::with(()).given(running()).when(fail(HOLDER, None)).then_expect_events(vec![failed(1)]);
    let again = |attempt| {
        let reason = "r".into();
        ScanEvent::Requeued { attempt, reason, not_before: at(5), fault: true }
    };
    let last = vec![requested(&[Engine::Secrets]), again(2), again(3), started(3, HOLDER)];
    Rules::with(())
        .given(last)
        .when(fail(HOLDER, Some(minute)))
        .then_expect_events(vec![failed(3)]);
}

#[test]
fn an_attempt_that_is_given_back_costs_none() {
    let mut history = vec![requested(&[Engine::Secrets])];
    for attempt in 1..=5 {
        history.push(started(attempt, HOLDER));
        let given_back = ScanEvent::Requeued {
            attempt: attempt + 1,
            reason: "shutdown".into(),
            not_before: at(7),
            fault: false,
        };
        Rules::with(())
            .given(history.clone())
            .when(ScanCommand::GiveBack { fence: HOLDER, reason: "shutdown".into(), now: at(7) })
            .then_expect_events(vec![given_back.clone()]);
        history.push(given_back);
    }
}

#[test]
fn cancelling_ends_what_waits_at_once_and_asks_what_runs() {
    let cancel = ScanCommand::RequestCancel { now: at(7) };
    let cancelled = ScanEvent::Cancelled { cancelled_at: at(7) };
    let asked = ScanEvent::CancelRequested { requested_at: at(7) };
    Rules::with(())
        .given(vec![requested(&[Engine::Secrets])])
        .when(cancel.clone())
        .then_expect_events(vec![cancelled.clone()]);
    Rules::with(()).given(running()).when(cancel.clone()).then_expect_events(vec![asked.clone()]);
    let asked = with(running(), [asked]);
    Rules::with(()).given(asked.clone()).when(cancel.clone()).then_expect_events(vec![]);
    Rules::with(())
        .given(asked.clone())
        .when(ScanCommand::ConfirmCancelled { fence: HOLDER, now: at(7) })
        .then_expect_events(vec![cancelled.clone()]);
    // Also when its worker died instead of confirming.
    Rules::with(())
        .given(asked.clone())
        .when(ScanCommand::AbandonAttempt { fence: HOLDER, reason: "lost".into(), now: at(7) })
        .then_expect_events(vec![cancelled.clone()]);
    Rules::with(()).given(with(asked, [cancelled])).when(cancel.clone()).then_expect_events(vec![]);
    let ended =
        with(running(), [ScanEvent::Failed { attempt: 1, reason: "r".into(), failed_at: at(5) }]);
    Rules::with(()).given(ended).when(cancel.clone()).then_expect_error(ScanError::Ended("failed"));
    Rules::with(()).given_no_previous_events().when(cancel).then_expect_error(ScanError::NotFound);
}
