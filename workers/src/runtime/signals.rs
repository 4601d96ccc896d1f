use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Who wants to know when somebody asks for the end of a job.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    listeners: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

/// Hears the signals of one job until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    signals: Signals,
    job: String,
    notify: Arc<Notify>,
}

impl Signals {
    pub fn listen(&self, job: &str) -> Listener {
        let notify = Arc::new(Notify::new());
        self.with(|listeners| listeners.insert(job.to_owned(), Arc::clone(&notify)));
        Listener { signals: self.clone(), job: job.to_owned(), notify }
    }

    pub fn ring(&self, job: &str) {
        if let Some(notify) = self.with(|listeners| listeners.get(job).cloned()) {
            notify.notify_one();
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Arc<Notify>>) -> T) -> T {
        work(&mut self.listeners.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listener {
    pub async fn heard(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.signals.with(|listeners| {
            // A later attempt of the same job may have taken the place.
            if listeners.get(&self.job).is_some_and(|held| Arc::ptr_eq(held, &self.notify)) {
                listeners.remove(&self.job);
            }
        });
    }
}
