//! Packages that lock files settled on, compared with imported advisories.
//!
//! What could not be compared is told: without advisories there is no clean result.

mod cvss;
mod finding;
mod lockfiles;
mod matching;
mod purl;
#[cfg(test)]
mod tests;
mod versions;

use std::{
    collections::{BTreeSet, HashSet},
    ops::ControlFlow,
    path::Path,
};

use domain::scans::{Engine, EngineOutcome};

use self::{
    finding::Match,
    lockfiles::{Kind, Package},
    matching::Verdict,
};
use crate::{
    Limits, Output, RunError,
    advisories::{Advisories, Ecosystem, StoreError},
    report::{Report, count},
    tree::{Selection, Tree},
};

/// Installed packages carry lock files of their own, which play no part.
const SKIPPED_FOLDERS: &[&str] = &[".git", "node_modules", "site-packages"];

/// Names given of packages about which nothing can be said.
const MAX_NAMED: usize = 10;

/// Compares the packages of every lock file below `root` with the advisories in a folder.
pub fn run(
    root: &Path,
    advisories: Option<&Path>,
    limits: &Limits,
    out: &mut dyn Output,
) -> Result<(), RunError> {
    let mut report = Report::new(Engine::Dependencies, limits, out);
    let selection = Selection {
        file: |name| Kind::of(name).is_some(),
        skip_folders: SKIPPED_FOLDERS,
        text_only: false,
    };
    let mut tree = Tree::open(root, selection, report.tree_limits(limits))
        .map_err(|error| RunError::Target(error.to_string()))?;
    let advisories = open(advisories, &mut report)?;
    let mut audit = Audit::new(&mut report, advisories);
    audit.report.progress("reading the lock files")?;
    while let Some(file) = tree.next_file() {
        if audit.file(&file.path, &file.bytes)?.is_break() {
            break;
        }
    }
    audit.report.tell_left_out(tree.left_out())?;
    let (summary, failed) = audit.finish()?;
    if failed { report.done_as(EngineOutcome::Failed, summary) } else { report.done(summary) }
}

/// None when there are none that can be used.
fn open(folder: Option<&Path>, report: &mut Report<'_>) -> Result<Option<Advisories>, RunError> {
    match folder.map(Advisories::open) {
        None | Some(Err(StoreError::Missing(_))) => Ok(None),
        Some(Ok(advisories)) => Ok(Some(advisories)),
        Some(Err(error)) => {
            report.left_out("advisories-unreadable", error.to_string())?;
            Ok(None)
        }
    }
}

/// One run while it goes on.
struct Audit<'r, 'o> {
    report: &'r mut Report<'o>,
    advisories: Option<Advisories>,
    files: u64,
    packages: u64,
    checked: BTreeSet<Ecosystem>,
    unchecked: BTreeSet<Ecosystem>,
    unclear: Vec<String>,
    unclear_count: u64,
    folders_with_go_mod: HashSet<String>,
}

impl<'r, 'o> Audit<'r, 'o> {
    fn new(report: &'r mut Report<'o>, advisories: Option<Advisories>) -> Self {
        Self {
            report,
            advisories,
            files: 0,
            packages: 0,
            checked: BTreeSet::new(),
            unchecked: BTreeSet::new(),
            unclear: Vec::new(),
            unclear_count: 0,
            folders_with_go_mod: HashSet::new(),
        }
    }

    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<ControlFlow<()>, RunError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(kind) = Kind::of(name.as_bytes()) else { return Ok(ControlFlow::Continue(())) };
        if kind == Kind::GoSum && self.folders_with_go_mod.contains(folder) {
            return Ok(ControlFlow::Continue(()));
        }
        let mut read = match kind.read(bytes) {
            Ok(read) => read,
            Err(error) => {
                let message = format!("{path} could not be read: {error}");
                self.report.left_out("lock-file-unreadable", message)?;
                return Ok(ControlFlow::Continue(()));
            }
        };
        if kind == Kind::GoMod {
            self.folders_with_go_mod.insert(folder.to_owned());
        }
        self.files += 1;
        self.packages += read.packages.len() as u64;
        self.report.progress(format!(
            "{path}: {}",
            count(read.packages.len() as u64, "package", "packages")
        ))?;
        if !read.unpinned.is_empty() {
            let message = format!(
                "{} of {path} have no settled version and were not checked: {}",
                count(read.unpinned.len() as u64, "package", "packages"),
                named(&read.unpinned, read.unpinned.len() as u64)
            );
            self.report.left_out("unpinned-packages", message)?;
        }
        let mut seen = HashSet::new();
        read.packages
            .retain(|package| seen.insert((package.name.clone(), package.version.clone())));
        self.check(kind.ecosystem(), path, &read.packages)
    }

    fn check(
        &mut self,
        ecosystem: Ecosystem,
        path: &str,
        packages: &[Package],
    ) -> Result<ControlFlow<()>, RunError> {
        if !self.advisories.as_ref().is_some_and(|advisories| advisories.has(ecosystem)) {
            self.unchecked.insert(ecosystem);
            return self.report.check_time();
        }
        self.checked.insert(ecosystem);
        for package in packages {
            for found in finding::merged(self.matches(ecosystem, package)?) {
                let finding = finding::finding(ecosystem, path, package, found);
                if self.report.finding(finding)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if self.report.check_time()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn matches(&mut self, ecosystem: Ecosystem, package: &Package) -> Result<Vec<Match>, RunError> {
        let Some(advisories) = &self.advisories else { return Ok(Vec::new()) };
        let about = advisories
            .lookup(ecosystem, &package.name)
            .map_err(|error| RunError::Target(error.to_string()))?;
        let mut matches = Vec::new();
        for advisory in about {
            match matching::evaluate(ecosystem, &package.version, &advisory) {
                Verdict::Affected { fixed_in } => matches.push(Match { advisory, fixed_in }),
                Verdict::Unaffected => {}
                Verdict::Unclear => {
                    self.unclear_count += 1;
                    if self.unclear.len() < MAX_NAMED {
                        let (name, version) = (&package.name, &package.version);
                        self.unclear.push(format!("{} for {name} {version}", advisory.id));
                    }
                }
            }
        }
        Ok(matches)
    }

    /// The summary, and whether nothing at all could be checked.
    fn finish(self) -> Result<(String, bool), RunError> {
        let report = self.report;
        if self.unclear_count > 0 {
            let message = format!(
                "versions could not be compared: {}",
                named(&self.unclear, self.unclear_count)
            );
            report.left_out("version-not-understood", message)?;
        }
        if !self.unchecked.is_empty() {
            let names: Vec<_> = self.unchecked.iter().map(|e| e.as_str()).collect();
            let message = format!(
                "there are no advisories for {}, so packages from there were not checked; import \
                 them with `millrace advisories import <folder, zip or url>`",
                names.join(", ")
            );
            report.left_out("advisories-missing", message)?;
        }
        if self.files == 0 && !report.is_partial() {
            report
                .warn("no-lock-files", "there are no lock files, so there was nothing to check")?;
        }
        let summary = format!(
            "{}, {}, {}",
            count(self.files, "lock file", "lock files"),
            count(self.packages, "package", "packages"),
            count(report.findings(), "finding", "findings")
        );
        Ok((summary, !self.unchecked.is_empty() && self.checked.is_empty()))
    }
}

/// The first of some names, and how many more there are.
fn named(names: &[String], count: u64) -> String {
    let shown = names.len().min(MAX_NAMED);
    let more = count - shown as u64;
    let list = names[..shown].join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}
