//! Who calls an operation of accounts: anybody, or somebody who has signed in.

use std::{borrow::Cow, sync::Arc};

use access::Action;
use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId, SessionId, UserId},
    users::own_organization,
};
use journal::{Actor, Context};
use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::desk::Identity;
use crate::{
    auth::{Presence, asked, decide_own, note_operation},
    charge, cookies,
    frame::Scope,
    limits::Policy,
    problem::{Code, Problem},
    state::App,
};

pub(crate) const SESSION: &str = "session";

/// Somebody of whom nothing is known but where the request comes from, to which it is charged before
/// anything else.
pub(crate) struct Client {
    pub scope: Arc<Scope>,
    /// What the client calls itself.
    pub name: Option<String>,
    actor: Actor,
    /// For whom an operator acts.
    on_behalf_of: Option<Actor>,
}

/// Somebody with an access token whose session is alive.
pub(crate) struct SignedIn {
    pub user: UserId,
    /// None when it came with a token of a provider, which belongs to no session of ours.
    pub session: Option<SessionId>,
    pub signed_in_at: Option<Timestamp>,
    /// Whether they gave a second factor when they signed in.
    pub second_factor: bool,
    /// By whom they were let in, as policies name it.
    pub signed_in_by: Cow<'static, str>,
    /// The organisation that the token is for, if it is for one.
    pub organization: Option<OrganizationId>,
    /// The key of the platform whose owner acts as the user.
    pub operator: Option<ApiKeyId>,
    pub client: Client,
}

impl SignedIn {
    pub fn presence(&self) -> Presence {
        Presence {
            second_factor: self.second_factor,
            signed_in_by: self.signed_in_by.clone(),
            impersonated: self.operator.is_some(),
        }
    }

    /// For what concerns the session itself.
    pub fn own_session(&self) -> Result<SessionId, Problem> {
        self.session.ok_or_else(|| {
            let detail =
                "the token is of a provider, and belongs to no session that could end here";
            Problem::new(Code::Conflict, detail)
        })
    }
}

impl Client {
    fn of(request: &Request, actor: Actor) -> Result<(&App, Self), Problem> {
        let (Some(app), Some(scope)) = (App::of(request), Scope::from_request(request)) else {
            return Err(Problem::new(Code::Internal, "the request reached no application"));
        };
        note_operation(app, request, scope);
        let name = request.header(header::USER_AGENT).map(ToOwned::to_owned);
        Ok((app, Self { scope: Arc::clone(scope), name, actor, on_behalf_of: None }))
    }

    /// The context of a command on something of the person's.
    pub fn context(&self, app: &App, user: UserId) -> Context {
        let mut context = self.context_in(app, own_organization(user));
        // Where an operator is tells nothing about the person.
        let person = self.on_behalf_of.is_none().then_some(user);
        context.origin = Some(self.scope.origin(person));
        context
    }

    /// The context of a command on something of an organisation's.
    pub fn context_in(&self, app: &App, org: OrganizationId) -> Context {
        let mut context = Context::new(org, self.actor.clone(), app.journal.clock().new_id());
        context.metadata = self.scope.metadata();
        context.origin = Some(self.scope.origin(None));
        context.on_behalf_of = self.on_behalf_of.clone();
        context
    }

    /// What a request failed with that proved nothing. It is charged to the client's address.
    pub fn failed(&self, app: &App, problem: Problem) -> Problem {
        charge::failure(app, &self.scope, problem)
    }

    /// Charges a request of somebody who has not signed in. Whoever goes on with a session has, and
    /// pays for a failure alone.
    fn charge(&self, app: &App, action: Action) -> Result<(), Problem> {
        let stricter = match action {
            Action::AuthRefresh => return charge::check_address(app, &self.scope),
            Action::AuthBegin => Some(Policy::LoginBegin),
            Action::AuthSignIn => Some(Policy::Login),
            Action::AuthSignUp => Some(Policy::SignUp),
            Action::AuthRecover => Some(Policy::Reset),
            _ => None,
        };
        for policy in stricter.into_iter().chain([Policy::Address]) {
            charge::address(app, &self.scope, policy)?;
        }
        Ok(())
    }

    /// The same for whatever came of a try to sign in.
    pub fn charged<T>(&self, app: &App, outcome: Result<T, Problem>) -> Result<T, Problem> {
        outcome.map_err(|problem| match problem.code {
            Code::Unauthenticated => self.failed(app, problem),
            _ => problem,
        })
    }
}

impl<'a> ApiExtractor<'a> for Client {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::PoemExtractor];

    type ParamType = ();
    type ParamRawType = ();

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let (app, client) = Self::of(request, Actor::Anonymous)?;
        client.charge(app, asked(app, request, &client.scope)?)?;
        Ok(client)
    }
}

impl<'a> ApiExtractor<'a> for SignedIn {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_session(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SESSION]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let person = signed_in(request).await?;
        let app = App::of(request)
            .ok_or_else(|| Problem::new(Code::Internal, "the request reached no application"))?;
        decide_own(app, request, &person.client.scope, person.user, &person.presence())?;
        Ok(person)
    }
}

pub(crate) fn register_session(registry: &mut Registry) {
    let about = "`Authorization: Bearer <access token>` of somebody who signed in; browsers may have it in \
                 a cookie instead. Where it is done in an organisation, `Millrace-Organization` says in which, by its id or slug; whoever is a \
                 member of one alone need not send it.";
    let scheme = MetaSecurityScheme {
        ty: "http",
        description: Some(about),
        name: None,
        key_in: None,
        scheme: Some("bearer"),
        bearer_format: Some("JWT"),
        flows: None,
        openid_connect_url: None,
    };
    registry.create_security_scheme(SESSION, scheme);
}

/// Who sent the access token, and is charged for the request. A failure is charged to the client's address.
pub(crate) async fn signed_in(request: &Request) -> Result<SignedIn, Problem> {
    let (app, mut client) = Client::of(request, Actor::Anonymous)?;
    let known = match identify(request, app, &client.scope).await {
        Ok(known) => known,
        Err(problem) if problem.code == Code::Unauthenticated => {
            return Err(client.failed(app, problem));
        }
        Err(problem) => return Err(problem),
    };
    let Identity {
        user,
        session,
        signed_in_at,
        second_factor,
        signed_in_by,
        organization,
        operator,
    } = known;
    charge::user(app, &client.scope, user)?;
    (client.actor, client.on_behalf_of) = match operator {
        Some(key) => (Actor::ApiKey(key), Some(Actor::User(user))),
        None => (Actor::User(user), None),
    };
    Ok(SignedIn {
        user,
        session,
        signed_in_at,
        second_factor,
        signed_in_by,
        organization,
        operator,
        client,
    })
}

async fn identify(request: &Request, app: &App, scope: &Scope) -> Result<Identity, Problem> {
    let refused = |detail| Problem::new(Code::Unauthenticated, detail);
    let desk = app.desk().await?;
    let Some(value) = request.header(header::AUTHORIZATION) else {
        let token = cookies::read(app, request, cookies::Kind::Access);
        let token = token.ok_or_else(|| refused("no access token was sent; sign in"))?;
        let (known, session) = desk.check_own(app, token).await?;
        // Whoever sends a header knows the token; a cookie comes by itself.
        cookies::check(app, &desk.links, request, &session.to_string())?;
        scope.note_cookie();
        return Ok(known);
    };
    let token = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or_else(|| {
        refused("the header `Authorization` does not have the scheme `Bearer`")
    })?;
    desk.check(app, token.1.trim()).await
}
