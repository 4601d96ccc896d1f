use domain::event::DecodeError;
use journal::{LoadError, PersonalError, ReadError};

/// Why something was not done. Holds no address, name or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Later it may work.
    Retry(String),
    /// It never will.
    Fail(String),
}

impl Failure {
    pub fn reason(&self) -> &str {
        match self {
            Self::Retry(reason) | Self::Fail(reason) => reason,
        }
    }

    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Fail(_))
    }

    fn retry(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Retry(crate::chain(error))
    }
}

impl From<mail::Error> for Failure {
    fn from(error: mail::Error) -> Self {
        match error {
            mail::Error::Retry(_) => Self::Retry(error.to_string()),
            mail::Error::Fail(_) => Self::Fail(error.to_string()),
        }
    }
}

impl From<PersonalError> for Failure {
    fn from(error: PersonalError) -> Self {
        // A master key that is missing comes back with the right configuration.
        Self::retry(&error)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::retry(&error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::retry(&error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::Fail(crate::chain(&error))
    }
}
