//! The stream holds the log: the same event at the same place, and nothing else.

use async_nats::HeaderMap;

use super::{Verdict, log::Entry};
use crate::world::World;

pub async fn check(
    world: &World,
    log: &[Entry],
    verdict: &mut Verdict,
) -> Result<(), async_nats::Error> {
    verdict.topic("EVENTS holds each event at its position");
    let client = async_nats::connect(&world.nats_url).await?;
    let jetstream = async_nats::jetstream::new(client);
    let stream = jetstream.get_stream("EVENTS").await?;
    let state = &stream.cached_info().state;
    let count = log.len() as u64;
    verdict.holds(
        (state.first_sequence, state.last_sequence, state.messages) == (1, count, count),
        || format!("the log has {count} events, the stream is {state:?}"),
    );
    for entry in log {
        let position = entry.position as u64;
        let message = match stream.get_raw_message(position).await {
            Ok(message) => message,
            Err(error) => {
                verdict.holds(false, || format!("position {position} is not there: {error}"));
                continue;
            }
        };
        let header = |name: &str| text(&message.headers, name);
        let id = entry.event_id.to_string();
        verdict.holds(header("Nats-Msg-Id") == id && header("ce-id") == id, || {
            format!("at {position} is {} instead of {id}", header("ce-id"))
        });
        verdict.holds(
            header("Millrace-Position") == position.to_string()
                && header("ce-type") == entry.event_type
                && header("ce-subject") == entry.aggregate_id
                && message.subject.ends_with(&format!(".{}", entry.event_type))
                && message.payload == entry.payload_text,
            || format!("the message at {position} does not say what {entry:?} says"),
        );
    }
    verdict.topic("JOBS is empty");
    let jobs = jetstream.get_stream("JOBS").await?;
    let left = jobs.cached_info().state.messages;
    verdict.holds(left == 0, || format!("{left} messages are left"));
    Ok(())
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default()
}
