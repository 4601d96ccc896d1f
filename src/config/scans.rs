use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Faults;
use super::layers::Section;

/// What scans may reach, and the bounds of each engine run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scans {
    /// Folders whose content may be scanned by path, by every organisation of this installation.
    pub allowed_paths: Vec<PathBuf>,
    /// Private, loopback and link-local ranges that may be reached all the same.
    pub allowed_private_ranges: Vec<IpNet>,
    /// A larger checkout is refused.
    pub max_repository_bytes: u64,
    pub engine_time_s: u32,
    pub max_findings: u64,
    pub max_files: u64,
    /// A larger file is left out with a warning.
    pub max_file_bytes: u64,
    /// Bytes one engine reads in all, from a checkout or from a website.
    pub max_total_bytes: u64,
}

impl Default for Scans {
    fn default() -> Self {
        Self {
            allowed_paths: Vec::new(),
            allowed_private_ranges: Vec::new(),
            max_repository_bytes: 2 << 30,
            engine_time_s: 300,
            max_findings: 100_000,
            max_files: 200_000,
            max_file_bytes: 10 << 20,
            max_total_bytes: 2 << 30,
        }
    }
}

impl Section for Scans {
    const NAME: &'static str = "scans";

    fn check(&self, faults: &mut Faults) {
        for path in self.allowed_paths.iter().filter(|path| !path.is_absolute()) {
            let fault = format!("`{}` is not an absolute path", path.display());
            faults.add("scans.allowed_paths", fault);
        }
        let bytes = 1 << 10..=1 << 42;
        faults.range("scans.max_repository_bytes", self.max_repository_bytes, bytes.clone());
        faults.range("scans.max_file_bytes", self.max_file_bytes, bytes.clone());
        faults.range("scans.max_total_bytes", self.max_total_bytes, bytes);
        faults.range("scans.engine_time_s", self.engine_time_s, 1..=86_400);
        faults.range("scans.max_findings", self.max_findings, 1..=1_000_000);
        faults.range("scans.max_files", self.max_files, 1..=10_000_000);
    }
}
