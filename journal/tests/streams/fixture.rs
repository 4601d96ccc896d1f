use std::{fs, time::Duration};

use domain::ids::OrganizationId;
use journal::{Bus, BusOptions, Clock, SystemClock};
use testkit::TestNats;

const PATIENCE: Duration = Duration::from_secs(60);

pub async fn connect(nats: &TestNats) -> Bus {
    let options = BusOptions {
        url: nats.url().to_owned(),
        prefix: "test".into(),
        replicas: 1,
        name: "streams test".into(),
    };
    Bus::connect(options).await.unwrap()
}

pub fn organization() -> OrganizationId {
    OrganizationId::from_uuid(SystemClock.new_id())
}

/// Ends the server and takes all its streams away.
pub async fn wipe(nats: &mut TestNats) {
    nats.kill().await;
    fs::remove_dir_all(nats.store_dir()).unwrap();
    nats.restart().await;
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(PATIENCE, future).await;
    output.unwrap_or_else(|_| panic!("it did not happen within {PATIENCE:?}"))
}
