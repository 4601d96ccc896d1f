use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layers::Section;
use super::{Faults, Secret};

/// Master keys, under which the keys of personal data are wrapped. Every process of an installation
/// needs the same; they are worth as much as the database and belong somewhere else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vault {
    /// Base64 of 32 bytes each, divided by commas: the one in use first, then older ones that something
    /// is still wrapped under.
    pub keys: Option<Secret>,
    /// A file with the same, readable by its owner alone. `master.key` in the data directory when
    /// neither is given, which is made when it is not there.
    pub file: Option<PathBuf>,
    /// A key signs access tokens for so long before the next one does; 0 leaves that to
    /// `millrace keys rotate-signing`.
    pub signing_keys_days: u32,
}

impl Default for Vault {
    fn default() -> Self {
        Self { keys: None, file: None, signing_keys_days: 90 }
    }
}

impl Section for Vault {
    const NAME: &'static str = "vault";

    fn check(&self, faults: &mut Faults) {
        faults.range("vault.signing_keys_days", self.signing_keys_days, 0..=3650);
        if self.keys.is_some() && self.file.is_some() {
            faults.add("vault.file", "is not read when vault.keys is given: leave out one of them");
        }
        if let Some(Err(error)) = self.keys.as_ref().map(|keys| vault::parse(keys.expose())) {
            faults.add("vault.keys", error.to_string());
        }
    }
}
