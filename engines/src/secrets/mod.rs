//! Credentials that were written into files: well-known shapes and random values whose name gives
//! them away, in the files of a tree and, when asked for, in the history of its repository.
//!
//! Values are masked before they leave this module, and nothing derived from a value that could be
//! guessed is told.

mod detect;
mod finding;
mod git;
mod history;
mod patch;
mod rule;
mod rules;
#[cfg(test)]
mod tests;
mod value;

use std::{collections::HashSet, ops::ControlFlow, path::Path};

use domain::scans::{Engine, Profile};

use self::{
    detect::Detector,
    finding::{Lines, Occurrences, Source},
};
use crate::{
    Limits, Output, RunError,
    report::{Report, count, show_bytes},
    tree::{Selection, Tree},
};

/// Credentials remembered to tell a repetition; beyond this some may be told twice.
const MAX_SEEN: usize = 500_000;

/// Files between two lines of progress.
const PROGRESS_FILES: u64 = 2000;

/// Lock files hold hashes beside names that sound like secrets.
const LOCK_FILES: [&str; 9] = [
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "Pipfile.lock",
    "uv.lock",
    "go.sum",
];

/// Searches the tree below `root`, and with the full profile its history as well.
pub fn run(
    root: &Path,
    profile: Profile,
    limits: &Limits,
    out: &mut dyn Output,
) -> Result<(), RunError> {
    let mut report = Report::new(Engine::Secrets, limits, out);
    let detector = Detector::new().map_err(|error| RunError::Target(error.to_string()))?;
    let mut search = Search { detector, report: &mut report, seen: HashSet::new() };
    let mut summary = search.tree(root, limits)?;
    if profile == Profile::Full
        && let Some(history) = history::search(root, limits, &mut search)?
    {
        summary = format!("{summary}, {history}");
    }
    let findings = count(report.findings(), "finding", "findings");
    report.done(format!("{summary}, {findings}"))
}

/// A search while it runs.
struct Search<'s, 'o> {
    detector: Detector,
    report: &'s mut Report<'o>,
    seen: HashSet<[u8; 16]>,
}

impl Search<'_, '_> {
    fn tree(&mut self, root: &Path, limits: &Limits) -> Result<String, RunError> {
        let selection = Selection { file: |_| true, skip_folders: &[".git"], text_only: true };
        let mut tree = Tree::open(root, selection, self.report.tree_limits(limits))
            .map_err(|error| RunError::Target(error.to_string()))?;
        self.report.progress("searching the files for credentials")?;
        let mut told = 0;
        while let Some(file) = tree.next_file() {
            let source =
                Source { path: &file.path, text: &file.bytes, first_line: 1, commit: None };
            if self.text(&source, &mut Occurrences::default())?.is_break() {
                break;
            }
            if tree.files() >= told + PROGRESS_FILES {
                told = tree.files();
                self.report.progress(format!("{told} files, {}", show_bytes(tree.bytes())))?;
            }
        }
        self.report.tell_left_out(tree.left_out())?;
        Ok(format!("{}, {}", count(tree.files(), "file", "files"), show_bytes(tree.bytes())))
    }

    /// Tells the credentials of one text. Of the history only those not told before.
    fn text(
        &mut self,
        source: &Source<'_>,
        occurrences: &mut Occurrences,
    ) -> Result<ControlFlow<()>, RunError> {
        let mut hits = self.detector.find(source.text, self.report.room());
        if hits.is_empty() {
            return self.report.check_time();
        }
        if is_lock_file(source.path) {
            hits.retain(|hit| !hit.rule.by_name);
        }
        let lines = Lines::of(source.text);
        for hit in &hits {
            let new = self.note(finding::identity(source, hit));
            if source.commit.is_some() && !new {
                continue;
            }
            let finding = finding::finding(source, &lines, &hits, hit, occurrences);
            if self.report.finding(finding)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.report.check_time()
    }

    /// Whether it is new.
    fn note(&mut self, identity: [u8; 16]) -> bool {
        if self.seen.len() < MAX_SEEN {
            self.seen.insert(identity)
        } else {
            !self.seen.contains(&identity)
        }
    }
}

fn is_lock_file(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    LOCK_FILES.contains(&name)
}
