//! What holds for any policies and any question.

use std::net::IpAddr;

use cedar_policy::PolicySet;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::{Area, ServiceKind};

const ELSEWHERE: &str = "org_elsewhere";

/// A question with all that it borrows.
#[derive(Debug, Clone)]
struct Asked {
    principal: Principal,
    action: Action,
    resource: Resource,
    circumstances: Circumstances,
}

impl Asked {
    fn request(&self) -> Request<'_> {
        Request {
            principal: &self.principal,
            action: self.action,
            resource: &self.resource,
            circumstances: &self.circumstances,
        }
    }
}

fn text_test() -> impl Strategy<Value = Value> {
    let text = || select(vec!["a", "b", "c"]);
    prop_oneof![
        text().prop_map(|value| json!({"equals": value})),
        text().prop_map(|value| json!({"not_equals": value})),
        vec(text(), 1..3).prop_map(|values| json!({"in": values})),
        vec(text(), 1..3).prop_map(|values| json!({"not_in": values})),
    ]
}

fn time_test() -> impl Strategy<Value = Value> {
    let zone = || select(vec!["UTC", "Europe/Berlin", "Asia/Kathmandu"]);
    let hour = || 0..24_u8;
    let day = select(vec!["mon", "wed", "sun"]);
    prop_oneof![
        (hour(), hour(), zone()).prop_map(|(from, until, zone)| {
            json!({"between": [format!("{from:02}:00"), format!("{until:02}:30")], "zone": zone})
        }),
        (day, zone()).prop_map(|(day, zone)| json!({"weekdays": [day], "zone": zone})),
        Just(json!({"from": "2026-06-01T00:00:00Z"})),
        Just(json!({"until": "2026-06-01T00:00:00Z"})),
    ]
}

fn conditions() -> impl Strategy<Value = Value> {
    let network = select(vec!["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.1"]);
    let networks = select(vec!["in", "not_in"])
        .prop_flat_map(move |test| vec(network.clone(), 1..3).prop_map(move |n| json!({test: n})));
    let often = 0.25;
    (
        option::weighted(often, text_test()),
        option::weighted(often, text_test()),
        option::weighted(often, time_test()),
        option::weighted(often, networks),
        option::weighted(often, any::<bool>()),
        option::weighted(often, text_test()),
        option::weighted(often, text_test()),
    )
        .prop_map(|(project, environment, time, address, second_factor, attribute, by)| {
            let attributes = attribute.map_or_else(|| json!({}), |test| json!({"kind": test}));
            json!({
                "project": project, "environment": environment, "time": time,
                "address": address, "second_factor": second_factor, "signed_in_by": by,
                "attributes": attributes,
            })
        })
}

fn resource_type() -> impl Strategy<Value = &'static str> {
    select(vec!["scans", "scans", "keys", "findings", "members", "*"])
}

fn form() -> impl Strategy<Value = Value> {
    let roles = vec(select(Role::ALL.to_vec()), 0..3);
    let principals = vec((select(vec!["user", "user", "key"]), 0..3_u8), 0..2);
    (any::<bool>(), roles, principals, resource_type(), any::<bool>(), conditions()).prop_map(
        |(allow, roles, principals, resource_type, all, conditions)| {
            let known = principals.iter().filter(|(kind, _)| !allow || *kind == "user");
            let principals: Vec<_> = known.map(|(kind, id)| format!("{kind}_{id:026}")).collect();
            json!({
                "name": "any", "effect": if allow { "allow" } else { "deny" },
                "roles": roles, "principals": principals, "resource_type": resource_type,
                "actions": [if all { "*" } else { "read" }], "conditions": conditions,
            })
        },
    )
}

fn member() -> impl Strategy<Value = Member> {
    let extra = select(vec![vec![], vec![], vec!["scans:create"], vec!["*"]]);
    let organization = select(vec![HERE, HERE, HERE, ELSEWHERE]);
    (organization, select(Role::ALL.to_vec()), extra).prop_map(|(organization, role, extra)| {
        Member { extra: Permissions::parse(&extra).unwrap(), ..Member::new(organization, role) }
    })
}

