//! The HTTP front end: commands into the log, reads from the views, the log itself live.
//!
//! A request passes the frame (id, limits, headers, problems), the fixed pages and then the
//! resources. Handlers authorise, give commands to the journal and read views; they hold no rules.

mod accounts;
mod address_blocks;
mod admin;
mod api_keys;
mod audit;
mod auth;
mod charge;
mod command;
mod cookies;
mod csv;
mod dead_letters;
mod document;
mod done;
mod events;
mod explain;
mod frame;
mod health;
mod ids;
pub mod keys;
mod limiter;
pub mod limits;
mod live;
mod operations;
mod options;
mod organizations;
mod policies;
mod problem;
mod projections;
mod read;
mod revocations;
mod routes;
mod scans;
mod server;
mod state;

use poem::IntoEndpoint;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use limits::Exchange;

pub use accounts::{
    ClientOptions, LoginOptions, ProviderKind, ProviderOptions, rotate_signing_keys,
};
pub use document::openapi;
pub use health::{Check, Class};
pub use options::Options;
pub use state::{ApiState, TraceLink};

/// Every resource there is.
type Apis = (
    scans::Scans,
    events::Events,
    api_keys::ApiKeys,
    (policies::Policies, explain::Explain),
    audit::AuditLog,
    audit::AuditSinks,
    dead_letters::DeadLetters,
    projections::Projections,
    health::Health,
    scans::Aliases,
    accounts::Accounts,
    accounts::Me,
    accounts::SecondFactors,
    (accounts::Profile, accounts::ProviderLogins),
    organizations::Apis,
    (address_blocks::AddressBlocks, limiter::Limiter, admin::Apis, api_keys::LeakedKeys),
);

/// Serves on the listener until told to stop. Then live streams end at once, and open requests
/// have [`Options::drain_timeout`] to end.
pub async fn serve(state: ApiState, listener: TcpListener, stop: CancellationToken) {
    let options = state.options.clone();
    let app = state::App::new(state, routes::Routes::of::<Apis>(), stop.clone());
    let apis: Apis = (
        scans::Scans { app: app.clone() },
        events::Events { app: app.clone() },
        api_keys::ApiKeys { app: app.clone() },
        (policies::Policies { app: app.clone() }, explain::Explain { app: app.clone() }),
        audit::AuditLog { app: app.clone() },
        audit::AuditSinks { app: app.clone() },
        dead_letters::DeadLetters { app: app.clone() },
        projections::Projections { app: app.clone() },
        health::Health::new(app.clone()),
        scans::Aliases { app: app.clone() },
        accounts::Accounts { app: app.clone() },
        accounts::Me { app: app.clone() },
        accounts::SecondFactors { app: app.clone() },
        (accounts::Profile { app: app.clone() }, accounts::ProviderLogins { app: app.clone() }),
        organizations::apis(&app),
        (
            address_blocks::AddressBlocks { app: app.clone() },
            limiter::Limiter { app: app.clone() },
            admin::apis(&app),
            api_keys::LeakedKeys { app: app.clone() },
        ),
    );
    let resources = document::described(apis).into_endpoint();
    let pages = document::Pages::new(resources);
    let uses = tokio::spawn(auth::note_uses(app.clone(), stop.clone()));
    let (limits, bus, replica) =
        (app.limits.clone(), app.bus.clone(), app.journal.clock().new_id());
    let exchange = tokio::spawn(Exchange::keep(limits, bus, replica, stop.clone()));
    let revocations =
        tokio::spawn(revocations::keep_revocations(app.clone(), replica, stop.clone()));
    if let Err(error) = app.door.look(&app).await {
        tracing::warn!(%error, "blocked addresses are not known yet");
    }
    let door = tokio::spawn(address_blocks::keep_door(app.clone(), stop.clone()));
    let signing = tokio::spawn(accounts::keep_signing_keys(app.clone(), stop.clone()));
    let frame = frame::Frame::new(pages, app);
    server::run(listener, frame, &options, stop).await;
    if let Err(error) = door.await {
        tracing::error!(%error, "blocked addresses were no longer looked at");
    }
    if let Err(error) = revocations.await {
        tracing::error!(%error, "ended rights were no longer looked for");
    }
    if let Err(error) = signing.await {
        tracing::error!(%error, "the keys of access tokens were no longer kept");
    }
    if let Err(error) = exchange.await {
        tracing::error!(%error, "the limits were no longer shared");
    }
    if let Err(error) = uses.await {
        tracing::error!(%error, "the last uses of keys were not noted");
    }
}
