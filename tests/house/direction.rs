use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each crate of the house and those it may name. Tests of any crate may also name `testkit`.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("access", &[]),
    ("credentials", &[]),
    ("domain", &[]),
    ("embedded", &[]),
    ("engines", &["domain", "outbound"]),
    ("journal", &["domain", "vault"]),
    ("mail", &[]),
    ("outbound", &[]),
    ("projections", &["domain", "journal"]),
    ("api", &["access", "credentials", "domain", "journal", "outbound", "projections", "vault"]),
    ("workers", &["domain", "engines", "journal", "mail", "outbound", "projections", "vault"]),
    ("testkit", &["embedded"]),
    ("vault", &[]),
    (
        "millrace",
        &[
            "access",
            "api",
            "credentials",
            "domain",
            "embedded",
            "engines",
            "journal",
            "mail",
            "outbound",
            "projections",
            "vault",
            "workers",
        ],
    ),
];

#[test]
fn dependencies_point_one_way() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let house: BTreeSet<_> =
        metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(house, ALLOWED.iter().map(|(name, _)| *name).collect());
    for package in &metadata.packages {
        let (_, allowed) = ALLOWED.iter().find(|(name, _)| package.name == *name).unwrap();
        let named = package.dependencies.iter().filter(|edge| house.contains(edge.name.as_str()));
        for edge in named {
            let for_tests = edge.kind == DependencyKind::Development && edge.name == "testkit";
            let fine = for_tests || allowed.contains(&edge.name.as_str());
            assert!(fine, "{} must not depend on {}", package.name, edge.name);
        }
    }
}
