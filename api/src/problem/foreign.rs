//! Errors of the framework and of the other crates, as problems.

use journal::{AppendError, LoadError, PersonalError, ReadError};
use poem::error::ReadBodyError;
use poem_openapi::error::{
    ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError,
};

use super::{Code, Problem};
use crate::server::BodyError;

impl Problem {
    /// What the framework or a handler failed with.
    pub(crate) fn of_poem(error: poem::Error) -> Self {
        if let Some(problem) = error.downcast_ref::<Self>() {
            return problem.clone();
        }
        if let Some(error) = error.downcast_ref::<ParseParamError>() {
            return Self::parameter(error.name, &error.reason);
        }
        if error.is::<ParsePathError>() {
            return Self::not_found();
        }
        if let Some(error) = error.downcast_ref::<ParseRequestPayloadError>() {
            return Self::new(Code::InvalidBody, &error.reason).at("body", &error.reason);
        }
        if let Some(error) = error.downcast_ref::<ContentTypeError>() {
            return Self::new(Code::UnsupportedMediaType, error.to_string());
        }
        if let Some(error) = error.downcast_ref::<ReadBodyError>() {
            return Self::new(Code::InvalidBody, error.to_string());
        }
        let status = error.status();
        if status.is_server_error() {
            return Self::internal(&error);
        }
        let code = Code::of_status(status);
        let detail = match code {
            Code::NoSuchRoute | Code::MethodNotAllowed => code.remedy().to_owned(),
            _ => error.to_string(),
        };
        Self::new(code, detail)
    }
}

impl From<&BodyError> for Problem {
    fn from(error: &BodyError) -> Self {
        let code = match error {
            BodyError::TooLarge { .. } => Code::BodyTooLarge,
            BodyError::TooSlow { .. } => Code::RequestTooSlow,
            BodyError::Broken => Code::BadRequest,
            BodyError::GaveWay => Code::Overloaded,
        };
        Self::new(code, error.to_string())
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match &error {
            AppendError::Conflict { .. } => Self::new(
                Code::Conflict,
                "the resource is being changed by others too often; try again",
            )
            .retry_after(1),
            AppendError::Claimed { .. } => Self::new(Code::Conflict, error.to_string()),
            AppendError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "this idempotency key was used before for another request",
            ),
            AppendError::TooLarge { .. } => Self::new(Code::ValidationFailed, error.to_string()),
            AppendError::Overloaded => Self::new(Code::Overloaded, error.to_string()),
            AppendError::Closed => Self::new(Code::Unavailable, "the server is shutting down"),
            AppendError::Database(_) => Self::unavailable(&error),
            // The journal answers a duplicate with its stored result.
            AppendError::Duplicate(_) => Self::internal(&error),
            // Whatever a client may say was checked before it became an event.
            AppendError::Unstorable(_) => Self::internal(&error),
        }
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match &error {
            LoadError::Database(_) => Self::unavailable(&error),
            LoadError::Repository { .. } | LoadError::Decode { .. } | LoadError::Hole { .. } => {
                Self::internal(&error)
            }
        }
    }
}

impl From<PersonalError> for Problem {
    fn from(error: PersonalError) -> Self {
        match &error {
            PersonalError::Database(_) => Self::unavailable(&error),
            PersonalError::Erased => Self::not_found(),
            _ => Self::internal(&error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Database(_) => Self::unavailable(&error),
            ReadError::Hole { .. } => Self::internal(&error),
        }
    }
}
