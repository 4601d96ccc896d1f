//! What a job has printed, in the object store: for good, after the stream has forgotten it.
//!
//! One object for each attempt, `logs/<organisation>/<job>/<attempt>.ndjson`, one line of JSON for
//! each line of output.

use std::sync::Arc;

use domain::ids::OrganizationId;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, buffered::BufWriter, path::Path};
use tokio::io::AsyncWriteExt;

use crate::logs::LogLine;

/// Most attempts that are read of one job, the newest; jobs have far fewer.
const MAX_ATTEMPTS: usize = 100;
/// Most that is read of one job; an attempt has some MB.
const MAX_BYTES: u64 = 64 << 20;
/// A longer output goes up in parts of this size, one after the other.
const PART_BYTES: usize = 8 << 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the object store failed")]
    Store(#[from] object_store::Error),
    #[error("a line of output is not what was written there")]
    Line(#[from] serde_json::Error),
    #[error("the output could not be written to the object store")]
    Write(#[from] std::io::Error),
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
        let path = folder(org, job).join(format!("{attempt:06}.ndjson"));
        let mut object =
            BufWriter::with_capacity(self.store.clone(), path, PART_BYTES).with_max_concurrency(1);
        for line in lines {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            if let Err(error) = object.write_all(&text).await {
                // The first failure is the one to tell.
                let _ = object.abort().await;
                return Err(error.into());
            }
        }
        Ok(object.shutdown().await?)
    }

    /// The output of the attempts in order; empty when none was kept.
    pub async fn read(&self, org: OrganizationId, job: &str) -> Result<Vec<LogLine>, Error> {
        let mut found: Vec<_> = self.store.list(Some(&folder(org, job))).try_collect().await?;
        found.sort_by(|a, b| a.location.cmp(&b.location));
        let newest = newest(&found);
        let left_out = found.len() - newest.len();
        if left_out > 0 {
            tracing::warn!(job, left_out, "the output of the first attempts is left out");
        }
        let mut lines = Vec::new();
        for object in newest {
            let bytes = self.store.get(&object.location).await?.bytes().await?;
            let texts = bytes.split(|byte| *byte == b'\n').filter(|text| !text.is_empty());
            for text in texts {
                lines.push(serde_json::from_slice(text)?);
            }
        }
        Ok(lines)
    }
}

/// Those of the last attempts, as many as may be read.
fn newest(attempts: &[ObjectMeta]) -> &[ObjectMeta] {
    let mut bytes = 0;
    let fits = attempts.iter().rev().take(MAX_ATTEMPTS).take_while(|attempt| {
        bytes += attempt.size;
        bytes <= MAX_BYTES
    });
    &attempts[attempts.len() - fits.count()..]
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

    #[tokio::test]
    async fn a_long_output_is_kept_whole_and_only_so_much_is_read_at_once() {
        let archive = LogArchive::new(Arc::new(InMemory::new()));
        let org = OrganizationId::from_uuid(Uuid::from_u128(1));
        let line = |attempt: u32, number: u32| LogLine {
            at: domain::Timestamp::UNIX_EPOCH,
            stream: LogSource::Out,
            text: format!("{attempt} {number} {}", "x".repeat(4000)),
        };
        for attempt in 1..=3 {
            let lines: Vec<_> = (0..6000).map(|number| line(attempt, number)).collect();
            archive.write(org, "scan_a", attempt, &lines).await.unwrap();
        }
        let read = archive.read(org, "scan_a").await.unwrap();
        assert_eq!(read.len(), 12_000, "three times 24 MB are more than is read");
        assert_eq!((&read[0], &read[11_999]), (&line(2, 0), &line(3, 5999)));
    }
}
