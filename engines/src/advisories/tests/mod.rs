mod fuzz;

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use domain::Timestamp;
use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn advisory(id: &str, ecosystem: &str, package: &str) -> Value {
    json!({
        "schema_version": "1.6.0",
        "id": id,
        "modified": "2026-01-01T00:00:00Z",
        "summary": format!("{package} is weak"),
        "aliases": ["CVE-2026-1"],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{
            "package": {"ecosystem": ecosystem, "name": package},
            "ranges": [
                {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]},
                {"type": "NEWER-KIND", "events": [{"introduced": "abc"}]},
            ],
        }],
        "references": [{"type": "WEB", "url": "https://example.org/1"}],
        "database_specific": {"severity": "HIGH", "cwe_ids": ["CWE-79", "odd"]},
    })
}

fn folder(advisories: &[Value]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, advisory) in advisories.iter().enumerate() {
        let path = folder.path().join(format!("nested/{number}.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, advisory.to_string()).unwrap();
    }
    folder
}

fn zip(path: &Path, entries: &[(&str, Vec<u8>)]) {
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

fn ids(store: &Path, ecosystem: Ecosystem, name: &str) -> Vec<String> {
    let advisories = Advisories::open(store).unwrap().lookup(ecosystem, name).unwrap();
    advisories.into_iter().map(|advisory| advisory.id).collect()
}

#[test]
fn a_folder_is_imported_and_looked_up_by_package() {
    let mut withdrawn = advisory("RUSTSEC-2026-0003", "crates.io", "alpha");
    withdrawn["withdrawn"] = json!("2026-01-01T00:00:00Z");
    let source = folder(&[
        advisory("RUSTSEC-2026-0002", "crates.io", "alpha"),
        advisory("RUSTSEC-2026-0001", "crates.io", "alpha"),
        advisory("RUSTSEC-2026-0004", "crates.io", "beta"),
        withdrawn,
        advisory("PYSEC-2026-1", "PyPI", "Some_Package.Name"),
        advisory("GO-2026-1", "Go", "example.org/Mod"),
        advisory("DSA-1", "Debian:12", "alpha"),
        json!({"not": "an advisory"}),
    ]);
    let store = tempfile::tempdir().unwrap();
    let report = import(source.path(), store.path(), now()).unwrap();
    assert_eq!((report.files, report.withdrawn, report.other, report.unreadable), (8, 1, 1, 1));
    assert!(report.unreadable_files[0].starts_with("nested/7.json: missing field `id`"));
    let shown = report.to_string();
    assert!(shown.contains("crates.io: 3 advisories about 2 packages\n"), "{shown}");
    assert!(shown.contains("8 files read; left out: 1 withdrawn, 1 about other"), "{shown}");
    let rust = &report.ecosystems[&Ecosystem::CratesIo].files;
    assert_eq!((rust.packages, rust.advisories, rust.digest.len()), (2, 3, 64));
    assert_eq!(
        ids(store.path(), Ecosystem::CratesIo, "alpha"),
        ["RUSTSEC-2026-0001", "RUSTSEC-2026-0002"]
    );
    assert_eq!(ids(store.path(), Ecosystem::CratesIo, "beta"), ["RUSTSEC-2026-0004"]);
    assert_eq!(ids(store.path(), Ecosystem::PyPI, "some-package.name"), ["PYSEC-2026-1"]);
    assert_eq!(ids(store.path(), Ecosystem::Go, "example.org/Mod"), ["GO-2026-1"]);
    assert!(ids(store.path(), Ecosystem::Go, "example.org/mod").is_empty());
    let advisories = Advisories::open(store.path()).unwrap();
    assert!(!advisories.has(Ecosystem::Npm));
    let go = Stored::read(store.path(), Ecosystem::Go).unwrap().unwrap();
    assert_eq!(go.imported_at, now());
    let beta = &advisories.lookup(Ecosystem::CratesIo, "beta").unwrap()[0];
    assert_eq!(beta.cwe, [79]);
    assert_eq!(beta.severity.as_deref(), Some("HIGH"));
    assert_eq!(beta.affected[0].ranges[1].kind, RangeKind::Git);
    assert_eq!(beta.affected[0].ranges[0].events[1], Event::Fixed("1.2.3".to_owned()));
}

#[test]
fn a_zip_archive_replaces_its_ecosystem_and_leaves_the_others() {
    let store = tempfile::tempdir().unwrap();
    let first = folder(&[
        advisory("RUSTSEC-2026-0001", "crates.io", "alpha"),
        advisory("GHSA-1", "npm", "left"),
    ]);
    import(first.path(), store.path(), now()).unwrap();
    let reader = Advisories::open(store.path()).unwrap();
    let archive = store.path().join("../").join(format!("{}.zip", std::process::id()));
    let entry = advisory("GHSA-2", "npm", "@scope/right").to_string().into_bytes();
    zip(&archive, &[("GHSA-2.json", entry), ("README.md", b"text".to_vec())]);
    import(&archive, store.path(), now()).unwrap();
    fs::remove_file(&archive).unwrap();
    assert_eq!(ids(store.path(), Ecosystem::Npm, "@scope/right"), ["GHSA-2"]);
    assert!(ids(store.path(), Ecosystem::Npm, "left").is_empty());
    assert_eq!(ids(store.path(), Ecosystem::CratesIo, "alpha"), ["RUSTSEC-2026-0001"]);
    assert_eq!(reader.lookup(Ecosystem::Npm, "left").unwrap()[0].id, "GHSA-1");
}

#[test]
fn a_zip_bomb_is_refused_and_changes_nothing() {
    let store = tempfile::tempdir().unwrap();
    let source = folder(&[advisory("GHSA-1", "npm", "left")]);
    import(source.path(), store.path(), now()).unwrap();
    let archive = source.path().join("bomb.zip");
    zip(&archive, &[("a.json", vec![b' '; 100_000_000])]);
    assert!(archive.metadata().unwrap().len() < 1_000_000);
    let error = import(&archive, store.path(), now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot import the advisories: entry `a.json`: it unpacks to more than 8388608 bytes; \
         nothing was imported"
    );
    assert_eq!(ids(store.path(), Ecosystem::Npm, "left"), ["GHSA-1"]);
}

#[test]
fn what_holds_no_advisories_is_refused() {
    let store = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let error = import(empty.path(), store.path(), now()).unwrap_err();
    assert!(matches!(error, ImportError::Nothing(_)), "{error}");
    let text = empty.path().join("text.zip");
    fs::write(&text, "no archive").unwrap();
    let error = import(&text, store.path(), now()).unwrap_err();
    assert!(error.to_string().contains("not a readable zip archive"), "{error}");
    let error = import(&empty.path().join("none"), store.path(), now()).unwrap_err();
    assert!(matches!(error, ImportError::Read { .. }), "{error}");
    assert!(matches!(Advisories::open(store.path()), Err(StoreError::Missing(_))));
}

#[test]
fn a_damaged_store_is_told_and_can_be_imported_anew() {
    let store = tempfile::tempdir().unwrap();
    let source = folder(&[advisory("GHSA-1", "npm", "left")]);
    import(source.path(), store.path(), now()).unwrap();
    let manifest = store.path().join("npm.json");
    let elsewhere = fs::read_to_string(&manifest).unwrap().replace("npm.", "../npm.");
    for damaged in ["{", "{}", &elsewhere] {
        fs::write(&manifest, damaged).unwrap();
        assert!(matches!(Advisories::open(store.path()), Err(StoreError::Damaged { .. })));
    }
    import(source.path(), store.path(), now()).unwrap();
    assert_eq!(ids(store.path(), Ecosystem::Npm, "left"), ["GHSA-1"]);
}

#[test]
fn long_texts_are_shortened() {
    let mut long = advisory("GHSA-1", "npm", "left");
    long["details"] = json!("ä".repeat(10_000));
    let source = folder(&[long]);
    let store = tempfile::tempdir().unwrap();
    import(source.path(), store.path(), now()).unwrap();
    let found = Advisories::open(store.path()).unwrap().lookup(Ecosystem::Npm, "left").unwrap();
    assert!(found[0].details.len() < 4100);
    assert!(found[0].details.ends_with("[...]"));
}
