use projections::dead_letters::DeadLetterError;

use crate::problem::{Code, Problem};

impl From<DeadLetterError> for Problem {
    fn from(error: DeadLetterError) -> Self {
        match error {
            DeadLetterError::NotFound(_) => Self::not_found(),
            DeadLetterError::Parked { .. } => Self::new(Code::Conflict, error.to_string()),
            DeadLetterError::Read(error) => error.into(),
            DeadLetterError::Database(_) => Self::unavailable(&error),
        }
    }
}
