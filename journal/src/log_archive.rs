//! What a job has printed, in the object store: for good, after the stream has forgotten it.
//!
//! One object for each attempt, `logs/<organisation>/<job>/<attempt>.ndjson`, one line of JSON for
//! each line of output.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::OrganizationId;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};

use crate::logs::LogLine;

/// Most attempts that are read of one job, the newest; jobs have far fewer.
const MAX_ATTEMPTS: usize = 100;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the object store failed")]
    Store(#[from] object_store::Error),
    #[error("a line of output is not what was written there")]
    Line(#[from] serde_json::Error),
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogArchive {
    store: Arc<dyn ObjectStore>,
}

impl LogArchive {
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Keeps the whole output of one attempt.
    pub async fn write(
        &self,
        org: OrganizationId,
        job: &str,
        attempt: u32,
        lines: &[LogLine],
    ) -> Result<(), Error> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        let path = folder(org, job).join(format!("{attempt:06}.ndjson"));
        self.store.put(&path, Bytes::from(text).into()).await?;
        Ok(())
    }

    /// The output of the attempts in order; empty when none was kept.
    pub async fn read(&self, org: OrganizationId, job: &str) -> Result<Vec<LogLine>, Error> {
        let found: Vec<_> = self.store.list(Some(&folder(org, job))).try_collect().await?;
        let mut paths: Vec<Path> = found.into_iter().map(|object| object.location).collect();
        paths.sort();
        let mut lines = Vec::new();
        let left_out = paths.len().saturating_sub(MAX_ATTEMPTS);
        if left_out > 0 {
            tracing::warn!(job, left_out, "the output of the first attempts is left out");
        }
        for path in &paths[left_out..] {
            let bytes = self.store.get(path).await?.bytes().await?;
            let texts = bytes.split(|byte| *byte == b'\n').filter(|text| !text.is_empty());
            for text in texts {
                lines.push(serde_json::from_slice(text)?);
            }
        }
        Ok(lines)
    }
}

/// A job's id becomes one part of the path, whatever it holds.
fn folder(org: OrganizationId, job: &str) -> Path {
    Path::from_iter(["logs", &org.to_string(), job])
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use uuid::Uuid;

    use super::*;
    use crate::logs::LogSource;

    #[tokio::test]
    async fn attempts_are_read_in_order_and_jobs_do_not_mix() {
        let archive = LogArchive::new(Arc::new(InMemory::new()));
        let org = OrganizationId::from_uuid(Uuid::from_u128(1));
        let line = |text: &str| LogLine {
            at: domain::Timestamp::UNIX_EPOCH,
            stream: LogSource::Out,
            text: text.to_owned(),
        };
        archive.write(org, "scan_a", 10, &[line("last")]).await.unwrap();
        archive.write(org, "scan_a", 2, &[line("first"), line("two\nlines")]).await.unwrap();
        archive.write(org, "scan_ab", 1, &[line("other")]).await.unwrap();
        archive.write(org, "../scan_a", 1, &[line("outside")]).await.unwrap();
        let read = archive.read(org, "scan_a").await.unwrap();
        assert_eq!(read, [line("first"), line("two\nlines"), line("last")]);
        assert!(archive.read(org, "scan_b").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn of_too_many_attempts_the_newest_are_read() {
        let archive = LogArchive::new(Arc::new(InMemory::new()));
        let org = OrganizationId::from_uuid(Uuid::from_u128(1));
        let line = |attempt: u32| LogLine {
            at: domain::Timestamp::UNIX_EPOCH,
            stream: LogSource::Out,
            text: attempt.to_string(),
        };
        for attempt in 1..=101 {
            archive.write(org, "scan_a", attempt, &[line(attempt)]).await.unwrap();
        }
        let read = archive.read(org, "scan_a").await.unwrap();
        assert_eq!(read, (2..=101).map(line).collect::<Vec<_>>());
    }
}
