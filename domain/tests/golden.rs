//! Every event version ever written is read for ever. A golden file is added with a new version
//! and never changed again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use cqrs_es::{Aggregate, DomainEvent};
use domain::{
    Event,
    address_blocks::AddressBlock,
    audit::Audit,
    event::{catalogue, private_fields},
    factors::Factors,
    organizations::Organization,
    scans::Scan,
    sessions::Session,
    users::User,
};
use serde_json::Value;

fn golden() -> BTreeMap<(String, u32), Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden");
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|file| {
            let path = file.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let (name, version) = stem.rsplit_once(".v").unwrap();
            let payload = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            ((name.to_owned(), version.parse().unwrap()), payload)
        })
        .collect()
}

#[test]
fn golden_events_decode() {
    for ((name, version), payload) in golden() {
        let (aggregate, _) = name.split_once('.').unwrap();
        let events = Event::decode(aggregate, &name, version, &payload.to_string())
            .unwrap_or_else(|error| panic!("{name} of version {version}: {error:?}"));
        for event in events {
            match event {
                Event::AddressBlock(event) => AddressBlock::default().apply(event),
                Event::Audit(event) => Audit::default().apply(event),
                Event::Factor(event) => Factors::default().apply(event),
                Event::Organization(event) => Organization::default().apply(event),
                Event::Scan(event) => Scan::default().apply(event),
                Event::Session(event) => Session::default().apply(event),
                Event::User(event) => User::default().apply(event),
            }
        }
    }
}

#[test]
fn every_event_type_has_a_golden_file_of_its_current_version() {
    let golden = golden();
    for event_type in catalogue() {
        let key = (event_type.name.to_owned(), event_type.version);
        assert!(golden.contains_key(&key), "schemas/golden lacks {key:?}");
    }
}

#[test]
fn a_field_that_sounds_like_a_secret_is_private_and_private_fields_are_there() {
    let secret = ["secret", "hash", "fence", "token", "password"];
    for ((name, version), payload) in golden() {
        let fields = payload.as_object().unwrap();
        for field in fields.keys() {
            let sounds = secret.iter().any(|word| field.contains(word));
            let private = private_fields(&name).contains(&field.as_str());
            assert_eq!(private, sounds, "{field} of {name} v{version}");
        }
        for field in private_fields(&name) {
            assert!(fields.contains_key(*field), "{name} v{version} has no {field}");
        }
    }
}

/// A field that was dropped or renamed would still decode; it would not come out again.
#[test]
fn events_of_the_current_version_are_written_as_they_were_read() {
    for ((name, version), payload) in golden() {
        let current = catalogue().find(|event_type| event_type.name == name);
        if current.is_none_or(|event_type| event_type.version != version) {
            continue;
        }
        let (aggregate, _) = name.split_once('.').unwrap();
        let events = Event::decode(aggregate, &name, version, &payload.to_string()).unwrap();
        let [event] = events.as_slice() else { panic!("{name} became {events:?}") };
        let (written, event_type, event_version) = match event {
            Event::AddressBlock(e) => (serde_json::to_value(e), e.event_type(), e.event_version()),
            Event::Audit(e) => (serde_json::to_value(e), e.event_type(), e.event_version()),
            Event::Factor(e) => (serde_json::to_value(e), e.event_type(), e.event_version()),
            Event::Organization(e) => (serde_json::to_value(e), e.event_type(), e.event_version()),
            Event::Scan(e) => (serde_json::to_value(e), e.event_type(), e.event_version()),
            Event::Session(e) => (serde_json::to_value(e), e.event_type(), e.event_version()),
            Event::User(e) => (serde_json::to_value(e), e.event_type(), e.event_version()),
        };
        assert_eq!(written.unwrap(), payload, "{name}");
        assert_eq!((event_type, event_version), (name, version.to_string()));
    }
}
