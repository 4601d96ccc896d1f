//! Whether a version is affected by an advisory, as the OSV schema says it is to be evaluated.

use std::cmp::Ordering;

use super::versions::{Semantic, Version};
use crate::advisories::{Advisory, Affected, Ecosystem, Event, Range, RangeKind};

/// What an advisory says of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Unaffected,
    Affected {
        /// The versions that have the fix, the nearest first; none when there is no fix.
        fixed_in: Vec<String>,
    },
    /// A version in the advisory could not be understood, so nothing can be said.
    Unclear,
}

pub fn evaluate(ecosystem: Ecosystem, version: &str, advisory: &Advisory) -> Verdict {
    // A local version of Python (1.0+cu118) is a rebuild of the public one and has its faults.
    let version = match ecosystem {
        Ecosystem::PyPI => version.split('+').next().unwrap_or(version),
        Ecosystem::CratesIo | Ecosystem::Go | Ecosystem::Npm => version,
    };
    let Some(installed) = Version::parse(ecosystem, version) else {
        return evaluate_text(version, advisory);
    };
    let mut fixes: Vec<(Version, String)> = Vec::new();
    let mut affected = false;
    let mut unclear = false;
    for part in &advisory.affected {
        let mut hit = is_listed(ecosystem, version, &installed, part);
        for range in part.ranges.iter().filter(|range| range.kind != RangeKind::Git) {
            match in_range(ecosystem, &installed, range) {
                Some(true) => {
                    hit = true;
                    fixes.extend(next_fix(ecosystem, &installed, range));
                }
                Some(false) => {}
                None => unclear = true,
            }
        }
        affected |= hit;
        if hit && fixes.is_empty() {
            // Listed only, or a branch without a fix: the next fix of any branch will do.
            fixes.extend(
                part.ranges
                    .iter()
                    .filter_map(|range| next_fix(ecosystem, &installed, range))
                    .min_by(|a, b| a.0.compare(&b.0).unwrap_or(Ordering::Equal)),
            );
        }
    }
    if !affected {
        return if unclear { Verdict::Unclear } else { Verdict::Unaffected };
    }
    fixes.sort_by(|a, b| a.0.compare(&b.0).unwrap_or(Ordering::Equal));
    fixes.dedup_by(|a, b| a.0 == b.0);
    Verdict::Affected { fixed_in: fixes.into_iter().map(|(_, text)| text).collect() }
}

/// A version outside its ecosystem's rules can only be found in a list.
fn evaluate_text(version: &str, advisory: &Advisory) -> Verdict {
    let listed = |part: &Affected| part.versions.iter().any(|listed| listed == version);
    let ranges = |part: &Affected| part.ranges.iter().any(|range| range.kind != RangeKind::Git);
    if advisory.affected.iter().any(listed) {
        Verdict::Affected { fixed_in: Vec::new() }
    } else if advisory.affected.iter().any(ranges) {
        Verdict::Unclear
    } else {
        Verdict::Unaffected
    }
}

fn is_listed(ecosystem: Ecosystem, text: &str, installed: &Version, part: &Affected) -> bool {
    part.versions.iter().any(|listed| {
        listed == text || Version::parse(ecosystem, listed).as_ref() == Some(installed)
    })
}

/// None when a version of the range is not understood.
fn in_range(ecosystem: Ecosystem, installed: &Version, range: &Range) -> Option<bool> {
    let mut events = Vec::with_capacity(range.events.len());
    let mut limits = Vec::new();
    for event in &range.events {
        match event {
            Event::Introduced(text) if text == "0" => events.push((None, event)),
            Event::Introduced(text) | Event::Fixed(text) | Event::LastAffected(text) => {
                events.push((Some(parse(ecosystem, range, text)?), event));
            }
            Event::Limit(text) if text == "*" => limits.push(None),
            Event::Limit(text) => limits.push(Some(parse(ecosystem, range, text)?)),
        }
    }
    let before = |limit: &Option<Version>| {
        limit.as_ref().is_none_or(|limit| installed.compare(limit) == Some(Ordering::Less))
    };
    if !limits.is_empty() && !limits.iter().any(before) {
        return Some(false);
    }
    events.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => a.compare(b).unwrap_or(Ordering::Equal),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    let mut affected = false;
    for (version, event) in &events {
        // Everything is later than the first version there ever was.
        let order = version.as_ref().map_or(Some(Ordering::Greater), |v| installed.compare(v))?;
        match event {
            Event::Introduced(_) if order.is_ge() => affected = true,
            Event::Fixed(_) if order.is_ge() => affected = false,
            Event::LastAffected(_) if order.is_gt() => affected = false,
            _ => {}
        }
    }
    Some(affected)
}

/// The first fix of a range that comes after the installed version.
fn next_fix(ecosystem: Ecosystem, installed: &Version, range: &Range) -> Option<(Version, String)> {
    range
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Fixed(text) => Some((parse(ecosystem, range, text)?, text.clone())),
            _ => None,
        })
        .filter(|(fix, _)| fix.compare(installed) == Some(Ordering::Greater))
        .min_by(|a, b| a.0.compare(&b.0).unwrap_or(Ordering::Equal))
}

/// A range of the type SEMVER is ordered so in every ecosystem.
fn parse(ecosystem: Ecosystem, range: &Range, text: &str) -> Option<Version> {
    match (range.kind, ecosystem) {
        (RangeKind::Semver, Ecosystem::PyPI) | (RangeKind::Git, _) => None,
        (RangeKind::Semver, _) => Semantic::parse(text).map(Version::Semantic),
        (RangeKind::Ecosystem, _) => Version::parse(ecosystem, text),
    }
}
