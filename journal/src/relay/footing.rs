//! Where publishing can go on from.

use super::{
    Error, Relay, consumers,
    log::{self, Identity},
    stream::{self, Standing},
};

/// A stream that is broken again right after it was made needs somebody's attention.
const REPAIRS: usize = 3;

/// What is known for certain: the stream holds the log up to `last`.
pub(super) struct Footing {
    pub identity: Identity,
    pub last: u64,
    /// The stream's creation time, in nanoseconds since 1970.
    pub created: i128,
}

/// Asks the stream what it holds, compares it with the log, and repairs what was lost.
pub(super) async fn find(relay: &Relay) -> Result<Footing, Error> {
    let (journal, bus) = (&relay.journal, &relay.bus);
    for _ in 0..REPAIRS {
        // Whatever another relay does meanwhile only makes the later answers larger.
        let checkpoint = log::checkpoint(journal.pool()).await?;
        relay.show_lag(checkpoint);
        let identity = log::identity(journal.pool()).await?;
        let wanted = stream::config(bus, identity, relay.options.max_bytes);
        let stream = match stream::find(bus).await? {
            Some(stream) => stream,
            None => stream::create(bus, wanted.clone()).await?,
        };
        let durables = consumers::durables(&stream).await?;
        relay.lost.found(identity.epoch, &durables).await;
        let info = stream.get_info().await;
        let info = info.map_err(|error| Error::nats("asking the stream")(error.into()))?;
        if let Standing::Broken(why) = stream::compare(journal, &stream, &info, identity).await? {
            tracing::warn!(stream = info.config.name, why, "the stream is made again");
            if stream::is_of(&info, identity) {
                relay.lost.with_their_stream(durables).await;
            }
            stream::delete(bus).await?;
            stream::create(bus, wanted).await?;
            metrics::counter!("relay_stream_losses_total").increment(1);
            continue;
        }
        stream::adjust(bus, &info, wanted).await?;
        let last = info.state.last_sequence;
        if last < checkpoint {
            metrics::counter!("relay_stream_losses_total").increment(1);
            tracing::warn!(last, checkpoint, "the stream has lost events; they are republished");
        }
        let set_back = relay.lost.set_back(&stream, durables, last).await;
        relay.lost.make_again(&stream).await;
        set_back?;
        log::save_checkpoint(journal.pool(), identity, last, journal.clock().now()).await?;
        relay.show_lag(last);
        let created = info.created.unix_timestamp_nanos();
        return Ok(Footing { identity, last, created });
    }
    Err(Error::Rejected("it is broken again as soon as it is made".to_owned()))
}
