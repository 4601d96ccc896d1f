use serde_json::{Value, json};

use super::*;
use crate::{Action, Circumstances, Resource};

fn form(conditions: Value) -> Value {
    json!({
        "name": "No production at night",
        "effect": "deny",
        "roles": ["developer", "viewer"],
        "resource_type": "scans",
        "actions": ["create", "cancel"],
        "conditions": conditions,
    })
}

fn everything() -> Value {
    form(json!({
        "project": {"in": ["b", "a", "a"]},
        "environment": {"not_equals": "test"},
        "time": {
            "between": ["22:00", "06:30"], "weekdays": ["mon", "sun"], "zone": "Europe/Berlin",
            "from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z",
        },
        "address": {"not_in": ["10.1.2.3/8", "2001:db8::1", "::ffff:192.0.2.7"]},
        "second_factor": false,
        "attributes": {"target_kind": {"equals": "website"}},
    }))
}

/// `field: reason` of each fault.
fn faults(json: &Value) -> Vec<String> {
    Policy::from_json(json).unwrap_err().iter().map(ToString::to_string).collect()
}

fn refused(json: Value, field: &str, reason: &str) {
    let faults = faults(&json);
    let expected = format!("{field}: {reason}");
    assert!(faults.iter().any(|fault| fault.starts_with(&expected)), "{expected}\n{faults:#?}");
}

#[test]
fn a_policy_says_in_words_what_it_does() {
    let policy = Policy::from_json(&everything()).unwrap();
    assert_eq!(
        policy.describe(),
        "denies scans:create, scans:cancel to viewers, developers, when no second factor was given \
         and project is one of a, b and environment is not test \
         and attributes.target_kind is website \
         and time is from 22:00 to 06:30 in Europe/Berlin and the day is mon, sun in Europe/Berlin \
         and time is 2026-01-01T00:00:00Z or later and time is before 2027-01-01T00:00:00Z \
         and address is not in 10.0.0.0/8, 2001:db8::1/128, 192.0.2.7/32"
    );
    let all = Policy::from_json(&json!({
        "name": "x", "effect": "allow", "resource_type": "*", "actions": ["*"],
    }));
    assert_eq!(all.unwrap().describe(), "allows *:* to every member");
}

#[test]
fn a_form_comes_back_as_it_was_written() {
    let policy = Policy::from_json(&everything()).unwrap();
    assert_eq!(serde_json::to_value(policy.form()).unwrap(), everything());
}

#[test]
fn whatever_is_checked_is_valid_under_the_schema() {
    let users = json!({
        "name": "x", "effect": "deny", "resource_type": "*", "actions": ["*"],
        "principals": [format!("user_{:026}", 1), format!("key_{:026}", 2)],
    });
    for json in [everything(), users] {
        for effect in ["allow", "deny"] {
            let mut json = json.clone();
            json["effect"] = json!(effect);
            if effect == "allow" && json["principals"].is_array() {
                json["principals"] = json!([format!("user_{:026}", 1)]);
            }
            let policies = Policy::from_json(&json).unwrap().build("one").unwrap();
            assert_eq!(
                crate::builtin::tests::faults(&policies),
                Vec::<String>::new(),
                "{policies}"
            );
        }
    }
}

#[test]
fn text_of_a_user_stays_text() {
    let nasty = "\"]) || true) }; permit(principal, action, resource); //\\ \u{202e}";
    let policy = Policy::from_json(&form(json!({"project": {"equals": nasty}}))).unwrap();
    let built = policy.build(nasty).unwrap();
    assert_eq!(built.policies().count(), 1);
    let circumstances =
        Circumstances { project: Some(nasty.to_owned()), ..Circumstances::default() };
    let resource = Resource::default();
    assert!(policy.can_match(&Known::new(&circumstances, &resource, &[])));
}

#[test]
fn what_is_missing_unknown_or_of_another_type_is_told_by_its_field() {
    assert_eq!(faults(&json!([])), [": a policy is a JSON object"]);
    let several = faults(&json!({"nam": "x", "effect": "maybe", "conditions": {"weather": true}}));
    assert_eq!(
        several,
        [
            "name: is missing",
            "effect: unknown variant `maybe`, expected `allow` or `deny`",
            "resource_type: is missing",
            "actions: is missing",
            "conditions.weather: is not a field that is known here",
            "nam: is not a field that is known here",
        ]
    );
    refused(form(json!([])), "conditions", "is a JSON object");
    refused(form(json!({"second_factor": "yes"})), "conditions.second_factor", "invalid type");
    refused(form(json!({"project": "a"})), "conditions.project", "unknown variant");
    refused(form(json!({"project": {"in": ["a"], "equals": "b"}})), "conditions.project", "");
}

