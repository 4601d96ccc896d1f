use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use domain::Timestamp;
use engines::advisories::{self as store, Ecosystem};
use futures::TryStreamExt;
use journal::{Clock, SystemClock};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

use super::{Advisories, Error, at};

fn advisory(id: &str, ecosystem: &str, details: &str) -> String {
    format!(
        r#"{{"id": "{id}", "details": "{details}", "affected": [{{"package":
            {{"ecosystem": "{ecosystem}", "name": "left"}}, "versions": ["1.0.0"]}}]}}"#
    )
}

async fn import(advisories: &Advisories, texts: &[String], now: Timestamp) {
    let (source, built) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for (number, text) in texts.iter().enumerate() {
        fs::write(source.path().join(format!("{number}.json")), text).unwrap();
    }
    store::import(source.path(), built.path(), now).unwrap();
    advisories.publish(built.path(), now).await.unwrap();
}

fn worker(store: &Arc<InMemory>) -> (Advisories, TempDir) {
    let folder = TempDir::new().unwrap();
    (Advisories::new(store.clone(), folder.path().join("copy")), folder)
}

fn ids(copy: &Path, ecosystem: Ecosystem) -> Vec<String> {
    let open = store::Advisories::open(copy).unwrap();
    let found = open.lookup(ecosystem, "left").unwrap();
    found.into_iter().map(|advisory| advisory.id).collect()
}

async fn objects(store: &InMemory) -> Vec<String> {
    let all: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut names: Vec<_> =
        all.iter().map(|object| object.location.filename().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn a_copy_follows_each_import_and_keeps_nothing_old() {
    let store = Arc::new(InMemory::new());
    let (advisories, _folder) = worker(&store);
    advisories.refresh().await.unwrap();
    assert!(store::Advisories::open(advisories.copy()).is_err(), "nothing was imported yet");

    let now = SystemClock.now();
    import(&advisories, &[advisory("A-1", "npm", ""), advisory("B-1", "Go", "")], now).await;
    let (other, _elsewhere) = worker(&store);
    for copy in [&advisories, &other] {
        copy.refresh().await.unwrap();
        assert_eq!(ids(copy.copy(), Ecosystem::Npm), ["A-1"]);
    }
    let reading = store::Advisories::open(advisories.copy()).unwrap();
    import(&advisories, &[advisory("A-2", "npm", "")], now).await;
    fs::write(advisories.copy().join("npm.json"), "{").unwrap();
    fs::write(advisories.copy().join("npm.0.ndjson.new"), "of one that was killed").unwrap();
    advisories.refresh().await.unwrap();
    assert_eq!(ids(advisories.copy(), Ecosystem::Npm), ["A-2"]);
    assert_eq!(ids(advisories.copy(), Ecosystem::Go), ["B-1"], "it was not imported again");
    assert_eq!(reading.lookup(Ecosystem::Npm, "left").unwrap()[0].id, "A-1");
    assert_eq!(count(advisories.copy()), 7, "three files for each ecosystem, and the lock");

    store.delete(&at("go.json")).await.unwrap();
    advisories.refresh().await.unwrap();
    assert!(!store::Advisories::open(advisories.copy()).unwrap().has(Ecosystem::Go));
}

#[tokio::test]
async fn several_that_share_a_copy_take_turns() {
    let store = Arc::new(InMemory::new());
    let (advisories, _folder) = worker(&store);
    import(&advisories, &[advisory("A-1", "npm", "")], SystemClock.now()).await;
    let refreshes = (0..8).map(|_| advisories.refresh());
    futures::future::try_join_all(refreshes).await.unwrap();
    assert_eq!(ids(advisories.copy(), Ecosystem::Npm), ["A-1"]);
}

#[tokio::test]
async fn what_is_not_what_was_imported_is_refused_and_the_copy_stays() {
    let store = Arc::new(InMemory::new());
    let (advisories, _folder) = worker(&store);
    let now = SystemClock.now();
    import(&advisories, &[advisory("A-1", "npm", "")], now).await;
    advisories.refresh().await.unwrap();
    import(&advisories, &[advisory("A-2", "npm", "")], now).await;
    for name in objects(&store).await {
        if name.ends_with(".ndjson") {
            store.put(&at(&name), "something else".into()).await.unwrap();
        }
    }
    let error = advisories.refresh().await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert_eq!(ids(advisories.copy(), Ecosystem::Npm), ["A-1"]);
    store.put(&at("npm.json"), "{}".into()).await.unwrap();
    let error = advisories.refresh().await.unwrap_err();
    assert!(error.to_string().starts_with("npm.json in the object store is not"), "{error}");
    assert_eq!(ids(advisories.copy(), Ecosystem::Npm), ["A-1"]);
}

#[tokio::test]
async fn an_import_removes_what_no_reader_can_want_any_more() {
    let store = Arc::new(InMemory::new());
    let (advisories, _folder) = worker(&store);
    store.put(&at("unrelated.txt"), "x".into()).await.unwrap();
    let now = SystemClock.now();
    import(&advisories, &[advisory("A-1", "npm", "")], now).await;
    let first = objects(&store).await;
    // Days later, when the first files are no longer young.
    let later = now + TimeDelta::days(3);
    import(&advisories, &[advisory("A-2", "npm", "")], later).await;
    let second = objects(&store).await;
    assert!(first.iter().all(|name| second.contains(name)), "a reader may be fetching them");
    import(&advisories, &[advisory("A-3", "npm", "")], later).await;
    let third = objects(&store).await;
    assert_eq!(third.len(), second.len(), "those of the first import are gone: {third:?}");
    assert!(third.contains(&"unrelated.txt".to_owned()));
}

#[tokio::test]
async fn large_files_go_up_in_parts_and_come_back_whole() {
    let store = Arc::new(InMemory::new());
    let (advisories, _folder) = worker(&store);
    // Of each text some 4 kB are kept.
    let details = "x".repeat(4000);
    let texts: Vec<_> = (0..4500).map(|n| advisory(&format!("A-{n}"), "npm", &details)).collect();
    import(&advisories, &texts, SystemClock.now()).await;
    advisories.refresh().await.unwrap();
    assert_eq!(ids(advisories.copy(), Ecosystem::Npm).len(), 4500);
    let largest = fs::read_dir(advisories.copy()).unwrap().map(|e| e.unwrap().metadata().unwrap());
    assert!(
        largest.map(|metadata| metadata.len()).max() > Some(2 * super::publish::PART_BYTES as u64)
    );
}
