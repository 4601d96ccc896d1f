use projections::RebuildError;

use crate::problem::{Code, Problem};

impl From<RebuildError> for Problem {
    fn from(error: RebuildError) -> Self {
        let code = match &error {
            RebuildError::Unknown(_) => return Self::not_found(),
            RebuildError::Database(_) => return Self::unavailable(&error),
            RebuildError::Busy { .. }
            | RebuildError::NotBuilt(_)
            | RebuildError::Missing { .. }
            | RebuildError::Behind { .. }
            | RebuildError::NoVersion { .. }
            | RebuildError::InUse { .. } => Code::Conflict,
            RebuildError::Differ { .. } => Code::BuildsDiffer,
            RebuildError::Moved { .. } => Code::VersionMismatch,
            // Whoever feeds the builds is late, or is not there.
            RebuildError::NotLevel(_) => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}
