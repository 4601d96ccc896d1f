use domain::ids::{OrganizationId, PLATFORM};
use poem::{Request, RequestBody, Result};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, registry::Registry};
use tracing::Instrument;

use super::{Caller, register_schemes};
use crate::problem::Problem;

const BEARER: &str = "platform_bearer";
const API_KEY: &str = "platform_api_key";

/// The owner of a key of the platform. An operation that has it in place of [`Caller`] concerns the
/// whole installation: its action is one on what is the platform's, so that all other keys are
/// refused before anything of the request is looked at.
#[derive(Debug, Clone)]
pub(crate) struct PlatformCaller(Caller);

impl PlatformCaller {
    /// As the key of its own organisation that it is.
    pub fn as_caller(&self) -> &Caller {
        &self.0
    }

    /// Who gives commands about what is the installation's own.
    pub fn for_platform(&self) -> Caller {
        Caller { org: PLATFORM, ..self.0.clone() }
    }

    /// Who gives commands about what is an organisation's, or a person's.
    pub fn for_organization(&self, org: OrganizationId) -> Caller {
        Caller { org, ..self.0.clone() }
    }

    /// Does the work even when the client goes away meanwhile, and leaves a trace of who asked for
    /// it: such work makes no event that would say so.
    pub async fn carry_out<T, E>(
        &self,
        operation: &'static str,
        target: &str,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Send + 'static,
        Problem: From<E>,
    {
        tracing::warn!(operation, target, actor = %self.0.actor(), "an operator acts on the installation");
        match tokio::spawn(work.in_current_span()).await {
            Ok(result) => Ok(result?),
            Err(aborted) => Err(Problem::internal(&aborted)),
        }
    }
}

impl<'a> ApiExtractor<'a> for PlatformCaller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let about = [
            "`Authorization: Bearer mr_...` with a key of the platform, one that was issued with \
             `millrace keys issue --platform`.",
            "The same key in a header of its own.",
        ];
        register_schemes(registry, [BEARER, API_KEY], about);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, API_KEY]
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(Self(Caller::from_request(request, body, options).await?))
    }
}
