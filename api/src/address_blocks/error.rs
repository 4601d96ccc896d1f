use domain::address_blocks::AddressBlockError;

use crate::problem::{Code, Problem};

impl From<AddressBlockError> for Problem {
    fn from(error: AddressBlockError) -> Self {
        let text = error.to_string();
        let field = match error {
            AddressBlockError::NotFound => return Self::not_found(),
            AddressBlockError::Exists => return Self::new(Code::Conflict, text),
            AddressBlockError::Network => "network",
            AddressBlockError::Reason => "reason",
            AddressBlockError::End => "until",
        };
        Self::new(Code::ValidationFailed, &text).at(field, text)
    }
}
