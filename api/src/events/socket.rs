use std::{pin::pin, time::Duration};

use domain::ids::OrganizationId;
use futures::{SinkExt, StreamExt};
use poem::{
    IntoResponse, Response,
    web::websocket::{CloseCode, Message, WebSocket, WebSocketConfig, WebSocketStream},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaResponse, MetaResponses, Registry},
};
use serde::Deserialize;

use super::{
    follow::{self, Follow, Step},
    model::{self, Wanted},
};
use crate::{live::Slot, problem::Problem, state::App};

/// For the subscription.
const PATIENCE: Duration = Duration::from_secs(30);
/// A subscription is small; nothing else is read.
const MAX_MESSAGE: usize = 16 * 1024;

const SHUTDOWN: &str = "the server shuts down";
const OVER: &str = "sign in again";

/// The answer that opens the socket.
pub(super) struct Upgraded(Response);

/// The first message of the client.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Subscription {
    after: Option<u64>,
    types: Vec<String>,
    aggregate_id: Option<String>,
}

pub(super) fn upgraded(socket: WebSocket, app: App, org: OrganizationId, slot: Slot) -> Upgraded {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let upgraded = socket.config(config).on_upgrade(move |mut stream| async move {
        let ended = tokio::select! {
            () = slot.ended().cancelled() => Ok(ending(&app)),
            ended = serve(&mut stream, &app, org, &slot) => ended,
        };
        let (code, reason) = match ended {
            Ok(reason) => (CloseCode::Away, reason.to_owned()),
            Err(problem) => (CloseCode::Policy, problem.to_string()),
        };
        // A close frame holds 123 bytes of text.
        let reason: String = reason.chars().take(40).collect();
        let closing = stream.send(Message::Close(Some((code, reason))));
        drop(tokio::time::timeout(app.options.write_timeout, closing).await);
        drop(slot);
    });
    Upgraded(upgraded.into_response())
}

impl IntoResponse for Upgraded {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Upgraded {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The socket is open.",
                status: Some(101),
                status_range: None,
                content: Vec::new(),
                headers: Vec::new(),
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}

/// Sends events until either side ends; gives the reason.
async fn serve(
    stream: &mut WebSocketStream,
    app: &App,
    org: OrganizationId,
    slot: &Slot,
) -> Result<&'static str, Problem> {
    let Some(subscription) = subscription(stream).await? else { return Ok("no subscription") };
    let wanted = Wanted::of(subscription.types, subscription.aggregate_id.as_deref())?;
    let after = match subscription.after {
        Some(after) => after,
        None => follow::head(app).await?,
    };
    let mut follow = Follow::new(app, wanted.filter(org), after, slot.ended().clone()).await?;
    loop {
        // The step is kept while messages come in: a chatty client causes no reads.
        let mut step = pin!(follow.step());
        let step = loop {
            tokio::select! {
                step = &mut step => break step?,
                received = stream.next() => match received {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Ok("closed"),
                    Some(Ok(_)) => {}
                },
            }
        };
        let messages = match step {
            Step::Events(page) => page.iter().map(|e| Message::Text(model::line(e))).collect(),
            Step::Quiet => vec![Message::Ping(Vec::new())],
            Step::End => return Ok(ending(app)),
        };
        for message in messages {
            match tokio::time::timeout(app.options.write_timeout, stream.send(message)).await {
                Ok(Ok(())) => {}
                _ => return Ok("the client takes no messages"),
            }
        }
    }
}

/// Why a stream ends that could go on.
fn ending(app: &App) -> &'static str {
    if app.stop.is_cancelled() { SHUTDOWN } else { OVER }
}

async fn subscription(stream: &mut WebSocketStream) -> Result<Option<Subscription>, Problem> {
    let first = tokio::time::timeout(PATIENCE, stream.next()).await;
    let Ok(Some(Ok(Message::Text(text)))) = first else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Problem::parameter("subscription", error.to_string()))
}
