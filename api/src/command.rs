//! What all commands have in common: idempotency keys, pinned versions, bodies and answers.

use journal::{Committed, Context, IdempotencyKey, Outcome};
use poem::{
    FromRequest, IntoResponse, Request, RequestBody, Response, Result,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, Object,
    payload::{Json, Payload},
    registry::{
        MetaHeader, MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchemaRef,
        Registry,
    },
    types::{ParseFromJSON, ToJSON, Type},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    auth::Caller,
    problem::{Code, Problem},
    state::App,
};

pub(crate) const POSITION: HeaderName = HeaderName::from_static("millrace-position");
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const MAX_KEY: usize = 255;

/// The conditions under which a client gives a command.
pub(crate) struct Terms {
    key: Option<String>,
    if_match: Option<String>,
    method: Method,
    path: String,
}

impl Terms {
    pub fn new(request: &Request, key: Option<String>, if_match: Option<String>) -> Self {
        let path = request.original_uri().path().to_owned();
        Self { key, if_match, method: request.method().clone(), path }
    }

    /// The context of the command. `body` is part of what makes the request the same request.
    pub fn context(
        self,
        app: &App,
        caller: &Caller,
        body: Option<&Value>,
    ) -> Result<Context, Problem> {
        let mut context = caller.context(app.journal.clock().new_id());
        context.expected_version = self.if_match.as_deref().map(pinned).transpose()?.flatten();
        if let Some(key) = self.key {
            let fits =
                (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
            if !fits {
                let message = format!("it must be 1 to {MAX_KEY} visible ASCII characters");
                return Err(Problem::parameter("Idempotency-Key", message));
            }
            let request_hash = request_hash(&self.method, &self.path, body);
            context.idempotency = Some(IdempotencyKey { key, request_hash });
        }
        Ok(context)
    }
}

/// The version in `If-Match`; `*` pins none.
pub(crate) fn pinned(header: &str) -> Result<Option<u64>, Problem> {
    if header.trim() == "*" {
        return Ok(None);
    }
    let version = header.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    version.and_then(|version| version.parse().ok()).map(Some).ok_or_else(|| {
        Problem::parameter("If-Match", "it must be one ETag of the resource, such as \"3\"")
    })
}

/// The same for two requests that mean the same: the order of keys and white space do not count.
fn request_hash(method: &Method, path: &str, body: Option<&Value>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(method.as_str());
    hash.update([0]);
    hash.update(path);
    hash.update([0]);
    if let Some(body) = body {
        let mut canonical = String::new();
        write_canonical(body, &mut canonical);
        hash.update(canonical);
    }
    hash.finalize().into()
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in fields {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// A JSON body, together with the value it was read from.
pub(crate) struct Input<T> {
    pub value: T,
    pub raw: Value,
}

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for Input<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: "application/json",
                schema: T::schema_ref(),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        if !request.content_type().is_some_and(Json::<T>::check_content_type) {
            let detail = "the body must be JSON, and say so in `Content-Type`";
            return Err(Problem::new(Code::UnsupportedMediaType, detail).into());
        }
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        let raw: Value = serde_json::from_slice(&bytes).map_err(|error| {
            let detail = format!("the body is not JSON: {error}");
            Problem::new(Code::InvalidBody, detail).at("body", error.to_string())
        })?;
        Ok(Self::of(raw)?)
    }
}

impl<T: ParseFromJSON> Input<T> {
    pub fn of(raw: Value) -> Result<Self, Problem> {
        let value = T::parse_from_json(Some(raw.clone())).map_err(|error| {
            let message: String = error.into_message().chars().take(300).collect();
            Problem::new(Code::InvalidBody, &message).at("body", message)
        })?;
        Ok(Self { value, raw })
    }
}

/// What came of a command.
#[derive(Debug, Object)]
pub(crate) struct Receipt {
    /// The resource.
    id: String,
    /// Version of the resource, also its `ETag`.
    version: u64,
    /// Send it as `Millrace-Min-Position` to read what the command did.
    position: u64,
}

/// The answer to a command that was taken.
pub(crate) struct Accepted {
    committed: Committed,
    location: String,
}

impl Accepted {
    /// `collection` is the path under which the resource is found by its id.
    pub fn new(committed: Committed, collection: &str) -> Self {
        let location = format!("{collection}/{}", committed.aggregate_id);
        Self { committed, location }
    }

