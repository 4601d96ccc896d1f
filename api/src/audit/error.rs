use domain::audit::AuditError;

use crate::problem::{Code, Problem};

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        let text = error.to_string();
        match error {
            AuditError::UnknownSink => Self::not_found(),
            AuditError::TooManySinks => Self::new(Code::Conflict, text),
            AuditError::Url => Self::new(Code::ValidationFailed, &text).at("url", text),
            AuditError::Header => Self::new(Code::ValidationFailed, &text).at("header", text),
        }
    }
}
