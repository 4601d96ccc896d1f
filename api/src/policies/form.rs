//! The form of a policy, as the document shows it. What is sent is read and judged by `access`, which
//! tells every fault with its field; these types say what it takes.

use std::{borrow::Cow, collections::BTreeMap};

use domain::Timestamp;
use poem_openapi::{
    Enum, Object, Union,
    registry::{MetaSchemaRef, Registry},
    types::{ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde_json::Value;

use crate::organizations::RoleName;

/// A policy as it was written, whatever it is.
#[derive(Debug)]
pub(crate) struct WrittenPolicy(pub Value);

impl Type for WrittenPolicy {
    const IS_REQUIRED: bool = true;

    type RawValueType = Value;
    type RawElementValueType = Value;

    fn name() -> Cow<'static, str> {
        PolicyForm::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        PolicyForm::schema_ref()
    }

    fn register(registry: &mut Registry) {
        PolicyForm::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Value> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
        Box::new(std::iter::once(&self.0))
    }
}

impl ParseFromJSON for WrittenPolicy {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Ok(Self(value.unwrap_or_default()))
    }
}

impl ToJSON for WrittenPolicy {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

/// Who may, or may not, do what, and when.
#[derive(Object)]
#[oai(deny_unknown_fields, skip_serializing_if_is_none)]
struct PolicyForm {
    /// 1 to 100 characters.
    name: String,
    effect: Effect,
    /// It is about members of these very roles and their API keys.
    roles: Option<Vec<RoleName>>,
    /// It is about these too: users with their API keys (`user_..`) or, to deny, single API keys
    /// (`key_..`); 50 at most. Without roles and principals it is about every member.
    #[oai(validator(max_items = 50))]
    principals: Option<Vec<String>>,
    /// `scans`, or `*` for all that an organisation owns but its policies.
    resource_type: String,
    /// Verbs of the resource type, `create`, or `*` for all of them.
    #[oai(validator(min_items = 1))]
    actions: Vec<String>,
    conditions: Option<PolicyConditions>,
}

/// Deny wins.
#[derive(Enum)]
#[oai(rename = "PolicyEffect", rename_all = "snake_case")]
enum Effect {
    Allow,
    Deny,
}

/// All of them have to hold.
#[derive(Object)]
#[oai(deny_unknown_fields, skip_serializing_if_is_none)]
struct PolicyConditions {
    project: Option<TextTest>,
    environment: Option<TextTest>,
    time: Option<TimeTest>,
    address: Option<AddressTest>,
    /// Whether a second factor was given.
    second_factor: Option<bool>,
    /// By whom they were let in: the name of a provider; `account` with what the account has here; `key` for
    /// an API key; `backend` for a token of an older backend; `operator`, who acts as them.
    signed_in_by: Option<TextTest>,
    /// Attributes of the resource, by name; 8 at most.
    attributes: Option<BTreeMap<String, TextTest>>,
}

/// What a text is or is not: one of them.
#[derive(Union)]
#[oai(one_of)]
enum TextTest {
    Equals(TextEquals),
    NotEquals(TextNotEquals),
    In(TextIn),
    NotIn(TextNotIn),
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct TextEquals {
    /// 1 to 128 characters, as are all values.
    equals: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct TextNotEquals {
    not_equals: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct TextIn {
    #[oai(rename = "in", validator(min_items = 1, max_items = 50))]
    values: Vec<String>,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct TextNotIn {
    #[oai(rename = "not_in", validator(min_items = 1, max_items = 50))]
    values: Vec<String>,
}

/// Where a request comes from: one of them.
#[derive(Union)]
#[oai(one_of)]
enum AddressTest {
    In(AddressIn),
    NotIn(AddressNotIn),
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct AddressIn {
    /// Addresses and networks: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
    #[oai(rename = "in", validator(min_items = 1, max_items = 50))]
    networks: Vec<String>,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct AddressNotIn {
    /// Addresses and networks: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
    #[oai(rename = "not_in", validator(min_items = 1, max_items = 50))]
    networks: Vec<String>,
}

/// At least one of `between`, `weekdays`, `from` and `until`.
#[derive(Object)]
#[oai(deny_unknown_fields, skip_serializing_if_is_none)]
struct TimeTest {
    /// Local times, `["09:00", "17:00"]`: from the first up to and without the second, over midnight when the
    /// second is the earlier one.
    #[oai(validator(min_items = 2, max_items = 2))]
    between: Option<Vec<String>>,
    /// The local day, each once.
    #[oai(validator(min_items = 1, max_items = 7))]
    weekdays: Option<Vec<Weekday>>,
    /// Whose local time, by its name in the tz database: `Europe/Berlin`. It goes with `between` and
    /// `weekdays`.
    zone: Option<String>,
    /// From this moment on.
    from: Option<Timestamp>,
    /// Up to and without this moment.
    until: Option<Timestamp>,
}

#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    /// With every field, one way of a test or another.
    fn policies() -> Vec<Value> {
        let texts = [
            json!({ "equals": "a" }),
            json!({ "not_equals": "a" }),
            json!({ "in": ["a", "b"] }),
            json!({ "not_in": ["a"] }),
        ];
        let addresses = [json!({ "in": ["10.0.0.0/8"] }), json!({ "not_in": ["192.0.2.7"] })];
        let whole = |text: &Value, address: &Value| {
            json!({
                "name": "all of it",
                "effect": "deny",
                "roles": ["viewer", "developer", "admin"],
                "principals": ["user_01h455vb4pex5vsknk084sn02q", "key_01h455vb4pex5vsknk084sn02q"],
                "resource_type": "scans",
                "actions": ["create", "read"],
                "conditions": {
                    "project": text, "environment": text, "signed_in_by": text,
                    "attributes": { "region": text },
                    "second_factor": false,
                    "address": address,
                    "time": {
                        "between": ["22:00", "06:00"],
                        "weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                        "zone": "Europe/Berlin",
                        "from": "2026-01-01T00:00:00Z",
                        "until": "2027-01-01T00:00:00Z",
                    },
                },
            })
        };
        let mut policies: Vec<_> = texts
            .iter()
            .flat_map(|text| addresses.iter().map(move |address| (text, address)))
            .map(|(text, address)| whole(text, address))
            .collect();
        policies.push(json!({
            "name": "least", "effect": "allow", "resource_type": "*", "actions": ["*"],
        }));
        policies
    }

    #[test]
    fn what_is_accepted_has_the_form() {
        for policy in policies() {
            assert!(access::Policy::from_json(&policy).is_ok(), "{policy}");
            let form = PolicyForm::parse_from_json(Some(policy.clone()));
            let form = form.unwrap_or_else(|error| panic!("{policy}: {}", error.into_message()));
            let mut shown = form.to_json().unwrap();
            for moment in ["from", "until"] {
                if let Some(moment) = shown.pointer_mut(&format!("/conditions/time/{moment}")) {
                    *moment = moment.as_str().unwrap().replace("+00:00", "Z").into();
                }
            }
            assert_eq!(shown, policy);
        }
    }

    /// The names of the fields of the form that `access` reads, by the object they are in.
    fn fields(schema: &Value, of: &str) -> BTreeSet<String> {
        let object = if of == "PolicyForm" { schema } else { &schema["$defs"][of] };
        let one_of = object["oneOf"].as_array().into_iter().flatten();
        let objects = std::iter::once(object).chain(one_of);
        let names = objects.flat_map(|object| object["properties"].as_object());
        names.flat_map(|properties| properties.keys().cloned()).collect()
    }

    #[test]
    fn no_field_that_is_read_is_left_out() {
        let schema = serde_json::to_value(schemars::schema_for!(access::PolicyForm)).unwrap();
        let whole = &policies()[0];
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields(&schema, "PolicyForm"), names(whole));
        let conditions = &whole["conditions"];
        assert_eq!(fields(&schema, "ConditionsForm"), names(conditions));
        assert_eq!(fields(&schema, "TimeTest"), names(&conditions["time"]));
        let of_text = ["equals", "not_equals", "in", "not_in"].map(str::to_owned);
        assert_eq!(fields(&schema, "TextTest"), of_text.into());
        assert_eq!(fields(&schema, "AddressTest"), ["in", "not_in"].map(str::to_owned).into());
    }
}
