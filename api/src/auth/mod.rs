//! Who calls: one extractor for both ways in which a key may be sent.

mod cache;
mod decision;
mod platform;
mod uses;
mod valid;

use std::sync::Arc;

use domain::ids::{ApiKeyId, OrganizationId};
use journal::{Actor, Context};
use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use projections::{Reach, TenantScope};
use uuid::Uuid;

pub(crate) use cache::KeyCache;
pub(crate) use decision::{asked, decide_own, may, note_operation};
pub(crate) use platform::PlatformCaller;
pub(crate) use uses::{Uses, note_uses};
pub(crate) use valid::ValidKey;

use crate::{
    charge,
    frame::Scope,
    keys,
    problem::{Code, Problem},
    state::App,
};

const BEARER: &str = "bearer";
const API_KEY: &str = "api_key";

/// The owner of a valid key. It comes first in the arguments of an operation, so that nothing of a
/// request is looked at before it is known who sent it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub org: OrganizationId,
    pub key: ApiKeyId,
    pub valid: Arc<ValidKey>,
    pub scope: Arc<Scope>,
}

impl Caller {
    pub fn tenant(&self) -> TenantScope {
        TenantScope(self.org)
    }

    /// How far the caller sees where the state of the installation is shown.
    pub fn reach(&self) -> Reach {
        if self.valid.row.platform {
            Reach::Installation
        } else {
            Reach::Organization(self.tenant())
        }
    }

    /// The context of a command that the caller gives.
    pub fn context(&self, correlation_id: Uuid) -> Context {
        let mut context = Context::new(self.org, Actor::ApiKey(self.key), correlation_id);
        context.metadata = self.scope.metadata();
        context.origin = Some(self.scope.origin(None));
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
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, API_KEY]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(authenticate(request).await?)
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

async fn authenticate(request: &Request) -> Result<Caller, Problem> {
    let (Some(app), Some(scope)) = (App::of(request), Scope::from_request(request)) else {
        return Err(Problem::new(Code::Internal, "the request reached no application"));
    };
    let given = match given_key(request) {
        Ok(key) => key,
        Err(problem) => return Err(charge::failure(app, scope, problem)),
    };
    let hash = keys::hash(given);
    if !app.keys.knows(&hash) {
        charge::check_address(app, scope)?;
    }
    let Some(key) = app.keys.get(app, hash).await? else {
        let problem = Problem::new(Code::Unauthenticated, "the key is not known or was revoked");
        return Err(charge::failure(app, scope, problem));
    };
    let now = app.journal.clock().now();
    if let Err(problem) = key.check(now) {
        return Err(charge::failure(app, scope, problem));
    }
    let row = &key.row;
    app.uses.remember(row.key_id, now);
    charge::key(app, scope, row)?;
    let policies = app.policies.of(app, row.org, key.policies_position).await?;
    decision::decide(app, &policies, request, scope, &key)?;
    let scope = Arc::clone(scope);
    Ok(Caller { org: key.row.org, key: key.row.key_id, valid: key, scope })
}

/// The key that the request carries, if it is one at all.
fn given_key(request: &Request) -> Result<&str, Problem> {
    let bearer = request.header(header::AUTHORIZATION);
    let api_key = request.header("x-api-key");
    let refused = |detail| Err(Problem::new(Code::Unauthenticated, detail));
    let key = match (bearer, api_key) {
        (None, None) => return refused("no key was sent"),
        (Some(_), Some(_)) => return refused("two keys were sent; send one"),
        (None, Some(key)) => key.trim(),
        (Some(value), None) => match value.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
            _ => return refused("the header `Authorization` does not have the scheme `Bearer`"),
        },
    };
    if keys::well_formed(key) { Ok(key) } else { refused("what was sent is not a key") }
}
