use std::sync::Arc;

use uuid::Uuid;

/// Why a personal value was not sealed or opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PersonalError {
    #[error("this log was opened without keys, so it can hold no personal data")]
    NoKeys,
    #[error("the person was erased; nothing can be written about them any more")]
    Erased,
    #[error("the key of the person {0} is missing")]
    Missing(Uuid),
    #[error("the value was never sealed")]
    NotSealed,
    #[error(transparent)]
    Seal(#[from] vault::SealError),
    #[error(transparent)]
    Open(#[from] vault::OpenError),
    #[error(transparent)]
    Unwrap(#[from] vault::UnwrapError),
    #[error("a personal value is not what its type says")]
    Json(#[source] Arc<serde_json::Error>),
    #[error("the database of the keys failed")]
    Database(#[source] Arc<sqlx::Error>),
}

impl PersonalError {
    /// Whether trying again later may help.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}

impl From<sqlx::Error> for PersonalError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<serde_json::Error> for PersonalError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(Arc::new(error))
    }
}
