//! The payload of an event as the log holds it.

use serde_json::value::RawValue;
use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

/// The JSON that was appended, byte for byte. The database has seen that it is JSON, so it is not
/// looked through again when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(Box<str>);

impl Payload {
    pub fn get(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Box<[u8]> {
        self.0.into_boxed_bytes()
    }
}

impl From<Box<RawValue>> for Payload {
    fn from(json: Box<RawValue>) -> Self {
        Self(json.into())
    }
}

impl Type<Postgres> for Payload {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("json")
    }
}

impl<'r> Decode<'r, Postgres> for Payload {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(value.as_str()?.into()))
    }
}
