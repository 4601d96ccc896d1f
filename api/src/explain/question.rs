use access::{
    Action, Area, Circumstances, Explanation, Ground, Permissions, Policies, Principal, Request,
    Resource, Role,
};
use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId, UserId},
    organizations,
};
use projections::{organizations::Standing, scans::AsOf};

use super::{
    history::{Fact, History, KeyFact, suspension},
    model::{
        CircumstancesInput, ConsideredView, Decider, ExplainRequest, ExplanationView, GroundKind,
        GroundView, ReasonName,
    },
};
use crate::{
    auth::{Caller, place},
    policies::compile,
    problem::{Code, Problem},
    scans::point,
    state::App,
};

/// Whom a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    User(UserId),
    Key(ApiKeyId),
}

pub(super) struct Question {
    org: OrganizationId,
    subject: Subject,
    action: Action,
    resource_id: String,
    circumstances: Circumstances,
    at: Timestamp,
    history: History,
    /// Of the user, or of whoever issued the key.
    suspended: Fact<bool>,
}

/// What keeps somebody from something before any policy is asked.
struct Bar {
    id: &'static str,
    text: &'static str,
    ground: GroundView,
}

impl Question {
    pub async fn new(
        app: &App,
        caller: &Caller,
        subject: Subject,
        own: bool,
        request: ExplainRequest,
    ) -> Result<Self, Problem> {
        let refused =
            |field: &str, text: &str| Problem::new(Code::ValidationFailed, text).at(field, text);
        let action = request.action.parse::<Action>();
        let action = action.map_err(|_| refused("action", "there is no such action"))?;
        let until = request.as_of.as_deref().map(point).transpose()?;
        let of_key = matches!(action, Action::KeysUpdate | Action::KeysRevoke);
        let with_keys = of_key || matches!(subject, Subject::Key(_));
        let history = History::read(&app.journal, caller.org, with_keys, until).await?;
        let now = app.journal.clock().now();
        let at = match until {
            None => now,
            Some(AsOf::Time(time)) => time,
            // Of the organisation's own events: those of others tell it nothing, not even the time.
            Some(AsOf::Position(_)) => history.at.unwrap_or(now),
        };
        let person = match subject {
            Subject::User(user) => Some(user),
            Subject::Key(key) => history.keys.get(&key).and_then(|key| key.value.issuer),
        };
        // Of others it is told only where they have, or had, something to do with the organisation.
        let person = person.filter(|user| own || history.members.contains_key(user));
        let suspended = match person {
            Some(user) => suspension(&app.journal, user, until).await?,
            None => Fact::default(),
        };
        Ok(Self {
            org: caller.org,
            subject,
            action,
            resource_id: request.resource_id.unwrap_or_default(),
            circumstances: circumstances(request.circumstances, caller, own, at)?,
            at,
            history,
            suspended,
        })
    }

    pub async fn answer(self) -> Result<ExplanationView, Problem> {
        if let Some(bar) = self.bar() {
            return Ok(self.barred(bar));
        }
        let principal = self.principal();
        let own = self.history.policies.iter();
        let own = own.filter_map(|(id, fact)| Some((id.to_string(), fact.value.clone()?)));
        let own: Vec<_> = own.collect();
        let policies = match own.is_empty() {
            true => Policies::built_in(),
            false => compile(own).await?,
        };
        let resource = self.resource();
        let explanation = policies.explain(&Request {
            principal: &principal,
            action: self.action,
            resource: &resource,
            circumstances: &self.circumstances,
        });
        Ok(self.told(explanation))
    }

    fn bar(&self) -> Option<Bar> {
        if let Subject::Key(id) = self.subject {
            let Some(key) = self.history.keys.get(&id) else {
                let ground =
                    GroundView { kind: GroundKind::ApiKey, id: id.to_string(), events: vec![] };
                let text = "the organisation had no such key";
                return Some(Bar { id: "key-unknown", text, ground });
            };
            if let Some((id, text)) = self.ended(&key.value) {
                return Some(Bar { id, text, ground: self.key_ground()? });
            }
            let gone = key.value.issuer.filter(|user| self.standing(*user).is_none());
            if let Some(user) = gone {
                let text = "whoever issued the key was no member";
                return Some(Bar { id: "issuer-gone", text, ground: self.membership(user) });
            }
        }
        if self.suspended.value {
            let id = self.person().map(|user| user.to_string()).unwrap_or_default();
            let events = self.suspended.events.clone();
            let ground = GroundView { kind: GroundKind::Account, id, events };
            let text = "the account was suspended";
            return Some(Bar { id: "account-suspended", text, ground });
        }
        let code = self.history.condition.value.check(self.action).err()?.code;
        let events = self.history.condition.events.clone();
        let ground =
            GroundView { kind: GroundKind::Organization, id: self.org.to_string(), events };
        let text = match code {
            Code::OrganizationSuspended => "the organisation was suspended",
            _ => "the organisation was archived",
        };
        Some(Bar { id: code.as_str(), text, ground })
    }

    fn ended(&self, key: &KeyFact) -> Option<(&'static str, &'static str)> {
        if key.revoked {
            return Some(("key-revoked", "the key was revoked"));
        }
        let expired = key.expires_at.is_some_and(|end| end <= self.at);
        expired.then_some(("key-expired", "the key had expired"))
    }

    /// The user, or whoever issued the key.
    fn person(&self) -> Option<UserId> {
        match self.subject {
            Subject::User(user) => Some(user),
            Subject::Key(key) => self.history.keys.get(&key)?.value.issuer,
        }
    }

