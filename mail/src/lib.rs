//! Mails to people: what they say, and the two ways they leave.
//!
//! A [`Mail`] is typed; its words are written once and shown as text and as HTML. A [`Mailer`] hands
//! it to an SMTP server, or puts it into a folder where there is none. Addresses, names and links are
//! personal or secret: none is in an error, a log line or a `Debug` text of this crate.

mod address;
mod content;
mod error;
mod folder;
mod link;
mod message;
mod name;
mod page;
mod smtp;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use self::{
    address::{Address, AddressError},
    content::Content,
    error::Error,
    folder::Folder,
    link::{Link, LinkError},
    name::Name,
    smtp::{OptionsError, SmtpOptions, StartTls},
};
use self::{message::Message, smtp::Smtp};

/// One mail to one person.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Makes the Message-ID, so that the same mail sent twice can be told for one.
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub to: Address,
    /// Beside the address in the header, and in the greeting.
    pub name: Option<Name>,
    pub content: Content,
}

/// Whom mails come from; the name is also what they call this installation.
#[derive(Debug, Clone)]
pub struct Sender {
    pub name: Name,
    pub address: Address,
}

/// How mails leave.
#[derive(Debug)]
pub struct Mailer {
    sender: Sender,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Smtp(Smtp),
    Folder(Folder),
}

/// Where a mail went.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The server has taken it.
    Accepted,
    /// It is in the folder. The link, if the mail has one, is for the log of an installation that
    /// sends no mails.
    Kept { file: PathBuf, link: Option<Link> },
}

impl Mailer {
    /// Connects when the first mail is sent.
    pub fn smtp(options: SmtpOptions, sender: Sender) -> Result<Self, OptionsError> {
        let way = Way::Smtp(Smtp::new(options, sender.address.domain())?);
        Ok(Self { sender, way })
    }

    pub fn folder(folder: Folder, sender: Sender) -> Self {
        Self { sender, way: Way::Folder(folder) }
    }

    /// Sends a mail once. It may arrive a second time when the server takes it and cannot say so.
    pub async fn send(&self, mail: &Mail) -> Result<Sent, Error> {
        let message = Message::new(&self.sender, mail)?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(&message).await.map(|()| Sent::Accepted),
            Way::Folder(folder) => {
                let file = folder.keep(mail.at, mail.id, message.bytes).await?;
                Ok(Sent::Kept { file, link: mail.content.link().cloned() })
            }
        }
    }
}
