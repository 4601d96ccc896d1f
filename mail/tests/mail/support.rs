use std::time::Duration;

use chrono::{DateTime, Utc};
use mail::{Content, Mail, Mailer, Name, Sender, SmtpOptions, StartTls};
use uuid::Uuid;

pub const SECRET: &str = "Zm9ydHktdHdvLWNoYXJhY3RlcnMtb2YtcmFuZG9tbmVzcw";
pub const ID: Uuid = Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_002a);

pub fn at() -> DateTime<Utc> {
    "2026-03-01T12:00:00.250Z".parse().unwrap()
}

pub fn sender() -> Sender {
    let name = Name::new("Mill, race").unwrap();
    Sender { name, address: "no-reply@mill.example".parse().unwrap() }
}

pub fn reset() -> Content {
    let link = format!("https://mill.example/reset?token={SECRET}&x=1").parse().unwrap();
    Content::PasswordReset { link, expires_at: "2026-03-02T12:00:00Z".parse().unwrap() }
}

pub fn mail_to(address: &str) -> Mail {
    mail(address, Some("Zoë"), reset())
}

pub fn mail(address: &str, name: Option<&str>, content: Content) -> Mail {
    let name = name.and_then(Name::new);
    Mail { id: ID, at: at(), to: address.parse().unwrap(), name, content }
}

/// What `up` would use against a server on this machine.
pub fn options(url: &str) -> SmtpOptions {
    let url = url.parse().unwrap();
    let timeout = Duration::from_secs(20);
    SmtpOptions { starttls: StartTls::Optional, timeout, ..SmtpOptions::new(url) }
}

pub fn mailer(port: u16) -> Mailer {
    Mailer::smtp(options(&format!("smtp://127.0.0.1:{port}")), sender()).unwrap()
}
