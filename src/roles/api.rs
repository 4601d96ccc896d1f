use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use api::{
    ApiState, Check, Class, Options,
    limits::{AllowList, GuessOptions, LimitOptions},
};
use chrono::TimeDelta;
use journal::{LogStream, jobs::JobStream};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::{Tasks, open_files};
use crate::{
    config::{Config, Limits},
    installation::Installation,
    telemetry,
};

/// Connections that the kernel keeps until they are taken in. A client that finds no room there
/// comes back a second later.
const BACKLOG: u32 = 4096;

/// Bytes that the kernel takes of an answer before its client has; left alone it takes megabytes.
const SEND_BUFFER: u32 = 128 * 1024;

pub fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    open_files::allow_for(config.server.max_connections)?;
    let listen = config.server.listen;
    listener(listen)
        .with_context(|| format!("cannot listen on {listen}; server.listen chooses another"))
}

fn listener(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

pub async fn start(
    installation: &Installation,
    config: &Config,
    metrics: &PrometheusHandle,
    listener: TcpListener,
    stop: &CancellationToken,
) -> anyhow::Result<Tasks> {
    crate::http::choose_tls_provider();
    let state = ApiState {
        journal: installation.journal.clone(),
        views: installation.views.clone(),
        bus: installation.bus.clone(),
        logs: LogStream::open(&installation.bus).await?,
        archive: installation.objects.log_archive(),
        jobs: JobStream::open(&installation.bus).await?,
        metrics: metrics.clone(),
        random: crate::first_start::random,
        trace_link: Some(telemetry::link),
        checks: vec![workers(installation), objects(installation)],
        options: options(config),
    };
    let stop = stop.clone();
    let task = tokio::spawn(async move {
        api::serve(state, listener, stop).await;
        Ok(())
    });
    Ok(vec![task])
}

fn options(config: &Config) -> Options {
    let server = &config.server;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    Options {
        public_url: server.public_url.clone(),
        cors_origins: server.cors_origins.clone(),
        insecure_cookies: server.insecure_cookies,
        max_connections: server.max_connections as usize,
        max_requests: server.max_requests as usize,
        max_body_bytes: server.body_limit_bytes,
        header_timeout: seconds(server.header_timeout_s),
        body_timeout: seconds(server.body_timeout_s),
        request_timeout: seconds(server.request_timeout_s),
        write_timeout: seconds(server.write_timeout_s),
        drain_timeout: seconds(server.drain_timeout_s),
        trusted_proxies: server.trusted_proxies.clone(),
        limits: limits(&config.limits),
        signing_keys_life: Some(config.vault.signing_keys_days)
            .filter(|days| *days > 0)
            .map(|days| TimeDelta::days(days.into())),
        max_streams: server.max_streams,
        streams_per_key: server.streams_per_key,
        passwords: config.passwords.options(),
        plain_http_sinks: config.audit.plain_http,
        passkeys: config.accounts.relying_party(server, &config.mail.name),
        invitation_life: TimeDelta::days(config.accounts.invitation_days.into()),
        access_token_life: TimeDelta::minutes(config.accounts.access_token_minutes.into()),
        login: config.login.options(),
        product: config.mail.name.clone(),
        ..Options::default()
    }
}

fn limits(limits: &Limits) -> LimitOptions {
    LimitOptions {
        user: limits.user.into(),
        address: limits.address.into(),
        key: limits.key.into(),
        login: limits.login.into(),
        login_begin: limits.login_begin.into(),
        sign_up: limits.sign_up.into(),
        reset: limits.reset.into(),
        invite: limits.invite.into(),
        ai: limits.ai.into(),
        guesses: GuessOptions {
            free: limits.free_guesses,
            free_of_address: limits.free_guesses_of_address,
            delay: Duration::from_secs(limits.guess_delay_s.into()),
            max_delay: Duration::from_secs(limits.guess_delay_max_s.into()),
        },
        allow: AllowList {
            networks: limits.allowed_networks.clone(),
            keys: limits.allowed_keys.iter().map(|key| key.uuid()).collect(),
        },
    }
}

fn workers(installation: &Installation) -> Check {
    let pool = installation.journal.pool().clone();
    Check::new("workers", Class::Degraded, move || {
        let pool = pool.clone();
        Box::pin(async move {
            match ::workers::runtime::alive(&pool).await {
                Ok(0) => Err("no worker is alive: jobs wait".to_owned()),
                Ok(_) => Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "workers could not be counted");
                    Err("the workers could not be counted".to_owned())
                }
            }
        })
    })
}

fn objects(installation: &Installation) -> Check {
    let objects = installation.objects.clone();
    Check::new("object_store", Class::Degraded, move || {
        let objects = objects.clone();
        Box::pin(async move { objects.check().await })
    })
}
