use credentials::password::{ChooseError, HasherError};
use domain::users::UserError;

use crate::problem::{Code, Problem};

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        let text = error.to_string();
        match error {
            UserError::NotFound => Self::not_found(),
            UserError::Exists => Self::internal(&error),
            UserError::SameEmail => Self::new(Code::ValidationFailed, &text).at("email", text),
            UserError::TooSoon => Self::new(Code::TooManyRequests, text).retry_after(60),
            UserError::Reason => Self::new(Code::ValidationFailed, &text).at("reason", text),
            UserError::Name => Self::new(Code::ValidationFailed, &text).at("name", text),
            UserError::NoIdentity => Self::not_found(),
            UserError::TooManyIdentities => Self::new(Code::Conflict, text),
            UserError::LastWayIn => Self::new(Code::LastWayIn, text),
            UserError::AddressHasAccount => Self::new(Code::AddressHasAccount, text),
            UserError::Link | UserError::LinkExpired => {
                Self::new(Code::ValidationFailed, &text).at("token", text)
            }
        }
    }
}

impl From<HasherError> for Problem {
    fn from(error: HasherError) -> Self {
        match &error {
            HasherError::Overloaded => Self::new(Code::Overloaded, error.to_string()),
            HasherError::BrokenOff | HasherError::Scheme(_) => Self::internal(&error),
        }
    }
}

impl From<ChooseError> for Problem {
    fn from(error: ChooseError) -> Self {
        match error {
            ChooseError::Weak(weakness) => {
                let text = weakness.to_string();
                Self::new(Code::ValidationFailed, &text).at("password", text)
            }
            ChooseError::Hasher(error) => error.into(),
        }
    }
}
