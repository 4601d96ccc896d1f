use domain::{
    Pii, Sealed,
    audit::{AuditEvent, SinkFormat},
    ids::{ApiKeyId, OrganizationId, PolicyId, SinkId, UserId},
    organizations::{self, OrganizationEvent},
    users::{self, UserEvent},
};
use projections::{
    MAX_LIMIT, Page, Reach, Slice,
    audit::{self, Entry, Wanted},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{account_tests::written, world::*};

const ALL: Slice<'_> = Slice { limit: MAX_LIMIT, cursor: None };

impl World {
    async fn of_organization(&self, n: u128, version: u64, events: &[OrganizationEvent]) -> u64 {
        let id = org(n).to_string();
        self.append_raw(org(n), organizations::TYPE, &id, version, &written(events)).await
    }

    /// What is wanted of the audit log of an organisation once it is at the position.
    async fn audited(&self, n: u128, position: u64, wanted: &Wanted) -> Vec<Entry> {
        self.audit_page(Reach::Organization(scope(n)), position, wanted, ALL).await.items
    }

    async fn audit_page(
        &self,
        reach: Reach,
        position: u64,
        wanted: &Wanted,
        slice: Slice<'_>,
    ) -> Page<Entry> {
        let view = self.view(audit::NAME, position).await;
        audit::list(reach, &view, wanted, slice).await.unwrap()
    }
}

fn created() -> OrganizationEvent {
    OrganizationEvent::Created {
        name: "Acme".to_owned(),
        slug: "acme".to_owned(),
        created_at: at(0),
    }
}

fn policy_id() -> PolicyId {
    PolicyId::from_uuid(Uuid::from_u128(5))
}

fn changed(name: &str) -> OrganizationEvent {
    let policy = json!({ "name": name });
    OrganizationEvent::PolicyChanged { policy_id: policy_id(), policy, changed_at: at(2) }
}

fn plain(fields: &audit::Fields) -> Value {
    json!(fields.plain)
}

#[tokio::test]
async fn every_event_is_an_entry_with_what_it_changed() {
    let (world, _projector) = World::projected().await;
    let key_id = ApiKeyId::from_uuid(Uuid::from_u128(4));
    let issued = OrganizationEvent::ApiKeyIssued {
        key_id,
        name: "ci".to_owned(),
        secret_hash: "5ec3e7".to_owned(),
        issued_at: at(1),
        platform: false,
        scopes: vec!["scans:read".to_owned()],
        expires_at: None,
        requests_per_minute: None,
        issuer: None,
        signing_key: None,
    };
    let added = OrganizationEvent::PolicyAdded {
        policy_id: policy_id(),
        policy: json!({ "name": "one" }),
        added_at: at(1),
    };
    world.of_organization(1, 0, &[created(), issued, added]).await;
    // What was before may lie in another batch or in the same one.
    world.of_organization(1, 3, &[changed("two")]).await;
    let removed = OrganizationEvent::PolicyRemoved { policy_id: policy_id(), removed_at: at(3) };
    world.of_organization(1, 4, &[changed("three"), removed]).await;
    world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    let last = world.append(org(2), scan(2), 0, &whole_scan(2)).await;

    let mut entries = world.audited(1, last, &Wanted::default()).await;
    assert_eq!(entries.len(), 12);
    assert!(entries.is_sorted_by_key(|entry| std::cmp::Reverse(entry.position)));
    entries.reverse();
    let issued = &entries[1];
    assert_eq!(issued.event_type, "organization.api_key_issued");
    assert_eq!((issued.resource_kind.as_str(), issued.actor.as_str()), ("api_key", "operator"));
    assert_eq!(issued.resource_id, key_id.to_string());
    assert_eq!(issued.request_id.as_deref(), Some("r-1"));
    let after = plain(&issued.changes.as_ref().unwrap().after);
    assert_eq!(after["name"], "ci");
    assert_eq!((&after["secret_hash"], &after["key_id"]), (&json!("[secret]"), &Value::Null));

    let changes = |n: usize| entries[n].changes.as_ref().unwrap();
    for (n, before, now) in [(3, "one", "two"), (4, "two", "three")] {
        assert_eq!(plain(&changes(n).before), json!({ "policy": { "name": before } }));
        assert_eq!(plain(&changes(n).after)["policy"], json!({ "name": now }));
    }
    assert_eq!(plain(&changes(5).before), json!({ "policy": { "name": "three" } }));
    let started = changes(7);
    assert_eq!(plain(&started.after)["fence"], "[secret]");
    assert!(started.before.is_empty());
}

#[tokio::test]
async fn entries_are_found_by_actor_resource_action_and_time_and_read_in_pages() {
    let (world, _projector) = World::projected().await;
    world.of_organization(1, 0, &[created(), changed("a")]).await;
    world.append(org(1), scan(1), 0, &whole_scan(1)).await;
    let last = world.of_organization(1, 2, &[changed("b")]).await;
    let all = world.audited(1, last, &Wanted::default()).await;
    let count = async |wanted: Wanted| world.audited(1, last, &wanted).await.len();

    let resource = Wanted { resource_id: Some(policy_id().to_string()), ..Wanted::default() };
    assert_eq!(count(resource).await, 2);
    let kind = Wanted { resource_kind: Some("scan".to_owned()), ..Wanted::default() };
    assert_eq!(count(kind).await, 6);
    let actions = vec!["scan.requested".to_owned(), "organization.created".to_owned()];
    assert_eq!(count(Wanted { actions, ..Wanted::default() }).await, 2);
    let nobody = Wanted { actor: Some("user:nobody".to_owned()), ..Wanted::default() };
    assert_eq!(count(nobody).await, 0);
    let theirs = Wanted { org: Some(org(2)), ..Wanted::default() };
    assert_eq!(count(theirs).await, 0);

    // The last append has a time of its own, or shares it with what was just before.
    let moment = all[0].recorded_at;
    let since = all.iter().filter(|entry| entry.recorded_at >= moment).count();
    assert_eq!(count(Wanted { from: Some(moment), ..Wanted::default() }).await, since);
    let until = Wanted { until: Some(moment), ..Wanted::default() };
    assert_eq!(count(until).await, all.len() - since);
    let later = moment + chrono::TimeDelta::hours(1);
    assert_eq!(count(Wanted { from: Some(later), ..Wanted::default() }).await, 0);
    assert_eq!(count(Wanted { until: Some(later), ..Wanted::default() }).await, all.len());

    let (mut read, mut cursor) = (Vec::new(), None);
    loop {
        let slice = Slice { limit: 2, cursor: cursor.as_deref() };
        let reach = Reach::Installation;
        let page = world.audit_page(reach, last, &Wanted::default(), slice).await;
        read.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(read, all);
}

#[tokio::test]
async fn what_is_personal_stands_apart_sealed_and_belongs_to_one_organisation() {
    let (world, _projector) = World::projected().await;
    let user_id = UserId::from_uuid(Uuid::from_u128(7));
    let sealed =
        |text: &str| Pii::sealed(Sealed { event: Uuid::nil(), text: format!("sealed1.{text}") });
    let signed_up = UserEvent::SignedUp {
        user_id,
        email: sealed("email"),
        email_index: "17".to_owned(),
        name: None,
        password_hash: Some(sealed("hash")),
        signed_up_at: at(0),
    };
    let id = user_id.to_string();
    world.append_raw(org(7), users::TYPE, &id, 0, &written(&[signed_up])).await;
    // Somebody writes what looks like a sealed value.
    let forged = json!(format!("{}.sealed1.email", Uuid::nil()));
    let policy_id = policy_id();
    let added = OrganizationEvent::PolicyAdded { policy_id, policy: forged, added_at: at(1) };
    let last = world.of_organization(1, 0, &[created(), added]).await;

    let mine = world.audited(7, last, &Wanted::default()).await;
    let after = &mine[0].changes.as_ref().unwrap().after;
    let email = &after.personal["email"];
    assert_eq!((email.subject, email.name.as_str()), (user_id.uuid(), "email"));
    assert_eq!(after.plain["password_hash"], "[secret]");
    let theirs = world.audited(1, last, &Wanted::default()).await;
    assert!(theirs.iter().all(|entry| entry.changes.as_ref().unwrap().after.personal.is_empty()));
    assert_eq!(world.audited(3, last, &Wanted::default()).await, []);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_an_entry_all_the_same() {
    let (world, _projector) = World::projected().await;
    let event = ("scan.flown".to_owned(), r#"{"type":"flown","to":"ada"}"#.to_owned());
    let last = world.append_raw(org(1), "scan", "scan_1", 0, &[event]).await;
    let entries = world.audited(1, last, &Wanted::default()).await;
    assert_eq!((entries[0].event_type.as_str(), &entries[0].changes), ("scan.flown", &None));
}

#[tokio::test]
async fn a_rebuilt_audit_log_is_the_same() {
    let (world, _projector) = World::projected().await;
    world.of_organization(1, 0, &[created(), changed("a")]).await;
    for n in 1..=20 {
        world.append(org(n % 3), scan(n), 0, &whole_scan(n)).await;
    }
    world.of_organization(1, 2, &[changed("b")]).await;
    let sink = |n: u128, url: &str| AuditEvent::SinkSet {
        sink_id: SinkId::from_uuid(Uuid::from_u128(n)),
        url: url.to_owned(),
        format: SinkFormat::Ndjson,
        header: "Authorization".to_owned(),
        token: None,
        set_at: at(1),
    };
    let removed = AuditEvent::SinkRemoved {
        sink_id: SinkId::from_uuid(Uuid::from_u128(2)),
        removed_at: at(2),
    };
    let events = [sink(1, "https://a.example"), sink(2, "https://b.example")];
    let id = org(1).to_string();
    world.append_raw(org(1), domain::audit::TYPE, &id, 0, &written(&events)).await;
    let changed = [removed, sink(1, "https://c.example")];
    let last = world.append_raw(org(1), domain::audit::TYPE, &id, 2, &written(&changed)).await;
    let view = world.view(audit::NAME, last).await;
    let sinks = audit::sinks(scope(1), &view).await.unwrap();
    let kept = sinks.iter().map(|sink| (sink.url.as_str(), sink.since)).collect::<Vec<_>>();
    // It goes on from where it was set first.
    assert_eq!(kept, [("https://c.example", last - 4)]);
    assert_eq!(audit::sinks(scope(2), &view).await.unwrap(), []);
    projections::rebuild(&world.pool(), audit::NAME).await.unwrap();
    world
        .until("SELECT EXISTS (SELECT FROM projections WHERE name = 'audit' AND status = 'ready')")
        .await;
    let compared = projections::compare(&world.pool(), audit::NAME, LONG).await.unwrap();
    assert!(compared.is_clean(), "{compared:?}");
    assert!(compared.tables.iter().all(|table| table.live_rows > 0), "{compared:?}");
    let id: OrganizationId = org(1);
    assert_eq!(
        world.audited(1, 0, &Wanted { org: Some(id), ..Wanted::default() }).await.len(),
        3 + 4 + 7 * 6
    );
}