#[test]
fn names_that_mean_nothing_are_refused() {
    let mut policy = form(json!({}));
    for (field, value, fault, reason) in [
        ("name", json!(" "), "name", "has 1 to 100 characters"),
        ("name", json!("a\nb"), "name", "has 1 to 100 characters"),
        ("roles", json!(["chief"]), "roles", "unknown variant `chief`"),
        ("resource_type", json!("projections"), "resource_type", "is `*` or one of organizations"),
        ("actions", json!([]), "actions", "names at least one action"),
        ("actions", json!(["scans:read"]), "actions[0]", "is `*` or one of cancel, create, read"),
        ("actions", json!(["read", "read"]), "actions[1]", "was named before"),
        ("principals", json!(["bob"]), "principals[0]", "is the id of a user"),
        ("principals", json!(["user_\" || true"]), "principals[0]", "is the id of a user"),
    ] {
        let before = policy[field].clone();
        policy[field] = value;
        refused(policy.clone(), fault, reason);
        policy[field] = before;
    }
}

#[test]
fn conditions_that_mean_nothing_are_refused() {
    for (conditions, field, reason) in [
        (json!({"project": {"in": []}}), "project", "lists 1 to 50 values"),
        (json!({"project": {"equals": ""}}), "project", "a value has 1 to 128 characters"),
        (json!({"time": {}}), "time", "asks for `between`"),
        (json!({"time": {"weekdays": ["mon"]}}), "time.zone", "is missing"),
        (json!({"time": {"weekdays": ["mon", "mon"], "zone": "UTC"}}), "time.weekdays", "are some"),
        (json!({"time": {"weekdays": ["may"], "zone": "UTC"}}), "time.weekdays", "are some"),
        (json!({"time": {"between": ["9", "17:00"], "zone": "UTC"}}), "time.between", "are two"),
        (
            json!({"time": {"between": ["24:00", "17:00"], "zone": "UTC"}}),
            "time.between",
            "are two",
        ),
        (
            json!({"time": {"between": ["17:00", "17:00"], "zone": "UTC"}}),
            "time.between",
            "are two",
        ),
        (json!({"time": {"weekdays": ["mon"], "zone": "Berlin/Mitte"}}), "time.zone", "is a name"),
        (
            json!({"time": {"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}}),
            "time.until",
            "is after `from`",
        ),
        (json!({"address": {"in": ["10.0.0.0/33"]}}), "address[0]", "is an address or a network"),
        (json!({"address": {"in": ["localhost"]}}), "address[0]", "is an address or a network"),
        (json!({"attributes": {"": {"equals": "x"}}}), "attributes.", "a name has"),
    ] {
        refused(form(conditions), &format!("conditions.{field}"), reason);
    }
}

#[test]
fn a_policy_that_is_too_large_is_refused() {
    let many: Vec<_> = (0..51).map(|at| at.to_string()).collect();
    refused(form(json!({"project": {"in": many}})), "conditions.project", "lists 1 to 50");
    refused(form(json!({"project": {"equals": "x".repeat(129)}})), "conditions.project", "a value");
    refused(form(json!({"project": {"equals": "x".repeat(20_000)}})), "", "a policy has at most");
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    refused(form(json!({"project": {"in": deep}})), "conditions.project", "invalid type");
    let attributes: serde_json::Map<_, _> =
        (0..9).map(|at| (at.to_string(), json!({"equals": "x"}))).collect();
    refused(form(json!({"attributes": attributes})), "conditions.attributes", "names at most 8");
    let mut policy = form(json!({}));
    policy["principals"] = (0..51).map(|at| format!("user_{at:026}")).collect();
    refused(policy, "principals", "names at most 50");
}

#[test]
fn a_key_is_never_allowed_by_name() {
    let mut policy = form(json!({}));
    policy["principals"] = json!([format!("key_{:026}", 1)]);
    assert!(Policy::from_json(&policy).is_ok());
    policy["effect"] = json!("allow");
    refused(policy, "principals[0]", "an API key cannot be allowed more than its issuer");
}

#[test]
fn owners_are_never_denied_their_policies() {
    let policy = |roles: Value, principals: Value| {
        json!({
            "name": "x", "effect": "deny", "resource_type": "policies", "actions": ["*"],
            "roles": roles, "principals": principals,
        })
    };
    let user = format!("user_{:026}", 1);
    let key = format!("key_{:026}", 1);
    refused(policy(json!([]), json!([])), "roles", "owners keep access");
    refused(policy(json!(["owner"]), json!([])), "roles", "owners keep access");
    refused(policy(json!(["admin"]), json!([user])), "roles", "owners keep access");
    assert!(Policy::from_json(&policy(json!(["admin"]), json!([key]))).is_ok());
    let everything = json!({"name": "x", "effect": "deny", "resource_type": "*", "actions": ["*"]});
    let everything = Policy::from_json(&everything).unwrap();
    assert!(!everything.actions().contains(Action::PoliciesDelete));
    assert!(everything.actions().contains(Action::ScansRead));
}
