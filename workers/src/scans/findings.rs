use domain::scans::{Engine, Finding, MAX_BATCH_FINDINGS, Scan, ScanCommand};

use crate::runtime::{JobContext, JobError};

/// JSON in one event; a message carries about twice as much.
const MAX_BATCH_BYTES: usize = 512 << 10;

/// Records the findings of one engine in batches.
pub(super) struct Findings<'a> {
    job: &'a JobContext,
    engine: Engine,
    most: u64,
    next_batch: u32,
    waiting: Vec<Finding>,
    waiting_bytes: usize,
    taken: u64,
    left_out: u64,
}

impl<'a> Findings<'a> {
    pub fn new(job: &'a JobContext, engine: Engine, most: u64) -> Self {
        let waiting = Vec::new();
        Self { job, engine, most, next_batch: 0, waiting, waiting_bytes: 0, taken: 0, left_out: 0 }
    }

    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Findings beyond the most that are kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The finding must be bounded.
    pub async fn add(&mut self, finding: Finding) -> Result<(), JobError> {
        if self.taken == self.most {
            self.left_out += 1;
            return Ok(());
        }
        let bytes = serde_json::to_vec(&finding).map_err(JobError::fail)?.len();
        let full = self.waiting.len() == MAX_BATCH_FINDINGS;
        if full || self.waiting_bytes + bytes > MAX_BATCH_BYTES {
            self.flush().await?;
        }
        self.taken += 1;
        self.waiting_bytes += bytes;
        self.waiting.push(finding);
        Ok(())
    }

    pub async fn flush(&mut self) -> Result<(), JobError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let command = ScanCommand::RecordFindings {
            fence: self.job.fence,
            engine: self.engine,
            batch: self.next_batch,
            findings: std::mem::take(&mut self.waiting),
        };
        self.job.execute::<Scan>(command).await?;
        self.next_batch += 1;
        self.waiting_bytes = 0;
        Ok(())
    }
}
