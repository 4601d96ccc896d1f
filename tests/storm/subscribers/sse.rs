//! Server-sent events, as a browser follows them.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{Arrival, ENDS, Filter, Notes};
use crate::world::World;

/// A stream that says nothing for so long may be dead.
const QUIET: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(200);

/// Follows for ever, going on after the last id whenever the stream breaks.
pub async fn follow(world: Arc<World>, notes: Notes) {
    let filter = notes.0.lock().unwrap().filter;
    let query = match filter {
        Filter::Ends => format!("?after=0&types={}", ENDS.join(",")),
        Filter::Own => format!("?after=0&aggregate_id={}", world.organization),
        _ => "?after=0".to_owned(),
    };
    let http = reqwest::Client::new();
    let mut last_id: Option<String> = None;
    for turn in 0.. {
        let url = format!("{}/v1/events/stream{query}", world.bases[turn % world.bases.len()]);
        let mut request = http.get(url).bearer_auth(&world.key);
        if let Some(id) = &last_id {
            request = request.header("Last-Event-ID", id);
        }
        if let Ok(Ok(response)) = timeout(QUIET, request.send()).await
            && response.status() == 200
        {
            listen(response, &notes, &mut last_id).await;
        }
        notes.fell();
        sleep(PAUSE).await;
    }
}

async fn listen(mut response: reqwest::Response, notes: &Notes, last_id: &mut Option<String>) {
    let mut text = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout(QUIET, response.chunk()).await {
        text.extend_from_slice(&chunk);
        // Only a whole event counts: what was cut off comes again.
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            take(&String::from_utf8(event).unwrap(), notes, last_id);
        }
    }
}

fn take(event: &str, notes: &Notes, last_id: &mut Option<String>) {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    if let Some(id) = field("id: ") {
        *last_id = Some(id.to_owned());
    }
    let Some(data) = field("data: ") else { return };
    let data: Value = serde_json::from_str(data).unwrap();
    notes.write(Arrival {
        run: 0,
        position: data["position"].as_u64().unwrap(),
        event_id: data["id"].as_str().unwrap().to_owned(),
    });
}