fn principal() -> impl Strategy<Value = Principal> {
    let id = |kind: &'static str| (0..3_u8).prop_map(move |id| format!("{kind}_{id:026}"));
    let scopes = select(vec![vec!["*"], vec!["scans:*"], vec!["scans:read", "keys:create"]]);
    prop_oneof![
        1 => Just(Principal::Guest),
        1 => select(ServiceKind::ALL.to_vec())
            .prop_map(|kind| Principal::Service { kind, name: "one".to_owned() }),
        1 => Just(Principal::Operator { id: "op".to_owned() }),
        6 => (id("user"), option::weighted(0.9, member()))
            .prop_map(|(id, member)| Principal::User { id, member }),
        4 => (id("key"), option::of(id("user")), member(), scopes).prop_map(
            |(id, issuer, member, scopes)| Principal::ApiKey {
                id, issuer, member, scopes: Permissions::parse(&scopes).unwrap(),
            }
        ),
    ]
}

fn circumstances() -> impl Strategy<Value = Circumstances> {
    let time = (1_760_000_000_i64..1_800_000_000).prop_map(|s| DateTime::from_timestamp(s, 0));
    let text = || option::of(select(vec!["a".to_owned(), "b".to_owned()]));
    let address = select(vec!["10.1.1.1", "192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1", "::1"])
        .prop_map(|address| address.parse::<IpAddr>().unwrap());
    (
        option::weighted(0.8, time),
        option::of(address),
        option::of(any::<bool>()),
        text(),
        text(),
        text(),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(time, address, second_factor, by, project, environment, impersonated)| {
            Circumstances {
                time: time.flatten(),
                address,
                second_factor,
                signed_in_by: by,
                project,
                environment,
                impersonated,
            }
        })
}

fn asked() -> impl Strategy<Value = Asked> {
    let governed: Vec<_> = Action::ALL
        .iter()
        .copied()
        .filter(|action| action.resource().area() == Area::Organization)
        .collect();
    let action = prop_oneof![4 => select(governed), 1 => select(Action::ALL.to_vec())];
    let organization = select(vec![Some(HERE), Some(HERE), Some(HERE), Some(ELSEWHERE), None]);
    let owner = option::of((0..3_u8).prop_map(|id| format!("user_{id:026}")));
    let kind = option::of(select(vec!["a", "b"]));
    let resource = (organization, owner, kind).prop_map(|(organization, owner, kind)| Resource {
        id: String::new(),
        organization: organization.map(str::to_owned),
        owner,
        attributes: kind.map(|kind| ("kind".to_owned(), kind.to_owned())).into_iter().collect(),
    });
    (principal(), action, resource, circumstances()).prop_map(
        |(principal, action, resource, circumstances)| Asked {
            principal,
            action,
            resource,
            circumstances,
        },
    )
}

/// What Cedar says to all the policies there are in one set, the index and the order left out.
fn cedar(policies: &Policies, request: &Request<'_>) -> Verdict {
    let mut whole = PolicySet::new();
    let house = built_ins().all().iter().map(|policy| &policy.alone);
    for set in house.chain(policies.rules.iter().map(|rule| &rule.alone)) {
        set.policies().for_each(|policy| whole.add(policy.clone()).unwrap());
    }
    let known = policies.known(request);
    Court::open(request, &known, policies.zones()).unwrap().judge(&whole)
}

