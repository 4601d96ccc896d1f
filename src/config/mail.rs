use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::layers::Section;
use super::{Faults, Secret};

/// How mails leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// `smtps://host` speaks TLS from the start, `smtp://host` begins in the clear; mails go into the
    /// folder `mails` of the data directory when absent.
    pub server: Option<Url>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// For `smtp://`.
    pub starttls: StartTls,
    /// A file of certificates in PEM form to trust besides the public ones.
    pub certificates: Option<PathBuf>,
    /// The address mails come from; needed with a server.
    pub from: Option<String>,
    /// What mails call this installation.
    pub name: String,
    /// Links in mails lead to pages below it, such as `verify-email`; `server.public_url` when absent.
    pub links_url: Option<Url>,
    /// For one mail.
    pub timeout_s: u32,
    /// A mail that failed so often waits for an operator.
    pub max_tries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    Required,
    /// Where the server offers it.
    Optional,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            server: None,
            user: None,
            password: None,
            starttls: StartTls::Required,
            certificates: None,
            from: None,
            name: "Millrace".to_owned(),
            links_url: None,
            timeout_s: 30,
            max_tries: 12,
        }
    }
}

impl Section for Mail {
    const NAME: &'static str = "mail";

    // A URL is not shown: whoever puts a password into it is told so by this.
    fn check(&self, faults: &mut Faults) {
        match &self.server {
            Some(url) => self.check_server(url, faults),
            None if self.user.is_some() || self.password.is_some() => {
                faults.add("mail.user", "and mail.password are of use with mail.server only");
            }
            None => {}
        }
        if let Some(Err(error)) = self.from.as_ref().map(|from| from.parse::<mail::Address>()) {
            faults.add("mail.from", error);
        }
        if mail::Name::new(&self.name).is_none() {
            faults.add("mail.name", "must be a name, and none that reads as a link");
        }
        if self.links_url.as_ref().is_some_and(|url| mail::Link::try_from(url.clone()).is_err()) {
            faults.add("mail.links_url", "must begin with http:// or https:// and name a host");
        }
        // The lease of a mail in hand is three minutes.
        faults.range("mail.timeout_s", self.timeout_s, 1..=60);
        faults.range("mail.max_tries", self.max_tries, 1..=1000);
    }
}

impl Mail {
    fn check_server(&self, url: &Url, faults: &mut Faults) {
        if !matches!(url.scheme(), "smtp" | "smtps") || url.host_str().is_none_or(str::is_empty) {
            faults.add("mail.server", "must be smtp:// or smtps:// and a host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            faults.add(
                "mail.server",
                "has a login in it: it belongs into mail.user and mail.password",
            );
        }
        if self.user.is_some() != self.password.is_some() {
            faults.add("mail.password", "goes with mail.user: give both or none");
        }
        if self.from.is_none() {
            faults.add("mail.from", "must be given with mail.server");
        }
    }
}
