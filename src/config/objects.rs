use serde::{Deserialize, Serialize};
use url::Url;

use super::Faults;
use super::layers::Section;

/// Where log lines and artifacts of finished jobs are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objects {
    /// A `file:///..` URL; a folder below the data directory when absent.
    pub url: Option<Url>,
}

impl Section for Objects {
    const NAME: &'static str = "objects";

    fn check(&self, faults: &mut Faults) {
        let Some(url) = &self.url else { return };
        if url.scheme() != "file" || url.to_file_path().is_err() {
            faults.add("objects.url", "must be a file:/// URL of a folder on this machine");
        }
    }
}
