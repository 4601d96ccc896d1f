//! Lock files and versions as nobody should have written them: never a panic, never endless.

use proptest::{prelude::*, sample::select};
use testkit::{cases, mutated, odd_text};

use crate::{
    advisories::{Advisory, Affected, Ecosystem, Event, Range, RangeKind},
    dependencies::{
        cvss,
        lockfiles::Kind,
        matching::{Verdict, evaluate},
        purl::purl,
        versions::Version,
    },
};

const ECOSYSTEMS: [Ecosystem; 4] =
    [Ecosystem::CratesIo, Ecosystem::Go, Ecosystem::Npm, Ecosystem::PyPI];

/// A small file of each kind.
const SAMPLES: [(Kind, &str); 11] = [
    (
        Kind::Cargo,
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n\
         [metadata]\n\"checksum a\" = \"0\"\n",
    ),
    (
        Kind::PackageLock,
        r#"{"lockfileVersion": 2, "packages": {"": {"name": "own"}, "node_modules/@s/a":
           {"version": "1.0.0"}}, "dependencies": {"a": {"version": "npm:real@3.0.0",
           "dependencies": {"b": {"version": "2.0.0"}}}}}"#,
    ),
    (
        Kind::Yarn,
        "# yarn lockfile v1\n\n\"@b/core@^7.0.0\", left@1.x:\n  version \"7.1.0\"\n  dependencies:\n\
         \x20   left \"1\"\n\n\"short@npm:real@^1.0.0\":\n  version: 1.0.5\n",
    ),
    (
        Kind::Pnpm,
        "lockfileVersion: '6.0'\n\npackages:\n\n  /a@1.0.0:\n    dev: true\n\n  \
         /@scope/b/2.0.0_a@1.0.0:\n    dev: false\n\n  '@s/c@2.0.0(a@1.0.0)':\n    x: {}\n",
    ),
    (
        Kind::Requirements,
        "Django==4.2.1  # why\nrequests[security,socks] == 2.31.0 ; python_version > '3'\nflask>=2\n\
         hashed==1.0 \\\n    --hash=sha256:abc\n-r other.txt\ndirect @ https://host/x.whl\n",
    ),
    (
        Kind::Poetry,
        "[[package]]\nname = \"own\"\nversion = \"0.1\"\n[package.source]\ntype = \"directory\"\n",
    ),
    (
        Kind::Pipfile,
        r#"{"_meta": {}, "default": {"django": {"version": "==4.2.1"}, "own": {"path": "."}}}"#,
    ),
    (
        Kind::Uv,
        "version = 1\n[[package]]\nname = \"f\"\nversion = \"3.0.0\"\nsource = { registry = \"x\" }\n",
    ),
    (Kind::Pdm, "[[package]]\nname = \"own\"\nversion = \"0.1\"\npath = \"./own\"\n"),
    (
        Kind::GoMod,
        "module example.org/own\n\nrequire example.org/a v1.0.0\n\nrequire (\n\t\
         example.org/b v1.2.3 // indirect\n)\n\nreplace example.org/b => example.org/fork v1.9.0\n",
    ),
    (Kind::GoSum, "example.org/a v1.0.0 h1:x=\nexample.org/a v1.0.0/go.mod h1:y=\n"),
];

/// A damaged file, and a kind that it may or may not have been of.
fn lock_file() -> impl Strategy<Value = (Kind, Vec<u8>)> {
    let kinds = select(SAMPLES.map(|(kind, _)| kind).to_vec());
    (select(SAMPLES.to_vec()), proptest::option::weighted(0.2, kinds)).prop_flat_map(
        |((kind, sample), other)| {
            (Just(other.unwrap_or(kind)), mutated(vec![sample.as_bytes().to_vec()]))
        },
    )
}

fn version() -> impl Strategy<Value = String> {
    let samples = ["1.2.3-rc.1+build.5", "1!2.0.post1.dev3+local", "v0.0.0-20200101000000-0123"];
    let damaged = mutated(samples.map(|sample| sample.as_bytes().to_vec()).to_vec());
    prop_oneof![
        3 => damaged.prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => odd_text(),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    (0..4_u8, version()).prop_map(|(kind, version)| match kind {
        0 => Event::Introduced(version),
        1 => Event::Fixed(version),
        2 => Event::LastAffected(version),
        _ => Event::Limit(version),
    })
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn damaged_lock_files_are_refused_or_read((kind, bytes) in lock_file()) {
        if let Ok(packages) = kind.read(&bytes) {
            for package in packages.packages {
                let url = purl(kind.ecosystem(), &package.name, &package.version);
                prop_assert!(url.starts_with("pkg:"), "{url}");
                prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
            }
        }
    }

    #[test]
    fn versions_are_in_one_order(a in version(), b in version()) {
        for ecosystem in ECOSYSTEMS {
            let parsed = (Version::parse(ecosystem, &a), Version::parse(ecosystem, &b));
            let (Some(a), Some(b)) = parsed else { continue };
            prop_assert_eq!(a.compare(&b), b.compare(&a).map(std::cmp::Ordering::reverse));
            prop_assert_eq!(a.compare(&a), Some(std::cmp::Ordering::Equal));
        }
    }

    #[test]
    fn an_advisory_of_odd_versions_comes_to_a_verdict(
        installed in version(),
        versions in proptest::collection::vec(version(), 0..3),
        events in proptest::collection::vec(event(), 0..6),
    ) {
        let ranges = [RangeKind::Semver, RangeKind::Ecosystem].map(|kind| {
            Range { kind, events: events.clone() }
        });
        let affected = vec![Affected { ranges: ranges.to_vec(), versions: versions.clone() }];
        let advisory = Advisory { id: "X-1".to_owned(), affected, ..Advisory::default() };
        for ecosystem in ECOSYSTEMS {
            let verdict = evaluate(ecosystem, &installed, &advisory);
            if ecosystem != Ecosystem::PyPI && versions.contains(&installed) {
                prop_assert!(
                    matches!(verdict, Verdict::Affected { .. }),
                    "{installed:?} is listed, and {verdict:?} by {ecosystem:?}"
                );
            }
        }
    }

    #[test]
    fn a_score_is_between_0_and_10(
        vector in mutated(vec![
            b"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H".to_vec(),
            b"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:P".to_vec(),
        ]),
    ) {
        if let Some(score) = cvss::score(&String::from_utf8_lossy(&vector)) {
            prop_assert!((0.0..=10.0).contains(&score), "{score}");
        }
    }
}
