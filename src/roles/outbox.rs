use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use mail::{Folder, Mailer, Name, Sender, SmtpOptions};
use outbound::AddressPolicy;
use tokio_util::sync::CancellationToken;
use url::Url;
use workers::{
    audit::{self, PlatformSink},
    outbox::{self, Options},
};

use super::Tasks;
use crate::{
    config::{Config, Mail, SinkFormat, StartTls},
    installation::Installation,
};

/// In the data directory.
const FOLDER: &str = "mails";
/// Nobody answers there: mails from it only go into the folder.
const NOBODY: &str = "millrace@localhost.invalid";

/// `api` is where the front end of this process listens, if it has one.
pub fn start(
    installation: &Installation,
    config: &Config,
    api: Option<SocketAddr>,
    stop: &CancellationToken,
) -> anyhow::Result<Tasks> {
    let options = Options {
        max_tries: config.mail.max_tries,
        ..Options::new(mailer(config)?, links(config, api)?)
    };
    let (journal, until) = (installation.journal.clone(), stop.clone());
    let mails = tokio::spawn(async move {
        outbox::run(journal, options, until).await;
        Ok(())
    });
    let (journal, views, until) =
        (installation.journal.clone(), installation.views.clone(), stop.clone());
    let invitations = tokio::spawn(async move {
        outbox::expire_invitations(journal, views, until).await;
        Ok(())
    });
    let (options, until) = (audit(config)?, stop.clone());
    let (journal, views) = (installation.journal.clone(), installation.views.clone());
    let audit = tokio::spawn(async move {
        audit::run(journal, views, options, until).await;
        Ok(())
    });
    Ok(vec![mails, invitations, audit])
}

fn audit(config: &Config) -> anyhow::Result<audit::Options> {
    // Collectors are spoken to over TLS.
    crate::http::choose_tls_provider();
    let audit = &config.audit;
    let allowed_ranges =
        audit.allowed_private_ranges.iter().map(ToString::to_string).collect::<Vec<_>>();
    let platform = audit.sink.as_ref().map(|url| PlatformSink {
        url: url.clone(),
        format: match audit.sink_format {
            SinkFormat::Json => domain::audit::SinkFormat::Json,
            SinkFormat::Ndjson => domain::audit::SinkFormat::Ndjson,
            SinkFormat::Splunk => domain::audit::SinkFormat::Splunk,
        },
        header: audit.sink_header.clone(),
        token: audit.sink_token.as_ref().map(|token| token.expose().to_owned()),
    });
    Ok(audit::Options {
        addresses: AddressPolicy::new(&allowed_ranges)?,
        plain_http: audit.plain_http,
        platform,
        ..audit::Options::default()
    })
}

/// Where mails go without a server.
pub fn folder(config: &Config) -> PathBuf {
    config.data_dir.join(FOLDER)
}

fn mailer(config: &Config) -> anyhow::Result<Mailer> {
    let mail = &config.mail;
    let name = Name::new(&mail.name).context("mail.name is no name")?;
    let address = mail.from.as_deref().unwrap_or(NOBODY).parse().context("mail.from")?;
    let sender = Sender { name, address };
    let Some(server) = &mail.server else {
        let path = folder(config);
        let folder =
            Folder::open(&path).with_context(|| format!("{} could not be made", path.display()))?;
        tracing::warn!(folder = %path.display(), "no mail.server is given: mails go into a folder");
        return Ok(Mailer::folder(folder, sender));
    };
    Mailer::smtp(smtp(mail, server)?, sender).context("mail.server")
}

fn smtp(mail: &Mail, server: &Url) -> anyhow::Result<SmtpOptions> {
    let mut url = server.clone();
    if let (Some(user), Some(password)) = (&mail.user, &mail.password) {
        let set = url.set_username(user).and_then(|()| url.set_password(Some(password.expose())));
        set.map_err(|()| anyhow::anyhow!("mail.server can have no login"))?;
    }
    let extra_roots = match &mail.certificates {
        Some(file) => std::fs::read(file)
            .with_context(|| format!("mail.certificates: {} cannot be read", file.display()))?,
        None => Vec::new(),
    };
    let starttls = match mail.starttls {
        StartTls::Required => mail::StartTls::Required,
        StartTls::Optional => mail::StartTls::Optional,
    };
    let timeout = Duration::from_secs(mail.timeout_s.into());
    Ok(SmtpOptions { starttls, extra_roots, timeout, ..SmtpOptions::new(url) })
}

/// Where links lead: what is configured, or the front end itself.
fn links(config: &Config, api: Option<SocketAddr>) -> anyhow::Result<Url> {
    if let Some(url) = config.mail.links_url.as_ref().or(config.server.public_url.as_ref()) {
        return Ok(url.clone());
    }
    let address = api.unwrap_or(config.server.listen);
    Ok(Url::parse(&format!("http://{address}/"))?)
}
