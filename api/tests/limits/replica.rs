use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use api::limits::{Exchange, LimitOptions, Limits};
use journal::{Bus, BusOptions};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

/// One replica of the front end, as far as limits are concerned.
pub struct Replica {
    pub limits: Limits,
    pub bus: Bus,
    stop: CancellationToken,
    exchange: JoinHandle<()>,
}

impl Replica {
    pub async fn start(url: &str, options: LimitOptions) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let replica = Uuid::from_u128(COUNT.fetch_add(1, Ordering::Relaxed).into());
        let (prefix, name) = ("test".to_owned(), replica.to_string());
        let options_of_bus = BusOptions { url: url.to_owned(), prefix, replicas: 1, name };
        let bus = Bus::connect(options_of_bus).await.unwrap();
        let (limits, stop) = (Limits::new(options), CancellationToken::new());
        let exchange = Exchange::join(limits.clone(), bus.clone(), replica).await.unwrap();
        let exchange = tokio::spawn(exchange.run(stop.clone()));
        Self { limits, bus, stop, exchange }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.exchange).await.unwrap().unwrap();
    }
}

/// Waits for a condition that the exchange brings about.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}
