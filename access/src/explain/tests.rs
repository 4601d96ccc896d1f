use serde_json::json;

use super::*;
use crate::{Action, Circumstances, Member, Permissions, Policy, Resource, Role};

fn policies() -> Policies {
    let forms = [
        json!({
            "name": "Production by day", "effect": "deny", "roles": ["developer"],
            "resource_type": "scans", "actions": ["create"],
            "conditions": {
                "environment": {"equals": "production"},
                "time": {"between": ["18:00", "08:00"], "zone": "Europe/Berlin"},
            },
        }),
        json!({
            "name": "Helpers", "effect": "allow", "roles": ["viewer"],
            "resource_type": "scans", "actions": ["create"],
            "conditions": {"project": {"in": ["docs", "web"]}},
        }),
    ];
    let own = forms.iter().map(|form| Policy::from_json(form).unwrap());
    Policies::compile(["pol_a".to_owned(), "pol_b".to_owned()].into_iter().zip(own)).unwrap()
}

fn key(role: Role, scopes: &[&str]) -> Principal {
    Principal::ApiKey {
        id: "key_1".to_owned(),
        issuer: Some("user_1".to_owned()),
        member: Member::new("org_1", role),
        scopes: Permissions::parse(scopes).unwrap(),
    }
}

fn explain(principal: &Principal, circumstances: &Circumstances) -> Explanation {
    let resource = Resource::of_organization("org_1");
    let action = Action::ScansCreate;
    policies().explain(&Request { principal, action, resource: &resource, circumstances })
}

#[test]
fn a_denial_names_the_policy_what_it_met_and_what_was_not_known() {
    let circumstances =
        Circumstances { environment: Some("production".to_owned()), ..Circumstances::default() };
    let explained = explain(&key(Role::Developer, &["*"]), &circumstances);
    assert_eq!(
        explained.summary,
        "scans:create is denied: the policy `Production by day` denies scans:create to developers, \
         when environment is production and time is from 18:00 to 08:00 in Europe/Berlin"
    );
    let considered = explained.considered.last().unwrap();
    let outcomes: Vec<_> = considered.conditions.iter().map(|test| test.outcome).collect();
    assert_eq!(outcomes, [Outcome::Holds, Outcome::Unknown]);
    assert_eq!(considered.conditions[0].met.as_deref(), Some("production"));
    assert_eq!(considered.conditions[1].met, None);
    let membership =
        Ground::Membership { organization: "org_1".to_owned(), user: "user_1".to_owned() };
    let key = Ground::ApiKey { id: "key_1".to_owned() };
    let policy = Ground::Policy { id: "pol_a".to_owned() };
    assert_eq!(explained.grounds, [membership, key, policy].into());
}

#[test]
fn what_nothing_allows_says_who_may_and_which_condition_failed() {
    let circumstances =
        Circumstances { project: Some("shop".to_owned()), ..Circumstances::default() };
    let explained = explain(&key(Role::Viewer, &["*"]), &circumstances);
    assert_eq!(
        explained.summary,
        "scans:create is denied: no policy allows it; \
         developers, admins and owners may ask for a scan"
    );
    let considered = explained.considered.last().unwrap();
    assert_eq!(considered.name.as_deref(), Some("Helpers"));
    assert_eq!(
        considered.conditions,
        [Tested {
            condition: "project".to_owned(),
            text: "project is one of docs, web".to_owned(),
            outcome: Outcome::Fails,
            met: Some("shop".to_owned()),
        }]
    );
}

#[test]
fn every_policy_that_made_it_so_is_named() {
    let explained = explain(&key(Role::Developer, &["scans:read"]), &Circumstances::default());
    let boundary = PolicyRef::BuiltIn("boundary/scopes".to_owned());
    let own = PolicyRef::Organization("pol_a".into());
    assert_eq!(explained.decision.determining, [boundary, own]);
    assert_eq!(
        explained.summary,
        "scans:create is denied: an API key does nothing that its scopes do not name"
    );
}
