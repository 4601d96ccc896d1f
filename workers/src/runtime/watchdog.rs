use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Handler, Runtime};

/// Removes a consumer that has messages and waiting slots but delivers nothing; the slots make it
/// anew. Servers are known to lose a consumer's pulls after a change of leader.
pub(super) async fn run<H: Handler>(runtime: Arc<Runtime<H>>) {
    let mut seen = (0, Instant::now());
    loop {
        tokio::time::sleep(runtime.options.stall / 3).await;
        if let Err(error) = runtime.look(&mut seen).await {
            tracing::debug!(%error, "the consumer of jobs could not be looked at");
        }
    }
}

impl<H: Handler> Runtime<H> {
    async fn look(
        &self,
        (delivered, since): &mut (u64, Instant),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let consumer = self.consumer().await?;
        let info = consumer.cached_info();
        let waiting = self.waiting.load(Ordering::Relaxed) > 0;
        let moved = info.delivered.consumer_sequence != *delivered;
        if moved || info.num_pending == 0 || !waiting {
            (*delivered, *since) = (info.delivered.consumer_sequence, Instant::now());
            return Ok(());
        }
        if since.elapsed() >= self.options.stall {
            tracing::error!(
                pending = info.num_pending,
                "jobs wait but are not delivered; making the consumer anew"
            );
            metrics::counter!("job_consumer_rebuilds_total").increment(1);
            let jetstream = self.backbone.bus.jetstream();
            jetstream.delete_consumer_from_stream(&info.name, &info.stream_name).await?;
            *since = Instant::now();
        }
        Ok(())
    }
}
