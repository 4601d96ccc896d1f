//! The lines that were ever added to a repository.

use std::{
    fs,
    io::{self, BufReader},
    ops::ControlFlow,
    path::Path,
};

use super::{
    Search,
    finding::{Occurrences, Source},
    git::GitLog,
    patch::Patches,
};
use crate::{
    Limits, RunError,
    report::count,
    tree::{Reason, Selection, Tree},
};

/// Commits between two lines of progress.
const PROGRESS_COMMITS: u64 = 5000;

/// What must not be found in the folder `.git`: links, and whatever could hide one.
const REFUSED: [(Reason, &str); 7] = [
    (Reason::Symlink, "there are symbolic links in the folder `.git`"),
    (Reason::Special, "there are special files in the folder `.git`"),
    (Reason::TooManyFiles, "there are more files in the folder `.git` than may be looked at"),
    (Reason::Cache, "a part of the folder `.git` is marked as a cache"),
    (Reason::TooDeep, "the folder `.git` is nested deeper than may be looked at"),
    (Reason::Unreadable, "a part of the folder `.git` cannot be read"),
    (Reason::TimeOver, "the time was over before all of the folder `.git` was looked at"),
];

/// None when the root is no repository.
pub fn search(
    root: &Path,
    limits: &Limits,
    search: &mut Search<'_, '_>,
) -> Result<Option<String>, RunError> {
    let git_dir = root.join(".git");
    if fs::symlink_metadata(&git_dir).is_err() || search.report.check_time()?.is_break() {
        return Ok(None);
    }
    if let Some(reason) = leads_outside(&git_dir, limits, search) {
        search.report.left_out("history-skipped", format!("the history was not read: {reason}"))?;
        return Ok(None);
    }
    if git_dir.join("shallow").exists() {
        search.report.left_out(
            "history-shallow",
            "the clone is shallow: only the part of the history that it holds was read",
        )?;
    }
    search.report.progress("searching the history for credentials")?;
    let started = GitLog::start(&git_dir, limits.max_file_bytes, search.report.deadline());
    let (git, stdout) = match started {
        Ok(started) => started,
        Err(error) => {
            search
                .report
                .left_out("history-unreadable", format!("git could not be run: {error}"))?;
            return Ok(None);
        }
    };
    let mut patches = Patches::new(BufReader::with_capacity(64 * 1024, stdout));
    let flow = read(&mut patches, limits, search)?;
    if flow.is_continue() && search.report.check_time()?.is_continue() {
        let well = git.finish().unwrap_or(false);
        if !well {
            search.report.left_out(
                "history-unreadable",
                "git could not read all of the history; `git fsck` may say why",
            )?;
        }
    }
    Ok(Some(count(patches.commits(), "commit", "commits")))
}

fn read<R: io::BufRead>(
    patches: &mut Patches<R>,
    limits: &Limits,
    search: &mut Search<'_, '_>,
) -> Result<ControlFlow<()>, RunError> {
    let mut told = 0;
    let mut place = (String::new(), String::new());
    let mut occurrences = Occurrences::default();
    loop {
        let added = match patches.next_added() {
            Ok(Some(added)) => added,
            Ok(None) => return Ok(ControlFlow::Continue(())),
            Err(error) => {
                let message = format!("the history could not be read to its end: {error}");
                search.report.left_out("history-unreadable", message)?;
                return Ok(ControlFlow::Break(()));
            }
        };
        if place.0 != added.commit || place.1 != added.path {
            place = (added.commit.to_owned(), added.path.to_owned());
            occurrences = Occurrences::default();
        }
        let source = Source {
            path: added.path,
            text: added.text,
            first_line: added.first_line,
            commit: Some(added.commit),
        };
        if search.text(&source, &mut occurrences)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if patches.bytes() > limits.max_total_bytes {
            let message = "the history is larger than the limit for the bytes read in all; its \
                           older part was left out";
            search.report.left_out("history-too-large", message)?;
            return Ok(ControlFlow::Break(()));
        }
        if patches.commits() >= told + PROGRESS_COMMITS {
            told = patches.commits();
            search.report.progress(format!("{told} commits"))?;
        }
    }
}

/// Why git would read something that is not below the folder, if so.
fn leads_outside(git_dir: &Path, limits: &Limits, search: &Search<'_, '_>) -> Option<&'static str> {
    if !fs::symlink_metadata(git_dir).is_ok_and(|found| found.is_dir()) {
        return Some("`.git` is a link to a repository elsewhere");
    }
    for file in ["commondir", "objects/info/alternates"] {
        if fs::symlink_metadata(git_dir.join(file)).is_ok() {
            return Some("the repository borrows objects of another one");
        }
    }
    // Nothing is selected: the walk only looks at what kinds of files there are.
    let nothing = Selection { file: |_| false, skip_folders: &[], text_only: true };
    let Ok(mut tree) = Tree::open(git_dir, nothing, search.report.tree_limits(limits)) else {
        return Some("the folder `.git` cannot be read");
    };
    while tree.next_file().is_some() {}
    REFUSED.into_iter().find(|(reason, _)| tree.left_out().count(*reason) > 0).map(|(_, text)| text)
}
