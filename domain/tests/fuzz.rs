//! Decoders of the domain under damaged input: an error is fine, a panic is not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use cqrs_es::Aggregate;
use domain::{
    Event,
    address_blocks::AddressBlock,
    audit::Audit,
    event::catalogue,
    factors::Factors,
    ids::{ApiKeyId, OrganizationId, ScanId},
    organizations::Organization,
    scans::Scan,
    sessions::Session,
    users::User,
};
use proptest::{prelude::*, sample::select};
use serde_json::Value;
use testkit::{cases, misshapen, mutated, odd_text};
use uuid::Uuid;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/golden");

/// Name and payload of every golden event.
fn golden() -> Vec<(String, Vec<u8>)> {
    let golden: Vec<_> = fs::read_dir(Path::new(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            (stem.rsplit_once(".v").unwrap().0.to_owned(), fs::read(&path).unwrap())
        })
        .collect();
    assert!(golden.len() >= catalogue().count());
    golden
}

/// A name, mostly of the event that the payload was before.
fn damaged() -> impl Strategy<Value = (String, Vec<u8>)> {
    let event =
        select(golden()).prop_flat_map(|(name, payload)| (Just(name), mutated(vec![payload])));
    (event, proptest::option::weighted(0.1, odd_text()))
        .prop_map(|((name, payload), other)| (other.unwrap_or(name), payload))
}

fn out_of_shape() -> impl Strategy<Value = (String, Value)> {
    select(golden()).prop_flat_map(|(name, payload)| {
        (Just(name), misshapen(vec![serde_json::from_slice(&payload).unwrap()]))
    })
}

/// What is taken for an event can also be folded and written again.
fn decode(event_type: &str, version: u32, payload: &str) {
    let aggregate = event_type.split('.').next().unwrap_or_default();
    let Ok(events) = Event::decode(aggregate, event_type, version, payload) else { return };
    for event in events {
        let _ = event.job_change();
        let written = match event {
            Event::AddressBlock(event) => {
                let written = serde_json::to_string(&event).unwrap();
                AddressBlock::default().apply(event);
                written
            }
            Event::Audit(event) => {
                let written = serde_json::to_string(&event).unwrap();
                Audit::default().apply(event);
                written
            }
            Event::Factor(event) => {
                let written = serde_json::to_string(&event).unwrap();
                Factors::default().apply(event);
                written
            }
            Event::Organization(event) => {
                let written = serde_json::to_string(&event).unwrap();
                Organization::default().apply(event);
                written
            }
            Event::Scan(event) => {
                let written = serde_json::to_string(&event).unwrap();
                Scan::default().apply(event);
                written
            }
            Event::Session(event) => {
                let written = serde_json::to_string(&event).unwrap();
                Session::default().apply(event);
                written
            }
            Event::User(event) => {
                let written = serde_json::to_string(&event).unwrap();
                User::default().apply(event);
                written
            }
        };
        let again = Event::decode(aggregate, event_type, version, &written);
        assert!(again.is_ok(), "{written} was written and cannot be read: {again:?}");
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn damaged_events_are_refused_or_read(
        (event_type, payload) in damaged(),
        version in prop_oneof![9 => Just(1), 1 => any::<u32>()],
    ) {
        decode(&event_type, version, &String::from_utf8_lossy(&payload));
    }

    #[test]
    fn events_of_a_wrong_shape_are_refused_or_read((event_type, payload) in out_of_shape()) {
        decode(&event_type, 1, &payload.to_string());
    }

    #[test]
    fn an_id_comes_back_as_it_was_written(number in any::<u128>()) {
        let id = ScanId::from_uuid(Uuid::from_u128(number));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert!(id.to_string().parse::<OrganizationId>().is_err());
    }

    /// One id has one spelling, so that ids can be compared as texts.
    #[test]
    fn what_is_taken_for_an_id_is_spelt_as_it_would_be_written(
        text in mutated(vec![
            b"scan_01h455vb4pex5vsknk084sn02q".to_vec(),
            b"key_7zzzzzzzzzzzzzzzzzzzzzzzzz".to_vec(),
            b"org_00000000000000000000000000".to_vec(),
        ]),
    ) {
        let text = String::from_utf8_lossy(&text);
        let spelt = [
            text.parse::<ScanId>().map(|id| id.to_string()),
            text.parse::<ApiKeyId>().map(|id| id.to_string()),
            text.parse::<OrganizationId>().map(|id| id.to_string()),
        ];
        for spelt in spelt.into_iter().flatten() {
            prop_assert_eq!(&spelt, &text);
        }
    }
}
