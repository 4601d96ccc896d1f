//! Typed ids in the TypeID form: a prefix, an underscore and 26 characters of Crockford base 32
//! that hold a UUIDv7 (TypeID specification 0.3).

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LEN: usize = 26;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an id of the form {prefix}_<26 characters>")]
pub struct ParseIdError {
    prefix: &'static str,
    given: String,
}

fn encode(uuid: Uuid) -> [u8; SUFFIX_LEN] {
    let mut value = uuid.as_u128();
    let mut out = [b'0'; SUFFIX_LEN];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    out
}

fn decode(suffix: &str) -> Option<Uuid> {
    if suffix.len() != SUFFIX_LEN || suffix.as_bytes()[0] > b'7' {
        return None;
    }
    let mut value: u128 = 0;
    for byte in suffix.bytes() {
        let digit = ALPHABET.iter().position(|candidate| *candidate == byte)?;
        value = (value << 5) | digit as u128;
    }
    Some(Uuid::from_u128(value))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let suffix = encode(self.0);
                f.write_str(concat!($prefix, "_"))?;
                suffix.iter().try_for_each(|byte| fmt::Write::write_char(f, *byte as char))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| ParseIdError {
                        prefix: $prefix,
                        given: text.chars().take(64).collect(),
                    })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                })
            }
        }
    )*};
}

ids! {
    /// A client address, or a range of them, that is turned away.
    AddressBlockId = "block";
    /// An API key (the public half; the secret is never stored).
    ApiKeyId = "key";
    /// Somebody who is asked about the invoices of an organisation.
    BillingContactId = "contact";
    /// An invitation into an organisation, and whoever is invited by it.
    InvitationId = "invitation";
    /// An organisation: the tenant that owns every row.
    OrganizationId = "org";
    /// A passkey of a person.
    PasskeyId = "passkey";
    /// A policy of an organisation.
    PolicyId = "policy";
    /// One scan of one target.
    ScanId = "scan";
    /// One sign-in of one person, however often it is refreshed.
    SessionId = "session";
    /// A collector that entries of an audit log are sent to.
    SinkId = "sink";
    /// A person with an account.
    UserId = "user";
}

/// The organisation of what is the installation's own. It has no keys and no members.
pub const PLATFORM: OrganizationId = OrganizationId::from_uuid(Uuid::nil());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_typeid_specification_does() {
        let vectors = [
            ("00000000-0000-0000-0000-000000000000", "00000000000000000000000000"),
            ("00000000-0000-0000-0000-000000000001", "00000000000000000000000001"),
            ("00000000-0000-0000-0000-000000000020", "00000000000000000000000010"),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz"),
            ("0110c853-1d09-52d8-d73e-1194e95b5f19", "0123456789abcdefghjkmnpqrs"),
            ("01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q"),
        ];
        for (uuid, suffix) in vectors {
            let id = ScanId::from_uuid(uuid.parse().unwrap());
            assert_eq!(id.to_string(), format!("scan_{suffix}"));
            assert_eq!(format!("scan_{suffix}").parse::<ScanId>().unwrap(), id);
        }
    }

    #[test]
    fn refuses_what_is_not_an_id_of_its_kind() {
        for bad in [
            "",
            "scan_",
            "scan_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "scan_01H455VB4PEX5VSKNK084SN02Q",
            "org_01h455vb4pex5vsknk084sn02q",
            "scan_01h455vb4pex5vsknk084sn02qq",
            "scan_01h455vb4pex5vsknk084sn02l",
            "scan_é1h455vb4pex5vsknk084sn02",
        ] {
            assert!(bad.parse::<ScanId>().is_err(), "{bad} was taken for an id");
        }
    }
}
