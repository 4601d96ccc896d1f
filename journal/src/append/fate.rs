use std::sync::Arc;

use tokio::sync::SetOnce;

/// What becomes of an append, for whatever is decided on its events before that is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate(Arc<SetOnce<Option<u64>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Undecided,
    /// In the log.
    Appended,
    /// Its events are not in the log, or it is not known whether they are.
    Refused,
}

impl Fate {
    /// Of what is in the log already.
    pub fn appended(position: u64) -> Self {
        Self(Arc::new(SetOnce::new_with(Some(Some(position)))))
    }

    pub fn standing(&self) -> Standing {
        match self.0.get() {
            None => Standing::Undecided,
            Some(Some(_)) => Standing::Appended,
            Some(None) => Standing::Refused,
        }
    }

    /// Of the last event, if it is known to be in the log.
    pub fn position(&self) -> Option<u64> {
        self.0.get().copied().flatten()
    }

    /// The position of the last event, or none when it was refused.
    pub async fn wait(&self) -> Option<u64> {
        *self.0.wait().await
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The duty to settle a fate: whoever drops it has refused.
pub(super) struct Deciding(Fate);

impl Deciding {
    pub fn new(fate: Fate) -> Self {
        Self(fate)
    }

    pub fn fate(&self) -> &Fate {
        &self.0
    }

    pub fn settle(self, position: Option<u64>) {
        let _ = self.0.0.set(position);
    }
}

impl Drop for Deciding {
    fn drop(&mut self) {
        let _ = self.0.0.set(None);
    }
}
