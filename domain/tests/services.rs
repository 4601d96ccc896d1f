//! What each part of the platform may command.

use chrono::TimeDelta;
use domain::{
    Decide, Service, Timestamp,
    organizations::{Organization, OrganizationCommand},
    scans::{Engine, EngineOutcome, Profile, RepositorySource, Scan, ScanCommand, Target},
};
use uuid::Uuid;

fn commands() -> Vec<(&'static str, ScanCommand)> {
    let (fence, now, reason) = (Uuid::from_u128(1), Timestamp::UNIX_EPOCH, || "r".to_owned());
    let engine = Engine::Secrets;
    let source = RepositorySource::Url("https://example.org/a.git".to_owned());
    let target = Target::Repository { source };
    let delay = Some(TimeDelta::zero());
    vec![
        ("", ScanCommand::Request { target, engines: None, profile: Profile::Quick, now }),
        ("sweeper", ScanCommand::RequestCancel { now }),
        ("worker", ScanCommand::StartAttempt { attempt: 1, fence, worker: reason(), now }),
        ("worker", ScanCommand::StartEngine { fence, engine, now }),
        ("worker", ScanCommand::RecordFindings { fence, engine, batch: 0, findings: vec![] }),
        (
            "worker",
            ScanCommand::FinishEngine {
                fence,
                engine,
                outcome: EngineOutcome::Completed,
                warnings: vec![],
                summary: reason(),
                now,
            },
        ),
        ("worker", ScanCommand::Complete { fence, now }),
        (
            "worker sweeper",
            ScanCommand::FailAttempt { fence, reason: reason(), retry_after: delay, now },
        ),
        ("sweeper", ScanCommand::AbandonAttempt { fence, reason: reason(), now }),
        ("worker", ScanCommand::GiveBack { fence, reason: reason(), now }),
        ("worker", ScanCommand::ConfirmCancelled { fence, now }),
    ]
}

fn able<A: Decide>(command: &A::Command) -> String {
    let able = Service::ALL.into_iter().filter(|service| A::serves(*service, command));
    able.map(Service::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_service_gives_the_commands_of_its_kind_to_scans_alone() {
    for (expected, command) in commands() {
        assert_eq!(able::<Scan>(&command), expected, "{command:?}");
    }
}

#[test]
fn of_organisations_the_mailer_ends_invitations_and_nobody_does_anything_else() {
    let now = Timestamp::UNIX_EPOCH;
    let expire = OrganizationCommand::ExpireInvitations { now };
    assert_eq!(able::<Organization>(&expire), "mailer");
    for command in [OrganizationCommand::Archive { now }, OrganizationCommand::Unsuspend { now }] {
        assert_eq!(able::<Organization>(&command), "", "{command:?}");
    }
}
