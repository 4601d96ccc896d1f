use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use domain::Timestamp;

use super::{Ecosystem, Stored, osv::Document, source, writer::EcosystemWriter};

/// Unreadable files that are named in a report.
const MAX_NAMED: usize = 20;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportReport {
    /// JSON files looked at.
    pub files: u64,
    pub withdrawn: u64,
    /// Advisories about other ecosystems only.
    pub other: u64,
    /// Files that are no advisories; the first of them are named with the reason.
    pub unreadable: u64,
    pub unreadable_files: Vec<String>,
    /// What the store now has of the ecosystems that were imported.
    pub ecosystems: BTreeMap<Ecosystem, Stored>,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("cannot read {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot import the advisories: {0}")]
    Source(String),
    #[error(
        "there are no advisories for crates.io, Go, npm or PyPI in {}; give a folder or a zip \
         archive of JSON files in the OSV format",
        .0.display()
    )]
    Nothing(PathBuf),
    #[error("cannot write the advisories to {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (ecosystem, Stored { files, .. }) in &self.ecosystems {
            let (advisories, packages) = (files.advisories, files.packages);
            writeln!(
                f,
                "{}: {advisories} advisories about {packages} packages",
                ecosystem.as_str()
            )?;
        }
        write!(
            f,
            "{} files read; left out: {} withdrawn, {} about other ecosystems, {} unreadable",
            self.files, self.withdrawn, self.other, self.unreadable
        )?;
        for file in &self.unreadable_files {
            write!(f, "\nunreadable: {file}")?;
        }
        Ok(())
    }
}

impl ImportError {
    pub(super) fn read(path: &Path, error: io::Error) -> Self {
        Self::Read { path: path.to_owned(), error }
    }
}

/// Reads the advisories of a folder or zip archive of OSV files into the store at `out_dir`.
///
/// The ecosystems that the source speaks of are replaced as a whole, the others stay. Files that no
/// manifest names any more are left there, and so are those of an import that failed.
pub fn import(
    source: &Path,
    out_dir: &Path,
    imported_at: Timestamp,
) -> Result<ImportReport, ImportError> {
    let write = |error| ImportError::Write { path: out_dir.to_owned(), error };
    fs::create_dir_all(out_dir).map_err(write)?;
    let mut report = ImportReport::default();
    let mut writers = BTreeMap::new();
    source::read(source, &mut |name, bytes| {
        take(name, bytes, out_dir, &mut writers, &mut report).map_err(write)
    })?;
    if writers.is_empty() {
        return Err(ImportError::Nothing(source.to_owned()));
    }
    for (ecosystem, writer) in writers {
        let stored = Stored::new(imported_at, writer.finish().map_err(write)?);
        report.ecosystems.insert(ecosystem, stored);
    }
    for (ecosystem, stored) in &report.ecosystems {
        stored.write(out_dir, *ecosystem).map_err(write)?;
    }
    Ok(report)
}

fn take(
    name: &str,
    bytes: &[u8],
    out_dir: &Path,
    writers: &mut BTreeMap<Ecosystem, EcosystemWriter>,
    report: &mut ImportReport,
) -> io::Result<()> {
    report.files += 1;
    let document: Document = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(error) => {
            report.unreadable += 1;
            if report.unreadable_files.len() < MAX_NAMED {
                report.unreadable_files.push(format!("{name}: {error}"));
            }
            return Ok(());
        }
    };
    if document.is_withdrawn() {
        report.withdrawn += 1;
        return Ok(());
    }
    let advisories = document.advisories();
    report.other += u64::from(advisories.is_empty());
    for (ecosystem, package, advisory) in advisories {
        let writer = match writers.entry(ecosystem) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(EcosystemWriter::create(out_dir, ecosystem)?)
            }
        };
        writer.add(package, &advisory)?;
    }
    Ok(())
}
