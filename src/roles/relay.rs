use journal::relay::{self, RelayOptions};
use tokio_util::sync::CancellationToken;

use super::Tasks;
use crate::{config::Config, installation::Installation};

pub fn start(installation: &Installation, config: &Config, stop: &CancellationToken) -> Tasks {
    let options = RelayOptions {
        window: config.relay.window as usize,
        max_bytes: config.relay.max_bytes,
        ..RelayOptions::default()
    };
    let (journal, bus) = (installation.journal.clone(), installation.bus.clone());
    let stop = stop.clone();
    vec![tokio::spawn(async move { Ok(relay::run(journal, bus, options, stop).await?) })]
}
