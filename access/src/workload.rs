//! Policies and questions to measure decisions with.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    Action, Circumstances, Member, Permissions, Policies, Policy, Principal, Request, Resource,
    Role,
};

const ORGANIZATION: &str = "org_00000000000000000000000000";

/// An organisation's policies and what is asked of them.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    pub policies: Policies,
    pub questions: Vec<Question>,
}

/// A question that owns what a [`Request`] borrows.
#[derive(Debug)]
pub struct Question {
    principal: Principal,
    action: Action,
    resource: Resource,
    circumstances: Circumstances,
}

impl Question {
    pub const fn request(&self) -> Request<'_> {
        Request {
            principal: &self.principal,
            action: self.action,
            resource: &self.resource,
            circumstances: &self.circumstances,
        }
    }
}

/// The workloads at so many policies of the organisation, asked at `time`.
pub fn workloads(
    policies: usize,
    time: DateTime<Utc>,
) -> Result<[Workload; 3], Box<dyn std::error::Error>> {
    Ok([spread(policies, time)?, none_matches(policies, time)?, last_allows(policies, time)?])
}

type Made = Result<Workload, Box<dyn std::error::Error>>;

/// As organisations do it: each policy about some projects, one role and one kind of resource.
fn spread(policies: usize, time: DateTime<Utc>) -> Made {
    let form = |at: usize| {
        let resource = ["scans", "findings", "events", "members", "keys"][at % 5];
        let environment = ["production", "staging", "test"][at % 3];
        json!({
            "name": format!("policy {at}"),
            "effect": if at.is_multiple_of(3) { "deny" } else { "allow" },
            "roles": [Role::ALL[at / 5 % 4]],
            "resource_type": resource,
            "actions": [if resource == "scans" { "create" } else { "read" }],
            "conditions": {
                "project": {"in": values("project", at / 20)},
                "environment": {"equals": environment},
                "time": {"between": ["07:00", "19:00"], "zone": "Europe/Berlin"},
                "address": {"in": ["10.0.0.0/8", "192.0.2.0/24"]},
            },
        })
    };
    Ok(Workload {
        name: "spread over roles, resources and projects",
        policies: compile((0..policies).map(form))?,
        questions: (0..64).map(|at| question(at, time)).collect(),
    })
}

/// The worst that can be written: the index leaves every policy, and the last condition of each fails.
fn none_matches(policies: usize, time: DateTime<Utc>) -> Made {
    let form = |at: usize| {
        json!({
            "name": format!("policy {at}"),
            "effect": if at.is_multiple_of(2) { "allow" } else { "deny" },
            "resource_type": "scans",
            "actions": ["create"],
            "conditions": {
                "environment": {"not_in": values("environment", at)},
                "project": {"not_in": values("project", at)},
                "time": {"between": ["00:00", "23:59"], "zone": "Europe/Berlin"},
                "address": {"in": ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]},
            },
        })
    };
    let circumstances = at_work("environment x", "project x", time);
    Ok(Workload {
        name: "all about the question, none matches",
        policies: compile((0..policies).map(form))?,
        questions: vec![Question { circumstances, ..question(0, time) }],
    })
}

/// An API key that the last of them allows what its role does not.
fn last_allows(policies: usize, time: DateTime<Utc>) -> Made {
    let project = |at: usize| format!("project {at}");
    let form = |at: usize| {
        json!({
            "name": format!("policy {at}"),
            "effect": "allow",
            "roles": ["viewer"],
            "resource_type": "scans",
            "actions": ["create"],
            "conditions": {"project": {"equals": project(at)}, "second_factor": false},
        })
    };
    let principal = Principal::ApiKey {
        id: "key_00000000000000000000000000".to_owned(),
        issuer: Some("user_00000000000000000000000000".to_owned()),
        member: Member::new(ORGANIZATION, Role::Viewer),
        scopes: Permissions::all(),
    };
    let circumstances = Circumstances {
        second_factor: Some(false),
        ..at_work("production", &project(policies.saturating_sub(1)), time)
    };
    Ok(Workload {
        name: "all about the question, the last allows it",
        policies: compile((0..policies).map(form))?,
        questions: vec![Question { principal, circumstances, ..question(0, time) }],
    })
}

fn compile(forms: impl Iterator<Item = Value>) -> Result<Policies, Box<dyn std::error::Error>> {
    let mut own = Vec::new();
    for (at, form) in forms.enumerate() {
        let policy = Policy::from_json(&form).map_err(|faults| {
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        own.push((format!("policy_{at}"), policy));
    }
    Ok(Policies::compile(own)?)
}

fn values(of: &str, from: usize) -> Vec<String> {
    (from..from + 8).map(|at| format!("{of} {at}")).collect()
}

fn question(at: usize, time: DateTime<Utc>) -> Question {
    let actions = [Action::ScansCreate, Action::FindingsRead, Action::EventsRead, Action::KeysRead];
    Question {
        principal: Principal::User {
            id: format!("user_{at:026}"),
            member: Some(Member::new(ORGANIZATION, Role::ALL[at / 4 % 4])),
        },
        action: actions[at % 4],
        resource: Resource::of_organization(ORGANIZATION).with_id(format!("scan_{at:026}")),
        circumstances: at_work(["production", "staging"][at % 2], &format!("project {at}"), time),
    }
}

fn at_work(environment: &str, project: &str, time: DateTime<Utc>) -> Circumstances {
    Circumstances {
        time: Some(time),
        address: Some(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))),
        second_factor: Some(true),
        signed_in_by: Some(crate::BY_ACCOUNT.to_owned()),
        project: Some(project.to_owned()),
        environment: Some(environment.to_owned()),
        impersonated: false,
    }
}