    /// Of a part of the aggregate, which has no version of its own.
    pub fn of_part(committed: Committed, id: String, collection: &str) -> Self {
        Self::new(Committed { aggregate_id: id, ..committed }, collection)
    }
}

/// The id of the part that a command made, which its event holds in this field. A command that is
/// repeated made it when it was given first.
pub(crate) async fn part_made<T: DeserializeOwned>(
    app: &App,
    committed: &Committed,
    field: &str,
    made_now: T,
) -> Result<T, Problem> {
    if committed.outcome != Outcome::Replayed {
        return Ok(made_now);
    }
    let event = app.journal.at(committed.position).await?;
    let payload = event.and_then(|event| serde_json::from_str(event.payload.get()).ok());
    let id = payload.and_then(|mut payload: Value| T::deserialize(payload[field].take()).ok());
    id.ok_or_else(|| Problem::new(Code::Internal, "what the command came to is not in the log"))
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let Committed { aggregate_id, position, sequence, outcome } = self.committed;
        let receipt = Receipt { id: aggregate_id, version: sequence, position };
        let mut response = Response::builder()
            .status(StatusCode::ACCEPTED)
            .content_type("application/json")
            .header(header::LOCATION, self.location)
            .header(header::ETAG, etag(sequence))
            .header(POSITION, position)
            .body(receipt.to_json_string());
        if outcome == Outcome::Replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// The entity tag of a version.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

pub(crate) fn header_meta(
    name: &str,
    about: &str,
    required: bool,
    schema: MetaSchemaRef,
) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(about.to_owned()),
        required,
        deprecated: false,
        schema,
    }
}

impl ApiResponse for Accepted {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The command was taken and is in the log.",
                status: Some(202),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: Receipt::schema_ref(),
                }],
                headers: vec![
                    header_meta("Location", "The resource.", true, String::schema_ref()),
                    header_meta("ETag", "Its version.", true, String::schema_ref()),
                    header_meta("Millrace-Position", "Where it stands.", true, u64::schema_ref()),
                    header_meta(
                        "Idempotency-Replayed",
                        "`true` when the key was used before: this is the first answer.",
                        false,
                        String::schema_ref(),
                    ),
                ],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        Receipt::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_requests_that_mean_the_same_have_one_hash() {
        let hash = |path: &str, body: &str| {
            let body: Value = serde_json::from_str(body).unwrap();
            request_hash(&Method::POST, path, Some(&body))
        };
        let one = hash("/v1/scans", r#"{"a":[1,{"x":null,"y":"z"}],"b":2}"#);
        assert_eq!(one, hash("/v1/scans", r#"{ "b": 2, "a": [1, {"y":"z","x":null}] }"#));
        assert_ne!(one, hash("/v1/scans", r#"{"a":[{"x":null,"y":"z"},1],"b":2}"#));
        assert_ne!(one, hash("/v1/other", r#"{"a":[1,{"x":null,"y":"z"}],"b":2}"#));
        assert_ne!(
            hash("/", &json!({"a": "1", "b": 2}).to_string()),
            hash("/", &json!({"a": 1, "b": 2}).to_string())
        );
    }

    #[test]
    fn a_pinned_version_is_an_entity_tag() {
        assert_eq!(pinned("\"7\"").unwrap(), Some(7));
        assert_eq!(pinned("*").unwrap(), None);
        for bad in ["7", "W/\"7\"", "\"\"", "\"7\", \"8\"", ""] {
            assert!(pinned(bad).is_err(), "{bad} was taken");
        }
    }
}
