use credentials::passkey::CeremonyError;
use domain::factors::FactorError;

use crate::problem::{Code, Problem};

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        let text = error.to_string();
        match error {
            FactorError::NotFound => Self::not_found(),
            FactorError::TotpExists | FactorError::None | FactorError::TooManyPasskeys => {
                Self::new(Code::Conflict, text)
            }
            FactorError::Name => Self::new(Code::ValidationFailed, &text).at("name", text),
            FactorError::CodeUsed | FactorError::UnknownCode => {
                Self::new(Code::Unauthenticated, text)
            }
            FactorError::TryLater { seconds } => {
                Self::new(Code::TooManyRequests, text).retry_after(seconds)
            }
        }
    }
}

/// What an authenticator answered does not hold.
pub(super) fn ceremony(error: &CeremonyError) -> Problem {
    Problem::new(Code::Unauthenticated, error.to_string())
}

/// The body holds something that no browser gives.
pub(super) fn not_a_passkey(error: &serde_json::Error) -> Problem {
    let text = format!("it is not what `PublicKeyCredential.toJSON()` gives: {error}");
    Problem::new(Code::ValidationFailed, &text).at("passkey", text)
}