    fn standing(&self, user: UserId) -> Option<&Standing> {
        self.history.members.get(&user)?.value.as_ref()
    }

    fn principal(&self) -> Principal {
        match self.subject {
            Subject::User(user) => Principal::User {
                id: user.to_string(),
                member: self.standing(user).map(|standing| place(self.org, standing)),
            },
            Subject::Key(id) => {
                let key = self.history.keys.get(&id).map(|key| &key.value);
                let platform = key.is_some_and(|key| key.platform);
                if platform && self.action.resource().area() == Area::Platform {
                    return Principal::Operator { id: id.to_string() };
                }
                let issuer = key.and_then(|key| key.issuer);
                let owner = Standing { role: organizations::Role::Owner, permissions: Vec::new() };
                let standing = issuer.and_then(|user| self.standing(user)).unwrap_or(&owner);
                Principal::ApiKey {
                    id: id.to_string(),
                    issuer: issuer.map(|user| user.to_string()),
                    member: place(self.org, standing),
                    scopes: Permissions::stored(key.map_or(&[][..], |key| &key.scopes)),
                }
            }
        }
    }

    /// As decisions about requests see it, see `auth::decision`.
    fn resource(&self) -> Resource {
        let person = self.person().map(|user| user.to_string()).unwrap_or_default();
        let resource = match self.action.resource().area() {
            Area::Organization => Resource::of_organization(self.org.to_string()),
            Area::Account => Resource::of_user(person.clone()),
            Area::Public | Area::Platform => Resource::platform(),
        };
        let resource = resource.with_id(self.resource_id.clone());
        match (self.action, self.subject) {
            (Action::MembersLeave, Subject::User(_)) => resource.owned_by(person),
            (Action::KeysUpdate | Action::KeysRevoke, Subject::User(user)) => {
                let junior = self
                    .standing(user)
                    .is_some_and(|standing| place(self.org, standing).role < Role::Admin);
                let key = self.resource_id.parse().ok().filter(|_| junior);
                let issuer =
                    key.and_then(|key: ApiKeyId| self.history.keys.get(&key)?.value.issuer);
                match issuer {
                    Some(issuer) => resource.owned_by(issuer.to_string()),
                    None => resource,
                }
            }
            _ => resource,
        }
    }

    fn barred(self, bar: Bar) -> ExplanationView {
        let Bar { id, text, ground } = bar;
        ExplanationView {
            allowed: false,
            reason: ReasonName::Barred,
            summary: format!("{} is denied: {text}", self.action),
            decided_by: vec![Decider { id: id.to_owned(), name: None, text: text.to_owned() }],
            grounds: vec![ground],
            considered: Vec::new(),
            position: self.history.position,
            at: self.at,
        }
    }

    fn told(self, explanation: Explanation) -> ExplanationView {
        let Explanation { decision, summary, considered, grounds } = explanation;
        let determines = considered.iter().filter(|c| decision.determining.contains(&c.policy));
        let decided_by = determines.map(Decider::from).collect();
        let mut grounds: Vec<_> = grounds.iter().filter_map(|ground| self.ground(ground)).collect();
        // That somebody is no member is a fact, too.
        let missing = self.person().filter(|user| self.standing(*user).is_none());
        if let Some(user) = missing {
            grounds.push(self.membership(user));
        }
        ExplanationView {
            allowed: decision.allowed,
            reason: decision.reason.into(),
            summary,
            decided_by,
            grounds,
            considered: considered.into_iter().map(ConsideredView::from).collect(),
            position: self.history.position,
            at: self.at,
        }
    }

    fn ground(&self, ground: &Ground) -> Option<GroundView> {
        match ground {
            Ground::Membership { user, .. } => Some(self.membership(user.parse().ok()?)),
            Ground::ApiKey { .. } => self.key_ground(),
            Ground::Policy { id } => {
                let fact = self.history.policies.get(&id.parse().ok()?)?;
                let (kind, events) = (GroundKind::Policy, fact.events.clone());
                Some(GroundView { kind, id: id.clone(), events })
            }
        }
    }

    fn membership(&self, user: UserId) -> GroundView {
        let events = self.history.members.get(&user).map(|fact| fact.events.clone());
        let (kind, id) = (GroundKind::Membership, user.to_string());
        GroundView { kind, id, events: events.unwrap_or_default() }
    }

    fn key_ground(&self) -> Option<GroundView> {
        let Subject::Key(id) = self.subject else { return None };
        let events = self.history.keys.get(&id)?.events.clone();
        Some(GroundView { kind: GroundKind::ApiKey, id: id.to_string(), events })
    }
}

fn circumstances(
    input: CircumstancesInput,
    caller: &Caller,
    own: bool,
    at: Timestamp,
) -> Result<Circumstances, Problem> {
    let address = input.address.map(|text| text.parse()).transpose().map_err(|_| {
        let text = "this is no address";
        Problem::new(Code::ValidationFailed, text).at("circumstances.address", text)
    })?;
    let second_factor = input.second_factor.or(own.then_some(caller.presence.second_factor));
    let of_caller = || own.then(|| caller.presence.signed_in_by.clone().into_owned());
    Ok(Circumstances {
        signed_in_by: input.signed_in_by.or_else(of_caller),
        time: Some(input.time.unwrap_or(at)),
        address: address.or(caller.scope.address.filter(|_| own)),
        second_factor,
        project: input.project,
        environment: input.environment,
        impersonated: input.impersonated.unwrap_or(own && caller.presence.impersonated),
    })
}
