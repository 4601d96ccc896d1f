use domain::audit::SinkFormat;
use outbound::AddressPolicy;
use serde_json::{Deserializer, Value};
use workers::audit::{Options, PlatformSink};

use crate::{
    collector::Collector,
    world::{World, org, quick},
};

fn positions(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["position"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_collector_gets_each_entry_of_its_organisation_once_in_order_with_its_token() {
    let (world, collector) = (World::start().await, Collector::start(&[]).await);
    let (ours, theirs) = (org(), org());
    world.scan(ours).await;
    let sink = world.sink(ours, &collector.url(), SinkFormat::Json, Some("Bearer t0k3n")).await;
    let first = world.journal.head().await.unwrap();
    let _sender = world.sender(quick());
    world.scan(theirs).await;
    let scan = world.scan(ours).await;
    let head = world.journal.head().await.unwrap();
    let state = world.until(sink, |state| state.position == head).await;
    assert_eq!((state.entries, state.tries, state.last_error), (2, 0, None));
    let requests = collector.requests(1).await;
    let entries: Vec<Value> = requests
        .iter()
        .flat_map(|request| serde_json::from_str::<Vec<Value>>(&request.body).unwrap())
        .collect();
    // It begins with itself: what was before it was set is not sent.
    assert_eq!(positions(&entries), [first, head]);
    assert_eq!(entries[0]["action"], "audit.sink_set");
    assert_eq!(entries[0]["changes"]["after"]["token"], "[secret]");
    assert_eq!(entries[1]["resource"]["id"], scan.to_string());
    for request in &requests {
        assert_eq!(request.path, "/intake?source=millrace");
        assert_eq!(request.header("authorization"), "Bearer t0k3n");
        assert_eq!(request.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn what_is_refused_is_tried_again_and_the_state_says_why() {
    let (world, collector) = (World::start().await, Collector::start(&[503, 429]).await);
    let ours = org();
    let sink = world.sink(ours, &collector.url(), SinkFormat::Ndjson, None).await;
    let slow = Options {
        backoff: workers::runtime::Backoff {
            first: std::time::Duration::from_secs(3600),
            longest: std::time::Duration::from_secs(3600),
        },
        ..quick()
    };
    {
        let _sender = world.sender(slow);
        let state = world.until(sink, |state| state.tries == 1).await;
        let error = state.last_error.unwrap();
        assert!(error.contains("503") && error.contains("note"), "{error}");
        assert!(state.next_try_at > state.failed_at.unwrap() + chrono::TimeDelta::minutes(20));
    }
    sqlx::query("UPDATE audit_deliveries SET next_try_at = now()")
        .execute(world.journal.pool())
        .await
        .unwrap();
    let _sender = world.sender(quick());
    let head = world.journal.head().await.unwrap();
    let state = world.until(sink, |state| state.position == head).await;
    assert_eq!((state.entries, state.tries, state.last_error), (1, 0, None));
    let requests = collector.requests(3).await;
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert!(requests[0].body.ends_with('\n'));
}

#[tokio::test]
async fn an_address_of_the_inner_network_is_never_asked() {
    let (world, collector) = (World::start().await, Collector::start(&[]).await);
    let ours = org();
    let by_number = world.sink(ours, &collector.url(), SinkFormat::Json, None).await;
    let named = collector.url().replace("127.0.0.1", "localhost");
    let by_name = world.sink(ours, &named, SinkFormat::Json, None).await;
    let _sender = world.sender(Options { addresses: AddressPolicy::default(), ..quick() });
    for sink in [by_number, by_name] {
        let state = world.until(sink, |state| state.tries > 0).await;
        let error = state.last_error.unwrap();
        assert!(error.contains("loopback address"), "{error}");
    }
    let _strict = world.sender(Options { plain_http: false, ..quick() });
    world
        .until(by_name, |state| state.last_error.as_ref().is_some_and(|e| e.contains("https://")))
        .await;
    assert!(collector.requests(0).await.is_empty());
}

#[tokio::test]
async fn the_platform_gets_the_entries_of_all_and_two_senders_send_once() {
    let (world, collector) = (World::start().await, Collector::start(&[]).await);
    for _ in 0..20 {
        world.scan(org()).await;
    }
    let platform = PlatformSink {
        url: collector.url().parse().unwrap(),
        format: SinkFormat::Splunk,
        header: "Authorization".to_owned(),
        token: Some("Splunk 7".to_owned()),
    };
    let options = Options { platform: Some(platform), ..quick() };
    let _senders = [world.sender(options.clone()), world.sender(options)];
    let head = world.journal.head().await.unwrap();
    let sink = domain::ids::SinkId::from_uuid(uuid::Uuid::nil());
    world.until(sink, |state| state.position == head).await;
    let mut entries = Vec::new();
    for request in collector.requests(1).await {
        for event in Deserializer::from_str(&request.body).into_iter::<Value>() {
            let event = event.unwrap();
            assert_eq!(event["sourcetype"], "millrace:audit");
            assert!(event["time"].as_f64().unwrap() > 1.7e9);
            entries.push(event["event"].clone());
        }
    }
    assert_eq!(positions(&entries), (1..=head).collect::<Vec<_>>());
}
