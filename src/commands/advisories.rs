use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail, ensure};
use url::Url;

use crate::{cli::AdvisoriesCommand, config::Config, objects::Objects};

/// The advisories of all ecosystems together are well below it.
const MAX_DOWNLOAD_BYTES: u64 = 2 << 30;
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);

pub async fn run(config: &Config, command: AdvisoriesCommand) -> anyhow::Result<ExitCode> {
    let AdvisoriesCommand::Import { source } = command;
    let objects = Objects::open(config)?;
    let (path, _download) = match Url::parse(&source) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let file = download(url).await?;
            (file.path().to_owned(), Some(file))
        }
        _ => (PathBuf::from(&source), None),
    };
    let report = objects.import_advisories(&path).await?;
    println!("{report}");
    Ok(ExitCode::SUCCESS)
}

async fn download(url: Url) -> anyhow::Result<tempfile::NamedTempFile> {
    let client = crate::http::client(Some(DOWNLOAD_TIMEOUT))?;
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut file = tempfile::Builder::new().suffix(".zip").tempfile()?;
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.context("the download broke off")? {
        bytes += chunk.len() as u64;
        ensure!(
            bytes <= MAX_DOWNLOAD_BYTES,
            "the download is larger than {MAX_DOWNLOAD_BYTES} bytes"
        );
        file.write_all(&chunk)?;
    }
    if bytes == 0 {
        bail!("the address gave an empty file");
    }
    file.flush()?;
    Ok(file)
}
