use super::BATCH;

/// How far a list has been gone through, in the order of its ids: a batch in each look, and from
/// its start again after the last. So what stays at its front holds up nothing behind it.
#[derive(Debug, Default)]
pub(super) struct Round {
    after: String,
}

impl Round {
    /// The next batch is what comes after this id.
    pub fn after(&self) -> &str {
        &self.after
    }

    pub fn pass(&mut self, id: &str) {
        id.clone_into(&mut self.after);
    }

    /// All of a batch was passed; one that is not full was the last.
    pub fn end_batch(&mut self, size: usize) {
        if (size as i64) < BATCH {
            self.after.clear();
        }
    }
}
