//! Advisories and stores as nobody should have written them.

use proptest::prelude::*;
use testkit::{cases, misshapen, mutated};

use super::{super::osv::Document, *};

fn import_one(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let (source, store) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&source).unwrap();
    fs::write(source.join("a.json"), bytes).unwrap();
    fs::write(source.join("b.json"), advisory("GOOD-1", "npm", "good").to_string()).unwrap();
    import(&source, &store, now()).unwrap();
    let advisories = Advisories::open(&store).unwrap();
    let good = advisories.lookup(Ecosystem::Npm, "good").unwrap();
    assert!(good.iter().any(|advisory| advisory.id == "GOOD-1"), "it took another one with it");
    advisories.lookup(Ecosystem::CratesIo, "left-mill").unwrap();
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn damaged_advisories_are_refused_or_read(
        bytes in mutated(vec![advisory("X-1", "crates.io", "left-mill").to_string().into_bytes()]),
    ) {
        if let Ok(document) = serde_json::from_slice::<Document>(&bytes) {
            for (_, _, advisory) in document.advisories() {
                let written = serde_json::to_string(&advisory).unwrap();
                prop_assert_eq!(serde_json::from_str::<Advisory>(&written).unwrap(), advisory);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn an_advisory_of_a_wrong_shape_costs_no_other_one(
        document in misshapen(vec![advisory("X-1", "crates.io", "left-mill")]),
    ) {
        import_one(document.to_string().as_bytes());
    }

    #[test]
    fn a_damaged_store_is_refused_or_read(
        manifest in any::<bool>(),
        damage in mutated(vec![Vec::new()]),
        at in any::<prop::sample::Index>(),
    ) {
        let source = folder(&[advisory("X-1", "crates.io", "left-mill")]);
        let store = tempfile::tempdir().unwrap();
        import(source.path(), store.path(), now()).unwrap();
        for entry in fs::read_dir(store.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".json") == manifest {
                let mut bytes = fs::read(&path).unwrap();
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, damage.iter().copied());
                fs::write(&path, bytes).unwrap();
            }
        }
        if let Ok(advisories) = Advisories::open(store.path()) {
            let _ = advisories.lookup(Ecosystem::CratesIo, "left-mill");
        }
    }
}
