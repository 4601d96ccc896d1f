use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use domain::Timestamp;

use super::{
    Ecosystem, Manifest, StoreError, Stored, osv::Document, source, store::MANIFEST,
    writer::EcosystemWriter,
};

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
    /// What the store now has of the ecosystems that were imported. Others are as before.
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
    #[error("another import into {} is running", .0.display())]
    Busy(PathBuf),
    #[error("cannot write the advisories to {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
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
/// The ecosystems that the source speaks of are replaced as a whole, the others stay. When it fails
/// the store is as it was.
pub fn import(
    source: &Path,
    out_dir: &Path,
    imported_at: Timestamp,
) -> Result<ImportReport, ImportError> {
    let write = |error| ImportError::Write { path: out_dir.to_owned(), error };
    fs::create_dir_all(out_dir).map_err(write)?;
    let lock = File::create(out_dir.join(".lock")).map_err(write)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ImportError::Busy(out_dir.to_owned())),
        Err(TryLockError::Error(error)) => return Err(write(error)),
    }
    let mut manifest = match Manifest::read(out_dir) {
        Ok(manifest) => manifest.unwrap_or_default(),
        // It says to import again, so that has to work.
        Err(StoreError::Damaged { .. }) => Manifest::default(),
        Err(error) => return Err(error.into()),
    };
    let mut report = ImportReport::default();
    let mut writers = BTreeMap::new();
    let read = source::read(source, &mut |name, bytes| {
        take(name, bytes, out_dir, &mut writers, &mut report).map_err(write)
    });
    let written = read.and_then(|()| {
        if writers.is_empty() {
            return Err(ImportError::Nothing(source.to_owned()));
        }
        for (ecosystem, writer) in writers {
            let stored = Stored { imported_at, files: writer.finish().map_err(write)? };
            report.ecosystems.insert(ecosystem, stored);
        }
        manifest.ecosystems.extend(report.ecosystems.clone());
        replace_manifest(out_dir, &manifest).map_err(write)
    });
    // Also after a failure: what the manifest does not name is of no use to anybody.
    let cleaned = remove_unnamed(out_dir);
    written?;
    cleaned.map_err(write)?;
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

fn replace_manifest(out_dir: &Path, manifest: &Manifest) -> io::Result<()> {
    let temporary = out_dir.join("manifest.json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(manifest)?)?;
    file.sync_all()?;
    fs::rename(&temporary, out_dir.join(MANIFEST))?;
    File::open(out_dir)?.sync_all()
}

/// Files of earlier imports, and of one that was ended in the middle.
fn remove_unnamed(out_dir: &Path) -> io::Result<()> {
    let manifest = Manifest::read(out_dir).map_err(io::Error::other)?.unwrap_or_default();
    let named = |name: &str| {
        manifest
            .ecosystems
            .values()
            .any(|stored| stored.files.data == name || stored.files.index == name)
    };
    for entry in fs::read_dir(out_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = [".ndjson", ".index", ".new"].iter().any(|end| name.ends_with(end));
        if ours && !named(name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
