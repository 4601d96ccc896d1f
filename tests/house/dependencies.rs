use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use semver::{Version, VersionReq};
use serde::Deserialize;

/// `deny.toml`, as far as it is held here.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
    advisories: Advisories,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Exception>,
    skip: Vec<Exception>,
}

#[derive(Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Ignored {
    id: String,
    reason: String,
}

struct Built {
    name: String,
    version: Version,
    license: String,
}

fn deny() -> Deny {
    toml::from_str(&fs::read_to_string("deny.toml").unwrap()).unwrap()
}

/// What is compiled into the programs of the workspace or for them; crates of tests alone are not.
fn built() -> Vec<Built> {
    let cargo = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--edges", "no-dev", "--prefix", "none"])
        .args(["--all-features", "--no-dedupe", "--format", "{p}|{l}"])
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let lines: BTreeSet<_> =
        String::from_utf8(cargo.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.iter().filter(|line| !line.is_empty()).map(|line| parse(line)).collect()
}

/// `name v1.2.3 (proc-macro)|MIT OR Apache-2.0`
fn parse(line: &str) -> Built {
    let (package, license) = line.split_once('|').unwrap();
    let mut words = package.split(' ');
    let name = words.next().unwrap().to_owned();
    let version = words.next().unwrap().trim_start_matches('v').parse().unwrap();
    Built { name, version, license: license.to_owned() }
}

/// `name@1.2`, or a name for any version.
fn means(spec: &str, name: &str, version: &Version) -> bool {
    let (wanted, versions) = spec.split_once('@').unwrap_or((spec, "*"));
    wanted == name && VersionReq::parse(versions).unwrap().matches(version)
}

#[test]
fn licences_are_those_we_allow() {
    let allowed = deny().licenses.allow;
    for Built { name, version, license } in built() {
        let terms = spdx::Expression::parse_mode(&license, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{name} {version}: `{license}`: {error}"));
        let fine = terms.evaluate(|term| {
            term.license.id().is_some_and(|id| allowed.iter().any(|name| name == id.name))
        });
        assert!(fine, "{name} {version} is licensed `{license}`");
    }
}

#[test]
fn banned_crates_are_not_built() {
    let bans = deny().bans.deny;
    for Built { name, version, .. } in built() {
        if let Some(ban) = bans.iter().find(|ban| means(&ban.name, &name, &version)) {
            panic!("{name} {version} is banned: {}", ban.reason);
        }
    }
}

#[test]
fn each_crate_is_built_in_one_version_or_says_why_not() {
    let skips = deny().bans.skip;
    let mut versions = BTreeMap::<String, BTreeSet<Version>>::new();
    for Built { name, version, .. } in built() {
        versions.entry(name).or_default().insert(version);
    }
    for (name, versions) in &versions {
        let unexplained: Vec<_> = versions
            .iter()
            .filter(|version| !skips.iter().any(|skip| means(&skip.name, name, version)))
            .map(Version::to_string)
            .collect();
        assert!(unexplained.len() <= 1, "{name} is built as {}", unexplained.join(" and "));
    }
    for skip in &skips {
        let needed = versions.iter().any(|(name, versions)| {
            versions.len() > 1 && versions.iter().any(|version| means(&skip.name, name, version))
        });
        assert!(needed && !skip.reason.is_empty(), "{} need not be skipped any more", skip.name);
    }
}

#[test]
fn an_advisory_is_ignored_for_a_crate_that_is_still_there() {
    let built = built();
    for Ignored { id, reason } in deny().advisories.ignore {
        let (spec, why) = reason.split_once(": ").unwrap();
        let there = built.iter().any(|built| means(spec, &built.name, &built.version));
        assert!(there && !why.is_empty(), "{id}: {spec} is gone, so it need not be ignored");
    }
}
