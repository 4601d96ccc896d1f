use domain::scans::{ScanError, TargetError};
use projections::{QueryError, scans::AsOfError};

use crate::problem::{Code, Problem};

impl From<ScanError> for Problem {
    fn from(error: ScanError) -> Self {
        let text = error.to_string();
        match error {
            ScanError::NotFound => Self::not_found(),
            ScanError::Exists | ScanError::Ended(_) => Self::new(Code::Conflict, text),
            ScanError::Target(target) => {
                let field = match target {
                    TargetError::NotAUrl(_) | TargetError::Scheme(_) | TargetError::Credentials => {
                        "target.url"
                    }
                    TargetError::Path => "target.path",
                    TargetError::TooLong => "target",
                };
                Self::new(Code::ValidationFailed, &text).at(field, text)
            }
            ScanError::EngineDoesNotFit { .. } | ScanError::NoEngines => {
                Self::new(Code::ValidationFailed, &text).at("engines", text)
            }
            // What only workers can be refused.
            ScanError::StaleAttempt
            | ScanError::NotWaiting(_)
            | ScanError::EngineNotRunning(_)
            | ScanError::BatchOutOfOrder { .. }
            | ScanError::BatchTooLarge { .. }
            | ScanError::EngineUnfinished(_) => Self::internal(&error),
        }
    }
}

impl From<AsOfError> for Problem {
    fn from(error: AsOfError) -> Self {
        match error {
            AsOfError::Read(error) => error.into(),
            AsOfError::Decode { .. } | AsOfError::Fold { .. } => Self::internal(&error),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match &error {
            QueryError::Cursor(bad) => Self::parameter("cursor", bad.to_string()),
            QueryError::Database(_) => Self::unavailable(&error),
        }
    }
}
