//! The form in which an organisation writes a policy.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Fault, MAX_BYTES};
use crate::Role;

/// Whether a policy allows or denies. Deny wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Allow,
    Deny,
}

/// A policy as it is written, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyForm {
    pub name: String,
    pub effect: Effect,
    /// It is about members of these very roles and their API keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// It is about these too: users with their API keys (`user_..`) or, to deny, single API keys
    /// (`key_..`). Without roles and principals it is about every member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// `scans`, or `*` for all that an organisation owns but its policies.
    pub resource_type: String,
    /// Verbs of the resource type, `create`, or `*` for all of them.
    pub actions: Vec<String>,
    /// All of them have to hold.
    #[serde(default)]
    pub conditions: ConditionsForm,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionsForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<TextTest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<TextTest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeTest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<AddressTest>,
    /// Whether a second factor was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<bool>,
    /// By whom they were let in: the name of a provider; `account` with what the account has here;
    /// `key` for an API key; `backend` for a token of an older backend; `operator`, who acts as them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_by: Option<TextTest>,
    /// Attributes of the resource, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, TextTest>,
}

/// `{"equals": "production"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextTest {
    Equals(String),
    NotEquals(String),
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// `{"in": ["10.0.0.0/8", "192.0.2.7"]}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressTest {
    In(Vec<String>),
    NotIn(Vec<String>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeTest {
    /// Local times, `["09:00", "17:00"]`: from the first up to and without the second, over
    /// midnight when the second is the earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<(String, String)>,
    /// The local day: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekdays: Option<Vec<String>>,
    /// Whose local time, by its name in the tz database: `Europe/Berlin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// From this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Up to and without this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl PolicyForm {
    /// Reads the JSON form. What does not fit is told field by field.
    pub fn from_json(json: &Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(object) = json else {
            return Err(vec![Fault::new("", "a policy is a JSON object")]);
        };
        if json.to_string().len() > MAX_BYTES {
            return Err(vec![Fault::new("", format!("a policy has at most {MAX_BYTES} bytes"))]);
        }
        let mut fields = Fields::of("", object);
        let form = (
            fields.required("name"),
            fields.required("effect"),
            fields.optional("roles"),
            fields.optional("principals"),
            fields.required("resource_type"),
            fields.required("actions"),
            fields.conditions(),
        );
        let faults = fields.finish();
        match form {
            (
                Some(name),
                Some(effect),
                roles,
                principals,
                Some(resource_type),
                Some(actions),
                conditions,
            ) if faults.is_empty() => Ok(Self {
                name,
                effect,
                roles: roles.unwrap_or_default(),
                principals: principals.unwrap_or_default(),
                resource_type,
                actions,
                conditions,
            }),
            _ => Err(faults),
        }
    }
}

/// The fields of an object as they are taken out one by one.
struct Fields<'a> {
    within: &'static str,
    left: BTreeMap<&'a str, &'a Value>,
    faults: Vec<Fault>,
}

impl<'a> Fields<'a> {
    fn of(within: &'static str, object: &'a Map<String, Value>) -> Self {
        let left = object.iter().map(|(name, value)| (name.as_str(), value)).collect();
        Self { within, left, faults: Vec::new() }
    }

    fn fault(&mut self, field: &str, reason: impl Into<String>) {
        self.faults.push(Fault::new(format!("{}{field}", self.within), reason));
    }

    fn optional<T: DeserializeOwned>(&mut self, field: &'static str) -> Option<T> {
        let value = self.left.remove(field).filter(|value| !value.is_null())?;
        T::deserialize(value).map_err(|error| self.fault(field, error.to_string())).ok()
    }

    fn required<T: DeserializeOwned>(&mut self, field: &'static str) -> Option<T> {
        if self.left.get(field).is_none_or(|value| value.is_null()) {
            self.left.remove(field);
            self.fault(field, "is missing");
            return None;
        }
        self.optional(field)
    }

    fn conditions(&mut self) -> ConditionsForm {
        match self.left.remove("conditions") {
            None | Some(Value::Null) => ConditionsForm::default(),
            Some(Value::Object(object)) => {
                let mut fields = Fields::of("conditions.", object);
                let conditions = ConditionsForm {
                    project: fields.optional("project"),
                    environment: fields.optional("environment"),
                    time: fields.optional("time"),
                    address: fields.optional("address"),
                    second_factor: fields.optional("second_factor"),
                    signed_in_by: fields.optional("signed_in_by"),
                    attributes: fields.optional("attributes").unwrap_or_default(),
                };
                self.faults.extend(fields.finish());
                conditions
            }
            Some(_) => {
                self.fault("conditions", "is a JSON object");
                ConditionsForm::default()
            }
        }
    }

    /// What was not taken is not known.
    fn finish(mut self) -> Vec<Fault> {
        let unknown: Vec<_> = std::mem::take(&mut self.left).into_keys().collect();
        for field in unknown {
            let field: String = field.chars().take(64).collect();
            self.fault(&field, "is not a field that is known here");
        }
        self.faults
    }
}

/// The address without the clothing of IPv6 around an IPv4 one.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
