//! Handing a mail to an SMTP server.
//!
//! Each mail has a connection of its own. lettre's pool takes a connection back as sound whose mail
//! was given up half-way, and sets no deadline for answers; mails are too few for it to matter.

mod options;
mod reply;

use std::time::Duration;

use lettre::transport::smtp::{
    authentication::DEFAULT_MECHANISMS,
    client::{AsyncSmtpConnection, TlsParameters},
    extension::ClientId,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::options::{OptionsError, SmtpOptions, StartTls};
use self::{
    options::Server,
    reply::{refused, unreachable},
};
use crate::{Error, message::Message};

/// For the farewell, when the mail is safe already.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Smtp {
    server: Server,
    hello: ClientId,
    timeout: Duration,
    connections: Semaphore,
}

impl Smtp {
    pub fn new(options: SmtpOptions, domain: &str) -> Result<Self, OptionsError> {
        let hello = ClientId::Domain(domain.to_owned());
        let connections = Semaphore::new(options.connections.max(1) as usize);
        Ok(Self { timeout: options.timeout, server: options.try_into()?, hello, connections })
    }

    pub async fn send(&self, message: &Message) -> Result<(), Error> {
        let late =
            |_| Error::Retry(format!("{} did not answer within {:?}", self.server, self.timeout));
        let slot = timeout(self.timeout, self.connections.acquire());
        let _slot = slot.await.map_err(late)?.map_err(|closed| Error::Retry(closed.to_string()))?;
        let mut connection = timeout(self.timeout, self.deliver(message)).await.map_err(late)??;
        // Whether the farewell is answered changes nothing.
        let _ = timeout(QUIT_TIMEOUT, connection.abort()).await;
        Ok(())
    }

    async fn deliver(&self, message: &Message) -> Result<AsyncSmtpConnection, Error> {
        let connected = self.connect().await;
        let mut connection = connected.map_err(|error| unreachable(&self.server, &error))?;
        let sent = connection.send(&message.envelope, &message.bytes).await;
        sent.map_err(|error| refused(&self.server, &error, &message.user))?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let Server { host, port, starttls, tls, credentials } = &self.server;
        let at_once = starttls.is_none().then(|| tls.clone());
        let address = (host.as_str(), *port);
        let connecting = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(self.timeout),
            &self.hello,
            at_once,
            None,
        );
        let mut connection = connecting.await?;
        if wants_starttls(*starttls, &connection) {
            connection.starttls(TlsParameters::clone(tls), &self.hello).await?;
        }
        if let Some(credentials) = credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

fn wants_starttls(starttls: Option<StartTls>, connection: &AsyncSmtpConnection) -> bool {
    match starttls {
        Some(StartTls::Required) => true,
        Some(StartTls::Optional) => connection.can_starttls(),
        None => false,
    }
}