fn effect(form: &Value) -> Effect {
    if form["effect"] == "allow" { Effect::Allow } else { Effect::Deny }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_answer_is_that_of_cedar_over_all_the_policies(
        forms in vec(form(), 0..12), asked in asked(),
    ) {
        let policies = policies(&forms);
        let decision = policies.decide(&asked.request());
        let whole: Decision = cedar(&policies, &asked.request()).into();
        prop_assert_eq!((decision.allowed, decision.reason), (whole.allowed, whole.reason));
        prop_assert_ne!(decision.reason, Reason::Undecidable);
    }

    #[test]
    fn an_explanation_agrees_and_names_what_made_it_so(
        forms in vec(form(), 0..12), asked in asked(),
    ) {
        let policies = policies(&forms);
        let decision = policies.decide(&asked.request());
        let explained = policies.explain(&asked.request());
        prop_assert_eq!(decision.allowed, explained.decision.allowed);
        prop_assert_eq!(decision.reason, explained.decision.reason);
        for policy in &decision.determining {
            prop_assert!(explained.decision.determining.contains(policy));
        }
        for considered in &explained.considered {
            let outcomes: Vec<_> = considered.conditions.iter().map(|test| test.outcome).collect();
            let fails = outcomes.contains(&crate::Outcome::Fails);
            let unknown = outcomes.contains(&crate::Outcome::Unknown);
            if matches!(considered.policy, PolicyRef::Organization(_)) {
                let expected = !fails && (considered.effect == Effect::Deny || !unknown);
                prop_assert_eq!(considered.matched, expected, "{:?}", considered);
            }
        }
    }

    #[test]
    fn nothing_is_allowed_without_an_allow_and_nothing_that_is_denied(
        forms in vec(form(), 0..12), asked in asked(),
    ) {
        let policies = policies(&forms);
        let allowed = policies.decide(&asked.request()).allowed;
        let considered = policies.explain(&asked.request()).considered;
        let matched = |effect| considered.iter().any(|c| c.matched && c.effect == effect);
        prop_assert_eq!(allowed, matched(Effect::Allow) && !matched(Effect::Deny));
    }

    #[test]
    fn another_deny_never_allows_and_another_allow_never_denies(
        forms in vec(form(), 0..8), more in form(), asked in asked(),
    ) {
        let before = policies(&forms).decide(&asked.request()).allowed;
        let effect = effect(&more);
        let after = policies(&[forms, vec![more]].concat()).decide(&asked.request()).allowed;
        match effect {
            Effect::Deny => prop_assert!(before || !after),
            Effect::Allow => prop_assert!(after || !before),
        }
    }

    #[test]
    fn policies_about_other_resources_change_nothing(
        forms in vec(form(), 0..8), others in vec(form(), 1..4), asked in asked(),
    ) {
        let own = asked.action.resource().name();
        let about_others = |form: &Value| form["resource_type"] != "*" && form["resource_type"] != own;
        let others: Vec<_> = others.into_iter().filter(about_others).collect();
        let before = policies(&forms).decide(&asked.request());
        let after = policies(&[forms, others].concat()).decide(&asked.request());
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_key_does_no_more_than_its_issuer_and_its_scopes(
        forms in vec(form(), 0..8), asked in asked(),
    ) {
        let policies = policies(&forms);
        if let Principal::ApiKey { issuer: Some(issuer), member, scopes, .. } = &asked.principal
            && asked.action.resource().area() != Area::Public
            && policies.decide(&asked.request()).allowed
        {
            prop_assert!(scopes.cover(asked.action));
            let principal = Principal::User { id: issuer.clone(), member: Some(member.clone()) };
            let issuer = Asked { principal, ..asked.clone() };
            prop_assert!(policies.decide(&issuer.request()).allowed);
        }
    }

    #[test]
    fn no_policy_of_an_organisation_reaches_past_it(
        forms in vec(form(), 0..8), asked in asked(),
    ) {
        let own = policies(&forms).decide(&asked.request());
        let organization = asked.principal.member().map(|member| member.organization.as_str());
        let here = organization.is_some() && organization == asked.resource.organization.as_deref();
        if !asked.action.is_governed() || !here {
            prop_assert_eq!(own, Policies::built_in().decide(&asked.request()));
        }
    }
}

proptest! {
    // Cedar's validator looks at every kind of principal on every action that is named.
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn every_policy_that_is_checked_is_valid_under_the_schema(form in form()) {
        let policies = Policy::from_json(&form).unwrap().build("one").unwrap();
        prop_assert_eq!(crate::builtin::tests::faults(&policies), Vec::<String>::new());
    }
}
