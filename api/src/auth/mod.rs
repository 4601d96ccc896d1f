//! Who calls: one extractor for both ways in which a key may be sent.

mod cache;

use std::{collections::BTreeMap, sync::Arc};

use domain::ids::{ApiKeyId, OrganizationId};
use journal::{Actor, Context};
use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use projections::TenantScope;
use uuid::Uuid;

pub(crate) use cache::KeyCache;

use crate::{
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
    pub scope: Arc<Scope>,
}

impl Caller {
    pub fn tenant(&self) -> TenantScope {
        TenantScope(self.org)
    }

    /// The context of a command that the caller gives.
    pub fn context(&self, correlation_id: Uuid) -> Context {
        let mut context = Context::new(self.org, Actor::ApiKey(self.key), correlation_id);
        context.metadata = BTreeMap::from([
            ("request_id".to_owned(), self.scope.request_id.clone()),
            ("traceparent".to_owned(), self.scope.trace.traceparent().to_owned()),
        ]);
        context
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("`Authorization: Bearer mr_...`"),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("mr_ and 43 characters of base64url"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(BEARER, scheme);
        let scheme = MetaSecurityScheme {
            ty: "apiKey",
            description: Some("The same key in a header of its own."),
            name: Some("X-API-Key"),
            key_in: Some("header"),
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(API_KEY, scheme);
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

async fn authenticate(request: &Request) -> Result<Caller, Problem> {
    let (Some(app), Some(scope)) = (App::of(request), Scope::from_request(request)) else {
        return Err(Problem::new(Code::Internal, "the request reached no application"));
    };
    let given = match given_key(request) {
        Ok(key) => key,
        Err(problem) => return refuse(app, scope, problem).await,
    };
    let hash = keys::hash(given);
    if !app.keys.knows(&hash) && scope.address.is_some() {
        let standing = app.failures.peek(&scope.address).await;
        if standing.exhausted {
            return Err(standing.problem());
        }
    }
    let Some(key) = app.keys.get(app, hash).await? else {
        let problem = Problem::new(Code::Unauthenticated, "the key is not known or was revoked");
        return refuse(app, scope, problem).await;
    };
    let standing = app.quotas.take(&key.key_id).await;
    let _ = scope.quota.set(standing);
    if standing.exhausted {
        return Err(standing.problem());
    }
    Ok(Caller { org: key.org, key: key.key_id, scope: Arc::clone(scope) })
}

/// Charges the failure to the client's address: guessing keys is slow.
async fn refuse<T>(app: &App, scope: &Scope, problem: Problem) -> Result<T, Problem> {
    if scope.address.is_none() {
        return Err(problem);
    }
    let standing = app.failures.take(&scope.address).await;
    let _ = scope.quota.set(standing);
    Err(if standing.exhausted { standing.problem() } else { problem })
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
