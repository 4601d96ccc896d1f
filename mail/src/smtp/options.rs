use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::{
    SUBMISSION_PORT, SUBMISSIONS_PORT,
    authentication::Credentials,
    client::{Certificate, TlsParameters},
};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// A server to hand mails to.
#[derive(Clone)]
pub struct SmtpOptions {
    /// `smtps://` (port 465) speaks TLS from the start, `smtp://` (port 587) begins in the clear.
    /// `user:password@` before the host, percent-encoded, where the server asks for them.
    pub url: Url,
    /// For `smtp://`.
    pub starttls: StartTls,
    /// Certificates in PEM form to trust besides the public ones.
    pub extra_roots: Vec<u8>,
    /// For everything about one mail, and once more for waiting for a connection.
    pub timeout: Duration,
    /// Open at the same time.
    pub connections: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    Required,
    /// Where the server offers it. Somebody on the way can keep the offer from being seen.
    Optional,
}

/// Says what is wrong with the options, without the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    #[error("the mail server's URL must begin with smtp:// or smtps://")]
    Scheme,
    #[error("the mail server's URL names no host")]
    NoHost,
    #[error("the mail server's URL must end with the host or the port")]
    Rest,
    #[error("the user or the password in the mail server's URL is not UTF-8 text")]
    NotText,
    #[error("a password is sent over TLS only: use smtps:// or require STARTTLS")]
    PasswordInTheClear,
    #[error("the certificates for the mail server cannot be used: {0}")]
    Certificates(String),
}

impl SmtpOptions {
    pub fn new(url: Url) -> Self {
        Self {
            url,
            starttls: StartTls::Required,
            extra_roots: Vec::new(),
            timeout: Duration::from_secs(30),
            connections: 4,
        }
    }
}

impl fmt::Debug for SmtpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpOptions")
            .field("host", &self.url.host_str())
            .field("port", &self.url.port())
            .field("starttls", &self.starttls)
            .field("timeout", &self.timeout)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// The options, understood.
pub struct Server {
    pub host: String,
    pub port: u16,
    /// `None` is TLS from the start.
    pub starttls: Option<StartTls>,
    pub tls: TlsParameters,
    pub credentials: Option<Credentials>,
}

impl TryFrom<SmtpOptions> for Server {
    type Error = OptionsError;

    fn try_from(
        SmtpOptions { url, starttls, extra_roots, .. }: SmtpOptions,
    ) -> Result<Self, OptionsError> {
        let (starttls, usual_port) = match url.scheme() {
            "smtp" => (Some(starttls), SUBMISSION_PORT),
            "smtps" => (None, SUBMISSIONS_PORT),
            _ => return Err(OptionsError::Scheme),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(OptionsError::Rest);
        }
        let host = match url.host().ok_or(OptionsError::NoHost)? {
            Host::Domain("") => return Err(OptionsError::NoHost),
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let credentials = credentials(&url)?;
        if credentials.is_some() && starttls == Some(StartTls::Optional) && !is_this_machine(&host)
        {
            return Err(OptionsError::PasswordInTheClear);
        }
        let tls = tls(&host, &extra_roots)?;
        Ok(Self { port: url.port().unwrap_or(usual_port), host, starttls, tls, credentials })
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, OptionsError> {
    let decode = |text| percent_decode_str(text).decode_utf8().map_err(|_| OptionsError::NotText);
    let (user, password) = (decode(url.username())?, decode(url.password().unwrap_or_default())?);
    let given = !user.is_empty() || !password.is_empty();
    Ok(given.then(|| Credentials::new(user.into_owned(), password.into_owned())))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn tls(host: &str, extra_roots: &[u8]) -> Result<TlsParameters, OptionsError> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let unusable =
        |error: lettre::transport::smtp::Error| OptionsError::Certificates(error.to_string());
    let mut parameters = TlsParameters::builder(host.to_owned());
    if !extra_roots.is_empty() {
        if !extra_roots.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return Err(OptionsError::Certificates("there is none in PEM form".to_owned()));
        }
        let roots = Certificate::from_pem(extra_roots).map_err(unusable)?;
        parameters = parameters.add_root_certificate(roots);
    }
    parameters.build().map_err(unusable)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, starttls: StartTls) -> Result<Server, OptionsError> {
        Server::try_from(SmtpOptions { starttls, ..SmtpOptions::new(url.parse().unwrap()) })
    }

    #[test]
    fn a_url_says_host_port_and_credentials() {
        let given = server("smtp://ann%40a.example:p%3Aw@mx.example", StartTls::Required).unwrap();
        assert_eq!(given.to_string(), "mx.example:587");
        let expected = Credentials::new("ann@a.example".into(), "p:w".into());
        assert_eq!(given.credentials, Some(expected));
        assert_eq!(server("smtps://[::1]", StartTls::Required).unwrap().to_string(), "[::1]:465");
    }

    #[test]
    fn a_url_that_says_something_else_is_refused() {
        for (url, error) in [
            ("http://mx.example", OptionsError::Scheme),
            ("smtp:mx.example", OptionsError::Rest),
            ("smtp://", OptionsError::NoHost),
            ("smtp://mx.example/inbox", OptionsError::Rest),
            ("smtp://mx.example?tls=none", OptionsError::Rest),
            ("smtp://%ff:x@mx.example", OptionsError::NotText),
        ] {
            assert_eq!(server(url, StartTls::Required).err(), Some(error), "{url}");
        }
    }

    #[test]
    fn a_password_needs_tls_beyond_this_machine() {
        let far = server("smtp://u:p@mx.example", StartTls::Optional);
        assert_eq!(far.err(), Some(OptionsError::PasswordInTheClear));
        assert!(server("smtp://u:p@127.0.0.1", StartTls::Optional).is_ok());
        assert!(server("smtp://mx.example", StartTls::Optional).is_ok());
    }

    #[test]
    fn the_password_is_not_shown() {
        let options = SmtpOptions::new("smtp://user:hunter2@mx.example".parse().unwrap());
        assert!(!format!("{options:?}").contains("hunter2"));
        assert!(!format!("{:?}", Server::try_from(options).unwrap()).contains("hunter2"));
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let url = "smtps://mx.example".parse().unwrap();
        let options = SmtpOptions { extra_roots: b"hello".to_vec(), ..SmtpOptions::new(url) };
        assert!(matches!(Server::try_from(options), Err(OptionsError::Certificates(_))));
    }
}
