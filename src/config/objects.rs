use serde::{Deserialize, Serialize};
use url::Url;

use super::layers::Section;
use super::{Faults, Secret};

/// Where log lines and advisories are kept. Of a bucket, what is left out here is taken from the
/// variables that are customary with its provider (`AWS_..`, `GOOGLE_..`, `AZURE_..`), or from the
/// machine's role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objects {
    /// `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`; a folder
    /// below the data directory when absent.
    pub url: Option<Url>,
    /// Of a service that is not the provider's own but speaks like it.
    pub endpoint: Option<Url>,
    /// Of S3.
    pub region: Option<String>,
    /// The id of the access key (S3), or the name of the storage account (Azure).
    pub account: Option<String>,
    /// The secret access key (S3), the key of the storage account (Azure), or the key of the service
    /// account as JSON (Google).
    pub secret: Option<Secret>,
}

impl Section for Objects {
    const NAME: &'static str = "objects";

    // A URL is not shown: whoever puts a password into it is told so by this.
    fn check(&self, faults: &mut Faults) {
        match self.url.as_ref().map(|url| (url, url.scheme())) {
            None | Some((_, "file")) => self.check_folder(faults),
            Some((url, "s3" | "gs" | "az")) => self.check_bucket(url, faults),
            Some(_) => faults.add("objects.url", "must begin with file:///, s3://, gs:// or az://"),
        }
    }
}

impl Objects {
    fn check_folder(&self, faults: &mut Faults) {
        if self.url.as_ref().is_some_and(|url| url.to_file_path().is_err()) {
            faults.add("objects.url", "must name a folder on this machine after file://");
        }
        let of_buckets = [
            ("endpoint", self.endpoint.is_some()),
            ("region", self.region.is_some()),
            ("account", self.account.is_some()),
            ("secret", self.secret.is_some()),
        ];
        for (key, _) in of_buckets.into_iter().filter(|(_, given)| *given) {
            faults
                .add(format_args!("objects.{key}"), "is of use with a bucket in objects.url only");
        }
    }

    fn check_bucket(&self, url: &Url, faults: &mut Faults) {
        if !cfg!(feature = "cloud-objects") {
            faults.add(
                "objects.url",
                "this program was built without buckets: build it with `--features cloud-objects`",
            );
        }
        if !is_bare(url) || url.host_str().is_none_or(str::is_empty) || url.port().is_some() {
            faults.add(
                "objects.url",
                "must have a bucket and may have a prefix after it, and nothing else; keys belong \
                 into objects.account and objects.secret",
            );
        }
        let sound = |url: &Url| matches!(url.scheme(), "http" | "https") && is_bare(url);
        if self.endpoint.as_ref().is_some_and(|url| !sound(url)) {
            faults.add("objects.endpoint", "must be an http:// or https:// URL without a login");
        }
    }
}

fn is_bare(url: &Url) -> bool {
    let login = !url.username().is_empty() || url.password().is_some();
    !login && url.query().is_none() && url.fragment().is_none()
}
