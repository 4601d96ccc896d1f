//! Buckets of the three large providers, and of services that speak like them.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use object_store::{
    BackoffConfig, ClientConfigKey as Client, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey as S3},
    azure::{AzureConfigKey as Azure, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Google},
    path::Path,
    prefix::PrefixStore,
};
use url::Url;

use crate::{config::Objects, http};

/// Nobody waits for more tries: jobs end and requests are answered without the store.
const RETRY_TIME: Duration = Duration::from_secs(20);
const RETRIES: usize = 5;
/// Of one request with its body, which is at most a part of some MB on the way up, but a whole file
/// on the way down. A connection that stalls is given up much sooner.
const REQUEST_TIME: &str = "1800 seconds";
const STALL_TIME: &str = "20 seconds";

/// Opens it with what is configured, and takes the rest from the environment. Nothing is sent yet.
pub fn open(objects: &Objects, url: &Url) -> anyhow::Result<Arc<dyn ObjectStore>> {
    http::choose_tls_provider();
    let bucket = url.host_str().context("it names no bucket")?;
    let prefix = Path::from_url_path(url.path())?;
    Ok(match url.scheme() {
        "s3" => below(s3(objects, bucket).build()?, prefix),
        "gs" => below(google(objects, bucket).build()?, prefix),
        "az" => below(azure(objects, bucket).build()?, prefix),
        other => anyhow::bail!("there is no object store for {other}://"),
    })
}

fn below<T: ObjectStore>(store: T, prefix: Path) -> Arc<dyn ObjectStore> {
    if prefix.is_root() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) }
}

fn s3(objects: &Objects, bucket: &str) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries());
    for (key, value) in client(objects) {
        builder = builder.with_config(S3::Client(key), value);
    }
    if let Some(endpoint) = endpoint(objects) {
        // This key goes over the variables for all services of the provider.
        builder = builder.with_config(S3::S3Endpoint, endpoint);
    }
    if let Some(region) = &objects.region {
        builder = builder.with_region(region);
    }
    if let Some(account) = &objects.account {
        builder = builder.with_access_key_id(account);
    }
    if let Some(secret) = &objects.secret {
        builder = builder.with_secret_access_key(secret.expose());
    }
    builder
}

fn google(objects: &Objects, bucket: &str) -> GoogleCloudStorageBuilder {
    let mut builder =
        GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retries());
    for (key, value) in client(objects) {
        builder = builder.with_config(Google::Client(key), value);
    }
    if let Some(endpoint) = endpoint(objects) {
        builder = builder.with_base_url(&endpoint);
    }
    if let Some(secret) = &objects.secret {
        builder = builder.with_service_account_key(secret.expose());
    }
    builder
}

fn azure(objects: &Objects, container: &str) -> MicrosoftAzureBuilder {
    let mut builder =
        MicrosoftAzureBuilder::from_env().with_container_name(container).with_retry(retries());
    for (key, value) in client(objects) {
        builder = builder.with_config(Azure::Client(key), value);
    }
    if let Some(endpoint) = endpoint(objects) {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(account) = &objects.account {
        builder = builder.with_account(account);
    }
    if let Some(secret) = &objects.secret {
        builder = builder.with_access_key(secret.expose());
    }
    builder
}

fn client(objects: &Objects) -> Vec<(Client, String)> {
    let mut options = vec![
        (Client::Timeout, REQUEST_TIME.to_owned()),
        (Client::ReadTimeout, STALL_TIME.to_owned()),
    ];
    // Whoever writes http:// has decided so.
    if objects.endpoint.as_ref().is_some_and(|url| url.scheme() == "http") {
        options.push((Client::AllowHttp, "true".to_owned()));
    }
    options
}

fn endpoint(objects: &Objects) -> Option<String> {
    Some(objects.endpoint.as_ref()?.as_str().trim_end_matches('/').to_owned())
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_TIME,
    }
}
