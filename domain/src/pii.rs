//! Personal data in events.
//!
//! A value is plain in memory until the journal seals it under the key of the person it is about, right
//! before it is appended. Nothing of it can be written before that, and nothing here can open it again:
//! this crate knows no keys. An erased person's values stay sealed for ever, and states fold them all
//! the same.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use uuid::Uuid;

/// A value that tells who somebody is, or proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pii<T>(Value<T>);

#[derive(Clone, PartialEq, Eq)]
enum Value<T> {
    Plain(T),
    Sealed(Sealed),
}

/// A value that only the key of its person opens, with the event it was sealed for. Written as
/// `<event id>.<sealed text>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The value opens as that of this event and no other.
    pub event: Uuid,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a personal value is written as `<event id>.<sealed text>`")]
pub struct NotSealed;

/// A personal field of an event, as [`Decide::personal`](crate::Decide::personal) shows it.
pub struct PersonalField<'a> {
    /// The person under whose key it is sealed.
    pub subject: Uuid,
    /// Its name, which the value can only be opened under. A state that keeps the value keeps the name.
    pub name: &'static str,
    pub value: &'a mut dyn PersonalValue,
}

/// A [`Pii`] of any type, to whoever seals it.
pub trait PersonalValue {
    /// The bytes to seal, which are JSON; none when the value is sealed already.
    fn plain_json(&self) -> Result<Option<Vec<u8>>, serde_json::Error>;

    fn seal(&mut self, sealed: Sealed);

    /// What it is when it is sealed.
    fn when_sealed(&self) -> Option<&Sealed>;
}

impl<T> Pii<T> {
    pub const fn plain(value: T) -> Self {
        Self(Value::Plain(value))
    }

    pub const fn sealed(sealed: Sealed) -> Self {
        Self(Value::Sealed(sealed))
    }

    /// None once it is sealed.
    pub const fn as_plain(&self) -> Option<&T> {
        match &self.0 {
            Value::Plain(value) => Some(value),
            Value::Sealed(_) => None,
        }
    }

    /// None as long as it is plain.
    pub const fn as_sealed(&self) -> Option<&Sealed> {
        match &self.0 {
            Value::Plain(_) => None,
            Value::Sealed(sealed) => Some(sealed),
        }
    }
}

impl<T: Serialize> PersonalValue for Pii<T> {
    fn plain_json(&self) -> Result<Option<Vec<u8>>, serde_json::Error> {
        self.as_plain().map(serde_json::to_vec).transpose()
    }

    fn seal(&mut self, sealed: Sealed) {
        self.0 = Value::Sealed(sealed);
    }

    fn when_sealed(&self) -> Option<&Sealed> {
        self.as_sealed()
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pii(..)")
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.event, self.text)
    }
}

impl FromStr for Sealed {
    type Err = NotSealed;

    fn from_str(text: &str) -> Result<Self, NotSealed> {
        let (event, text) = text.split_once('.').ok_or(NotSealed)?;
        let event = Uuid::parse_str(event).map_err(|_| NotSealed)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if text.is_empty() || !text.chars().all(fits) {
            return Err(NotSealed);
        }
        Ok(Self { event, text: text.to_owned() })
    }
}

impl<T> Serialize for Pii<T> {
    /// Fails for a plain value: whoever forgets to seal one must not write it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Plain(_) => Err(S::Error::custom("a personal value was not sealed")),
            Value::Sealed(sealed) => serializer.collect_str(sealed),
        }
    }
}

impl<'de, T> Deserialize<'de> for Pii<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self::sealed).map_err(D::Error::custom)
    }
}

impl<T> JsonSchema for Pii<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pii".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Personal: sealed under the key of the person, and unreadable once that is erased.",
            "pattern": "^[0-9a-f-]{36}\\.[0-9A-Za-z._-]+$",
            "x-personal": true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Sealed {
        Sealed { event: Uuid::from_u128(7), text: "sealed1.AbC-_9".to_owned() }
    }

    #[test]
    fn a_plain_value_is_neither_written_nor_shown() {
        let email = Pii::plain("ada@example.org".to_owned());
        let error = serde_json::to_string(&email).unwrap_err().to_string();
        assert!(error.contains("not sealed") && !error.contains("ada"), "{error}");
        assert_eq!(format!("{email:?}"), "Pii(..)");
        assert_eq!(email.plain_json().unwrap().unwrap(), br#""ada@example.org""#);
    }

    #[test]
    fn a_sealed_value_is_written_and_read_as_it_is() {
        let mut email = Pii::plain("ada@example.org".to_owned());
        email.seal(sealed());
        let written = serde_json::to_string(&email).unwrap();
        assert_eq!(written, r#""00000000-0000-0000-0000-000000000007.sealed1.AbC-_9""#);
        let read: Pii<String> = serde_json::from_str(&written).unwrap();
        assert_eq!(read, email);
        assert_eq!(read.as_sealed(), Some(&sealed()));
        assert_eq!((read.as_plain(), read.plain_json().unwrap()), (None, None));
    }

    #[test]
    fn what_is_not_sealed_is_not_read() {
        for text in
            ["", "ada@example.org", "7.sealed1.A", ".", "00000000-0000-0000-0000-000000000007."]
        {
            let text = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<Pii<String>>(&text).is_err(), "{text}");
        }
    }
}
