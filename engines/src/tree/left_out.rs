use std::collections::BTreeMap;

/// Names shown of the files left out for one reason.
const EXAMPLES: usize = 3;

/// Why something in a tree was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    TooLarge,
    TooManyFiles,
    TooManyBytes,
    TooDeep,
    Unreadable,
    Symlink,
    Special,
    Cache,
    TimeOver,
}

/// What was left out of a walk, counted by reason so that its size does not depend on the tree.
#[derive(Debug, Default)]
pub struct LeftOut {
    counts: BTreeMap<Reason, Group>,
}

#[derive(Debug, Default)]
struct Group {
    count: u64,
    /// How many of them should have been looked at.
    missed: u64,
    examples: Vec<String>,
}

impl Reason {
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "file-too-large",
            Self::TooManyFiles => "too-many-files",
            Self::TooManyBytes => "too-many-bytes",
            Self::TooDeep => "folder-too-deep",
            Self::Unreadable => "file-unreadable",
            Self::Symlink => "symlink-not-followed",
            Self::Special => "special-file",
            Self::Cache => "cache-folder",
            Self::TimeOver => "time-limit",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::TooLarge => "larger than the limit for one file",
            Self::TooManyFiles => "not looked at: the limit for the number of files was reached",
            Self::TooManyBytes => "not looked at: the limit for the bytes read in all was reached",
            Self::TooDeep => "nested deeper than the limit",
            Self::Unreadable => "could not be read",
            Self::Symlink => "symbolic links, which are not followed",
            Self::Special => "neither files nor folders",
            Self::Cache => "marked as caches by their CACHEDIR.TAG",
            Self::TimeOver => "not looked at: the time was over",
        }
    }

    /// Whether the rest of the tree was left out too, so that the count says little.
    const fn ends_the_walk(self) -> bool {
        matches!(self, Self::TooManyFiles | Self::TooManyBytes | Self::TimeOver)
    }
}

impl LeftOut {
    /// `missed` says that it should have been looked at: the result is not complete without it.
    pub fn note(&mut self, reason: Reason, path: &str, missed: bool) {
        let group = self.counts.entry(reason).or_default();
        group.count += 1;
        group.missed += u64::from(missed);
        if group.examples.len() < EXAMPLES {
            group.examples.push(path.to_owned());
        }
    }

    pub fn count(&self, reason: Reason) -> u64 {
        self.counts.get(&reason).map_or(0, |group| group.count)
    }

    /// One warning per reason: its code, its message, and whether something was missed.
    pub fn warnings(&self) -> impl Iterator<Item = (&'static str, String, bool)> {
        self.counts
            .iter()
            .map(|(reason, group)| (reason.code(), group.message(*reason), group.missed > 0))
    }
}

impl Group {
    fn message(&self, reason: Reason) -> String {
        let examples = self.examples.join(", ");
        if reason.ends_the_walk() {
            return format!("{examples} and what follows: {}", reason.text());
        }
        let more = self.count.saturating_sub(self.examples.len() as u64);
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{} left out, {}: {examples}{rest}", self.count, reason.text())
    }
}
