//! Events that scans and organisations bring about, decided by their own rules.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cqrs_es::DomainEvent;
use domain::{
    Decide, Decision,
    ids::{OrganizationId, ScanId},
    organizations::{Organization, OrganizationCommand, Settings},
    scans::{
        Engine, EngineOutcome, Finding, FindingStatus, Location, Profile, Scan, ScanCommand,
        ScanEvent, Severity, Target,
    },
};
use futures::future::try_join_all;
use journal::{AppendRequest, Clock, NewEvent};
use uuid::Uuid;

use super::world::World;

/// Scans that are appended at the same time.
const WRITERS: u64 = 256;
pub const ENGINE: Engine = Engine::Website;

/// A command that makes one event on a new aggregate and claims nothing.
pub fn request(clock: &dyn Clock) -> ScanCommand {
    ScanCommand::Request {
        target: Target::Website { url: "https://shop.example.com/products".to_owned() },
        engines: None,
        profile: Profile::Quick,
        now: clock.now(),
    }
}

pub fn new_id(clock: &dyn Clock) -> String {
    ScanId::from_uuid(clock.new_id()).to_string()
}

/// Lets scans live from request to result until the log has grown by about that many events.
pub async fn grow(world: &World, events: u64) -> anyhow::Result<()> {
    let left = Arc::new(AtomicU64::new(events));
    let writers = (0..WRITERS).map(|_| async {
        loop {
            let life = life(&*world.clock())?;
            let count = life.len() as u64;
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                (left > 0).then(|| left.saturating_sub(count))
            });
            if taken.is_err() {
                return Ok(());
            }
            append::<Scan>(world, world.org, new_id(&*world.clock()), &life).await?;
        }
    });
    try_join_all(writers).await.map(|_| ())
}

/// An organisation that was given so many names.
pub async fn renamed(world: &World, names: u32) -> anyhow::Result<OrganizationId> {
    let clock = world.clock();
    let org = OrganizationId::from_uuid(clock.new_id());
    let slug = slug_of(org);
    let mut commands =
        vec![OrganizationCommand::Create { name: "Shop".to_owned(), slug, now: clock.now() }];
    commands.extend((1..names).map(|_| rename(org, &*clock)));
    append::<Organization>(world, org, org.to_string(), &decided::<Organization>(commands)?)
        .await?;
    Ok(org)
}

/// A name that the organisation never had.
pub fn rename(org: OrganizationId, clock: &dyn Clock) -> OrganizationCommand {
    let settings =
        Settings { name: format!("Shop {}", clock.new_id()), slug: slug_of(org), logo_url: None };
    OrganizationCommand::ChangeSettings { settings, now: clock.now() }
}

fn slug_of(org: OrganizationId) -> String {
    format!("bench-{}", org.uuid().simple())
}

fn report(fence: Uuid, batch: u32) -> ScanCommand {
    ScanCommand::RecordFindings { fence, engine: ENGINE, batch, findings: vec![finding(batch)] }
}

fn begin(clock: &dyn Clock, fence: Uuid) -> Vec<ScanCommand> {
    let (now, worker) = (clock.now(), "worker-1".to_owned());
    vec![
        request(clock),
        ScanCommand::StartAttempt { attempt: 1, fence, worker, now },
        ScanCommand::StartEngine { fence, engine: ENGINE, now },
    ]
}

fn life(clock: &dyn Clock) -> anyhow::Result<Vec<ScanEvent>> {
    let (fence, now) = (clock.new_id(), clock.now());
    let mut commands = begin(clock, fence);
    commands.extend([
        report(fence, 0),
        ScanCommand::FinishEngine {
            fence,
            engine: ENGINE,
            outcome: EngineOutcome::Completed,
            warnings: Vec::new(),
            summary: "12 pages, 0.3 MB".to_owned(),
            now,
        },
        ScanCommand::Complete { fence, now },
    ]);
    decided::<Scan>(commands)
}

fn decided<A: Decide>(commands: Vec<A::Command>) -> anyhow::Result<Vec<A::Event>> {
    let (mut state, mut all) = (A::default(), Vec::with_capacity(commands.len()));
    for command in commands {
        if let Decision::Accept(events) = state.decide(command)? {
            events.iter().for_each(|event| state.evolve(event));
            all.extend(events);
        }
    }
    Ok(all)
}

async fn append<A: Decide>(
    world: &World,
    org: OrganizationId,
    id: String,
    events: &[A::Event],
) -> anyhow::Result<()> {
    let (context, clock) = (world.context(), world.clock());
    let claims = events.iter().flat_map(A::claims).collect();
    let events = events.iter().map(|event| {
        Ok(NewEvent {
            event_id: clock.new_id(),
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: serde_json::value::to_raw_value(event)?,
        })
    });
    let request = AppendRequest {
        org,
        aggregate_type: A::TYPE,
        aggregate_id: id,
        expected_version: 0,
        events: events.collect::<anyhow::Result<_>>()?,
        claims,
        idempotency: None,
        command_id: clock.new_id(),
        correlation_id: context.correlation_id,
        causation_id: None,
        actor: context.actor.to_string(),
        metadata: BTreeMap::new(),
    };
    world.installation.journal.append_request(request).await?;
    Ok(())
}

fn finding(number: u32) -> Finding {
    Finding {
        rule_id: "website.missing-header".to_owned(),
        title: "A safety header is missing".to_owned(),
        description: "Browsers are not told to use HTTPS alone.".to_owned(),
        severity: Severity::Medium,
        cvss: None,
        cwe: vec![319],
        location: Location::Url { url: "https://shop.example.com/".to_owned(), part: None },
        evidence: None,
        fix: None,
        references: Vec::new(),
        aliases: Vec::new(),
        package: None,
        status: FindingStatus::Open,
        fingerprint: format!("{number:032x}"),
    }
}
