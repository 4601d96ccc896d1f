use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Advisory, Ecosystem, store::Files};

/// Advisories in one ecosystem, so that the list of where they stand fits into memory.
const MAX_RECORDS: usize = 2_000_000;

/// Writes the files of one ecosystem.
///
/// The advisories arrive in any order. They go to a spool file at once; only their names and places
/// are kept in memory, sorted, and used to copy them in order.
pub struct EcosystemWriter {
    ecosystem: Ecosystem,
    folder: PathBuf,
    spool: BufWriter<File>,
    length: u64,
    records: Vec<Record>,
}

struct Record {
    package: String,
    id: String,
    offset: u64,
    length: usize,
}

impl EcosystemWriter {
    pub fn create(folder: &Path, ecosystem: Ecosystem) -> io::Result<Self> {
        let path = spool_path(folder, ecosystem);
        let spool =
            File::options().create(true).truncate(true).read(true).write(true).open(path)?;
        Ok(Self {
            ecosystem,
            folder: folder.to_owned(),
            spool: BufWriter::new(spool),
            length: 0,
            records: Vec::new(),
        })
    }

    pub fn add(&mut self, package: String, advisory: &Advisory) -> io::Result<()> {
        if self.records.len() >= MAX_RECORDS {
            return Err(io::Error::other("there are more advisories than a store takes"));
        }
        let mut line = serde_json::to_vec(advisory)?;
        line.push(b'\n');
        self.spool.write_all(&line)?;
        let id = advisory.id.clone();
        self.records.push(Record { package, id, offset: self.length, length: line.len() });
        self.length += line.len() as u64;
        Ok(())
    }

    /// The files are on disk when this returns.
    pub fn finish(mut self) -> io::Result<Files> {
        let advisories = self.records.len() as u64;
        self.records.sort_unstable_by(|a, b| (&a.package, &a.id).cmp(&(&b.package, &b.id)));
        let spool = self.spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut data = Output::create(&self.folder, self.ecosystem, "ndjson")?;
        let mut index = Output::create(&self.folder, self.ecosystem, "index")?;
        let mut line = Vec::new();
        let mut packages = 0;
        for of_package in self.records.chunk_by(|a, b| a.package == b.package) {
            let start = data.length;
            for record in of_package {
                line.resize(record.length, 0);
                spool.read_exact_at(&mut line, record.offset)?;
                data.write(&line)?;
            }
            let place = (&of_package[0].package, start, data.length - start);
            index.write(&serde_json::to_vec(&place)?)?;
            index.write(b"\n")?;
            packages += 1;
        }
        drop(spool);
        fs::remove_file(spool_path(&self.folder, self.ecosystem))?;
        let (data, digest) = data.finish()?;
        let (index, _) = index.finish()?;
        Ok(Files { data, index, packages, advisories, digest })
    }
}

/// A file whose final name holds a part of its digest, so that it never replaces another one.
struct Output {
    folder: PathBuf,
    temporary: PathBuf,
    stem: String,
    extension: &'static str,
    file: BufWriter<File>,
    hasher: Sha256,
    length: u64,
}

impl Output {
    fn create(folder: &Path, ecosystem: Ecosystem, extension: &'static str) -> io::Result<Self> {
        let stem = ecosystem.stem();
        let temporary = folder.join(format!("{stem}.{extension}.new"));
        Ok(Self {
            folder: folder.to_owned(),
            file: BufWriter::new(File::create(&temporary)?),
            temporary,
            stem,
            extension,
            hasher: Sha256::new(),
            length: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// The name of the file and its digest.
    fn finish(self) -> io::Result<(String, String)> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let digest = format!("{:x}", self.hasher.finalize());
        let name = format!("{}.{}.{}", self.stem, &digest[..16], self.extension);
        fs::rename(&self.temporary, self.folder.join(&name))?;
        Ok((name, digest))
    }
}

fn spool_path(folder: &Path, ecosystem: Ecosystem) -> PathBuf {
    folder.join(format!("{}.spool.new", ecosystem.stem()))
}
