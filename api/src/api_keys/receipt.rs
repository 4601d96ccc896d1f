use journal::{Committed, Outcome};
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};

use crate::command::{POSITION, REPLAYED, header_meta};

/// What came of issuing or rotating a key.
#[derive(Debug, Object)]
#[oai(rename = "ApiKeyReceipt")]
pub(crate) struct Receipt {
    /// The key.
    id: String,
    /// The secret, this once. A repeated command does not show it again: it is kept nowhere.
    #[oai(skip_serializing_if_is_none)]
    secret: Option<String>,
    /// Send it as `Millrace-Min-Position` to read what the command did.
    position: u64,
}

/// The answer that shows a secret, unless the command was only repeated.
pub(crate) struct Shown {
    receipt: Receipt,
    replayed: bool,
}

impl Shown {
    pub fn new(committed: &Committed, id: String, secret: String) -> Self {
        let replayed = committed.outcome == Outcome::Replayed;
        let secret = (!replayed).then_some(secret);
        Self { receipt: Receipt { id, secret, position: committed.position }, replayed }
    }
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        let mut response = Response::builder()
            .status(StatusCode::ACCEPTED)
            .content_type("application/json")
            .header(header::LOCATION, format!("{}/{}", super::COLLECTION, self.receipt.id))
            .header(header::CACHE_CONTROL, "no-store")
            .header(POSITION, self.receipt.position)
            .body(self.receipt.to_json_string());
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl ApiResponse for Shown {
    fn meta() -> MetaResponses {
        let text = String::schema_ref;
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
                    header_meta("Location", "The key.", true, text()),
                    header_meta("Millrace-Position", "Where it stands.", true, u64::schema_ref()),
                    header_meta(
                        "Idempotency-Replayed",
                        "`true` when the key was used before: the secret is not shown again.",
                        false,
                        text(),
                    ),
                ],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        Receipt::register(registry);
    }
}
