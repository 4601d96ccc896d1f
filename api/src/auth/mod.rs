//! Who calls: one extractor for keys, in both ways in which they may be sent, and for members who have
//! signed in.

mod acting;
mod cache;
mod decision;
mod key;
mod member;
mod members;
mod platform;
mod signature;
mod uses;
mod valid;

use std::sync::Arc;

use domain::ids::{ApiKeyId, OrganizationId, SessionId, UserId};
use journal::{Actor, Context};
use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use projections::{Reach, TenantScope};
use uuid::Uuid;

pub(crate) use acting::{Acting, Condition};
pub(crate) use cache::KeyCache;
pub(crate) use decision::{Presence, asked, decide_own, may, note_operation};
pub(crate) use member::{ValidMember, place, role};
pub(crate) use members::MemberCache;
use members::Wanted;
pub(crate) use platform::PlatformCaller;
pub(crate) use uses::{Uses, note_uses};
pub(crate) use valid::ValidKey;

use crate::{
    accounts::{SESSION, register_session},
    charge, cookies,
    frame::Scope,
    keys,
    live::{Holder, Slot},
    problem::{Code, Problem},
    state::App,
};

const BEARER: &str = "bearer";
const API_KEY: &str = "api_key";

/// Who acts in an organisation: the owner of a valid key, or a member. It comes first in the arguments
/// of an operation, so that nothing of a request is looked at before it is known who sent it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub org: OrganizationId,
    pub by: By,
    /// Of a member who has signed in.
    pub session: Option<SessionId>,
    pub presence: Presence,
    /// The key of the platform whose owner acts as the member.
    pub operator: Option<ApiKeyId>,
    pub scope: Arc<Scope>,
}

#[derive(Debug, Clone)]
pub(crate) enum By {
    Key(Arc<ValidKey>),
    Member(Arc<ValidMember>),
}

impl Caller {
    pub fn tenant(&self) -> TenantScope {
        TenantScope(self.org)
    }

    /// Of the key or the user: what is counted for each caller is counted under it.
    pub fn id(&self) -> Uuid {
        match &self.by {
            By::Key(key) => key.row.key_id.uuid(),
            By::Member(member) => member.user.uuid(),
        }
    }

    /// The member who acts, or in whose place the key does. None for a key in the owner's place.
    pub fn user(&self) -> Option<UserId> {
        match &self.by {
            By::Key(key) => key.row.issuer,
            By::Member(member) => Some(member.user),
        }
    }

    /// A place for a stream that rests on the rights of the caller.
    pub async fn open_stream(&self, app: &App) -> Result<Slot, Problem> {
        let (key, ends_in) = match &self.by {
            By::Key(key) => (Some(key.row.key_id), key.ends_in(app.journal.clock().now())),
            By::Member(_) => (self.operator, None),
        };
        let (org, user, session) = (self.org, self.user(), self.session);
        let slot = app.streams.take(self.id(), Holder { org, user, key, session, ends_in })?;
        // What ends from now on ends the slot; what ended since the request came is found here.
        self.check_again(app).await?;
        Ok(slot)
    }

    async fn check_again(&self, app: &App) -> Result<(), Problem> {
        match &self.by {
            By::Key(key) => {
                let key = app.keys.get(app, key.hash).await?;
                key.ok_or_else(key::unknown)?.check(app.journal.clock().now())
            }
            By::Member(member) => {
                if let Some(session) = self.session {
                    let desk = app.desk().await?;
                    desk.check_session(app, member.user, session, self.operator).await?;
                }
                app.members.find(app, member.user, Wanted::Id(member.acting.org)).await.map(|_| ())
            }
        }
    }

    pub fn acting(&self) -> &Acting {
        match &self.by {
            By::Key(key) => &key.acting,
            By::Member(member) => &member.acting,
        }
    }

    pub fn actor(&self) -> Actor {
        match (&self.by, self.operator) {
            (By::Key(key), _) => Actor::ApiKey(key.row.key_id),
            (By::Member(_), Some(operator)) => Actor::ApiKey(operator),
            (By::Member(member), None) => Actor::User(member.user),
        }
    }

    /// How far the caller sees where the state of the installation is shown.
    pub fn reach(&self) -> Reach {
        match &self.by {
            By::Key(key) if key.row.platform => Reach::Installation,
            By::Key(_) | By::Member(_) => Reach::Organization(self.tenant()),
        }
    }

    /// The context of a command that the caller gives.
    pub fn context(&self, correlation_id: Uuid) -> Context {
        let mut context = Context::new(self.org, self.actor(), correlation_id);
        context.metadata = self.scope.metadata();
        context.origin = Some(self.scope.origin(None));
        if let (By::Member(member), Some(_)) = (&self.by, self.operator) {
            context.on_behalf_of = Some(Actor::User(member.user));
        }
        context
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let about = ["`Authorization: Bearer mr_...`", "The same key in a header of its own."];
        register_schemes(registry, [BEARER, API_KEY], about);
        register_session(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, API_KEY, SESSION]
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(authenticate(request, body).await?)
    }
}

/// The two ways in which a key may be sent.
fn register_schemes(
    registry: &mut Registry,
    [bearer, api_key]: [&'static str; 2],
    [about_bearer, about_api_key]: [&'static str; 2],
) {
    let scheme = |ty, description| MetaSecurityScheme {
        ty,
        description: Some(description),
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    let bearer_scheme = MetaSecurityScheme {
        scheme: Some("bearer"),
        bearer_format: Some("mr_ and 43 characters of base64url"),
        ..scheme("http", about_bearer)
    };
    registry.create_security_scheme(bearer, bearer_scheme);
    let api_key_scheme = MetaSecurityScheme {
        name: Some("X-API-Key"),
        key_in: Some("header"),
        ..scheme("apiKey", about_api_key)
    };
    registry.create_security_scheme(api_key, api_key_scheme);
}

async fn authenticate(request: &Request, body: &mut RequestBody) -> Result<Caller, Problem> {
    let (Some(app), Some(scope)) = (App::of(request), Scope::from_request(request)) else {
        return Err(Problem::new(Code::Internal, "the request reached no application"));
    };
    let route = decision::route(app, request)?;
    match given(app, request) {
        Ok(Given::Key(given)) => key::authenticate(app, scope, request, route, given, body).await,
        Ok(Given::Token) => member::authenticate(app, scope, request, route).await,
        Err(problem) => Err(charge::failure(app, scope, problem)),
    }
}

/// By what the request wants to be known.
enum Given<'a> {
    Key(&'a str),
    /// What seems to be an access token.
    Token,
}

fn given<'a>(app: &App, request: &'a Request) -> Result<Given<'a>, Problem> {
    let bearer = request.header(header::AUTHORIZATION);
    let api_key = request.header("x-api-key");
    let refused = |detail| Err(Problem::new(Code::Unauthenticated, detail));
    let key = match (bearer, api_key) {
        // A browser that has one in a cookie.
        (None, None) if cookies::read(app, request, cookies::Kind::Access).is_some() => {
            return Ok(Given::Token);
        }
        (None, None) => return refused("neither a key nor an access token was sent"),
        (Some(_), Some(_)) => return refused("two keys were sent; send one"),
        (None, Some(key)) => key.trim(),
        (Some(value), None) => match value.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
            _ => return refused("the header `Authorization` does not have the scheme `Bearer`"),
        },
    };
    if keys::well_formed(key) {
        return Ok(Given::Key(key));
    }
    // Three parts with dots between them.
    if api_key.is_none() && key.split('.').count() == 3 {
        return Ok(Given::Token);
    }
    refused("what was sent is neither a key nor an access token")
}
