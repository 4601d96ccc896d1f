use std::time::SystemTime;

use askama::Template;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{MultiPart, SinglePart};

use crate::page::{Html, Text};
use crate::{Error, Mail, Name, Sender};

/// RFC 3834: tells vacation responders and the like to keep still.
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// A mail in the form in which it travels.
pub struct Message {
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
    /// The recipient's local part, which servers like to repeat in their answers.
    pub user: String,
}

impl Message {
    pub fn new(sender: &Sender, mail: &Mail) -> Result<Self, Error> {
        let product = sender.name.as_str();
        let page = mail.content.page(product);
        let name = mail.name.as_ref().map(Name::as_str);
        let text = Text { page: &page, name, product }.render().map_err(broken)?;
        let html = Html { page: &page, name, product }.render().map_err(broken)?;
        let body = MultiPart::alternative()
            .boundary(mail.id.simple().to_string())
            .singlepart(SinglePart::plain(text))
            .singlepart(SinglePart::html(html));
        let message = lettre::Message::builder()
            .from(sender.address.mailbox(Some(product)))
            .to(mail.to.mailbox(name))
            .subject(page.subject)
            .date(SystemTime::from(mail.at))
            .message_id(Some(format!("<{}@{}>", mail.id, sender.address.domain())))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
            .multipart(body)
            .map_err(broken)?;
        let user = mail.to.user().to_owned();
        Ok(Self { envelope: message.envelope().clone(), bytes: message.formatted(), user })
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Fail(format!("it could not be written: {error}"))
}
