use std::cmp::Ordering;

use crate::{advisories::Ecosystem, dependencies::versions::Version};

fn assert_ascending(ecosystem: Ecosystem, versions: &[&str]) {
    let parsed: Vec<_> =
        versions.iter().map(|text| Version::parse(ecosystem, text).expect(text)).collect();
    for (at, a) in parsed.iter().enumerate() {
        for (other, b) in parsed.iter().enumerate() {
            assert_eq!(a.compare(b), Some(at.cmp(&other)), "{a:?} and {b:?}");
        }
    }
}

fn assert_equal(ecosystem: Ecosystem, a: &str, b: &str) {
    let compared =
        Version::parse(ecosystem, a).unwrap().compare(&Version::parse(ecosystem, b).unwrap());
    assert_eq!(compared, Some(Ordering::Equal), "{a} and {b}");
}

#[test]
fn semantic_versions_are_ordered_by_precedence() {
    let versions = [
        "0.0.0-0",
        "0.1",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2",
        "1.10.0",
        "2",
    ];
    for ecosystem in [Ecosystem::CratesIo, Ecosystem::Npm] {
        assert_ascending(ecosystem, &versions);
    }
    assert_equal(Ecosystem::CratesIo, "1.0.0+a", "1.0.0+b");
    for text in ["", "latest", "1.2.3.4", "1..2", "^1.0", "1.0.0-01", "-1"] {
        assert_eq!(Version::parse(Ecosystem::Npm, text), None, "{text}");
    }
}

#[test]
fn go_versions_include_pseudo_versions() {
    assert_ascending(
        Ecosystem::Go,
        &[
            "v0.0.0-20180917221912-90fa682c2a6e",
            "v0.0.0-20210921155107-089bfa567519",
            "v0.1.0",
            "v1.2.3-pre",
            "v1.2.3-pre.0.20200101000000-0123456789ab",
            "v1.2.3",
            "v1.2.4-0.20191109021931-daa7c04131f5",
            "v1.2.4",
            "v2.0.0+incompatible",
        ],
    );
    assert_equal(Ecosystem::Go, "v1.2.3", "1.2.3");
    assert_equal(Ecosystem::Go, "v2.0.0+incompatible", "2.0.0");
}

#[test]
fn python_versions_are_ordered_as_pep_440_has_it() {
    assert_ascending(
        Ecosystem::PyPI,
        &[
            "0.9",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev456",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.0.15",
            "1.1.dev1",
            "1.10",
            "2024.1",
            "1!0.1",
        ],
    );
    for (a, b) in [
        ("1.0", "1.0.0"),
        ("v1.0", "1.0"),
        ("1.0-alpha.1", "1.0a1"),
        ("1.0c1", "1.0rc1"),
        ("1.0preview2", "1.0rc2"),
        ("1.0-1", "1.0.post1"),
        ("1.0.REV3", "1.0.post3"),
        ("1.0dev", "1.0.dev0"),
        ("1.0+Ubuntu-1", "1.0+ubuntu.1"),
    ] {
        assert_equal(Ecosystem::PyPI, a, b);
    }
    for text in ["", "latest", "1.0.x", "1.0 beta 2 final", "99999999999999999999999.0"] {
        assert_eq!(Version::parse(Ecosystem::PyPI, text), None, "{text}");
    }
}
