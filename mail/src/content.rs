use chrono::{DateTime, Utc};

use crate::page::{Action, Page};
use crate::{Link, Name};

type Time = DateTime<Utc>;

/// What a mail is about and what it shows.
#[derive(Debug, Clone)]
pub enum Content {
    VerifyEmail {
        link: Link,
        expires_at: Time,
    },
    /// Somebody signed up with the address of an account, who may be its owner.
    SignUpRepeated {
        at: Time,
        /// Where a forgotten password is replaced.
        link: Option<Link>,
    },
    PasswordReset {
        link: Link,
        expires_at: Time,
    },
    PasswordChanged {
        at: Time,
        link: Option<Link>,
    },
    /// To the new address.
    EmailChange {
        link: Link,
        expires_at: Time,
    },
    /// To the old address, with a link to undo it where there is one.
    EmailChanged {
        at: Time,
        link: Option<Link>,
    },
    Invitation {
        organization: Option<Name>,
        inviter: Option<Name>,
        link: Link,
        expires_at: Time,
    },
    /// A sign-in from where the person has not been seen before; `from` says where.
    NewLogin {
        at: Time,
        from: Option<Name>,
        link: Option<Link>,
    },
    SecondFactorRemoved {
        at: Time,
        link: Option<Link>,
    },
    /// Somebody at a provider is taken for the owner of the account from now on.
    IdentityLinked {
        provider: Option<Name>,
        at: Time,
        link: Option<Link>,
    },
    IdentityUnlinked {
        provider: Option<Name>,
        at: Time,
        link: Option<Link>,
    },
    AccountErased {
        at: Time,
    },
}

impl Content {
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::VerifyEmail { link, .. }
            | Self::PasswordReset { link, .. }
            | Self::EmailChange { link, .. }
            | Self::Invitation { link, .. } => Some(link),
            Self::SignUpRepeated { link, .. }
            | Self::PasswordChanged { link, .. }
            | Self::EmailChanged { link, .. }
            | Self::NewLogin { link, .. }
            | Self::IdentityLinked { link, .. }
            | Self::IdentityUnlinked { link, .. }
            | Self::SecondFactorRemoved { link, .. } => link.as_ref(),
            Self::AccountErased { .. } => None,
        }
    }

    /// The words, for text and HTML alike. `product` is the sender's name.
    pub(crate) fn page(&self, product: &str) -> Page {
        match self {
            Self::VerifyEmail { link, expires_at } => {
                Page::new(format!("Confirm your address for {product}"))
                    .line(format!("Please confirm that this is your address for {product}."))
                    .action("Confirm the address", link, Some(*expires_at))
                    .line("If you did not sign up, leave this mail alone: nothing will happen.")
            }
            Self::SignUpRepeated { at, link } => {
                Page::new(format!("You have a {product} account already"))
                    .line(format!(
                        "Somebody signed up for {product} with this address on {}. It has an \
                         account already, which stays as it is.",
                        date(*at)
                    ))
                    .action_if("Choose a new password", link.as_ref())
                    .line("If it was not you, leave this mail alone: nothing will happen.")
            }
            Self::PasswordReset { link, expires_at } => {
                Page::new(format!("Choose a new password for {product}"))
                    .line(format!("Somebody asked for a new password for your {product} account."))
                    .action("Choose a new password", link, Some(*expires_at))
                    .line("If it was not you, leave this mail alone: your password stays as it is.")
            }
            Self::PasswordChanged { at, link } => {
                Page::new(format!("The password of your {product} account was changed"))
                    .line(format!("A new password was chosen on {}.", date(*at)))
                    .line("Every session has ended. If it was not you, choose a new one now.")
                    .action_if("Choose a new password", link.as_ref())
            }
            Self::EmailChange { link, expires_at } => {
                Page::new(format!("Confirm your new address for {product}"))
                    .line(format!("This is to become the address of your {product} account."))
                    .action("Confirm the new address", link, Some(*expires_at))
                    .line("If it was not you who asked for it, leave this mail alone.")
            }
            Self::EmailChanged { at, link } => {
                Page::new(format!("The address of your {product} account was changed"))
                    .line(format!("Another address took the place of this one on {}.", date(*at)))
                    .line("If it was not you, somebody else may be in your account.")
                    .action_if("Secure the account", link.as_ref())
            }
            Self::Invitation { organization, inviter, link, expires_at } => {
                invitation(product, organization.as_ref(), inviter.as_ref())
                    .action("Accept the invitation", link, Some(*expires_at))
                    .line("If you do not expect this, leave this mail alone: nothing will happen.")
            }
            Self::NewLogin { at, from, link } => {
                let from =
                    from.as_ref().map_or(String::new(), |from| format!(" ({})", from.as_str()));
                Page::new(format!("New sign-in to your {product} account"))
                    .line(format!("There was a sign-in on {}{from}.", date(*at)))
                    .line("If it was not you, choose a new password and end your other sessions.")
                    .action_if("Look at the account", link.as_ref())
            }
            Self::SecondFactorRemoved { at, link } => {
                Page::new(format!("A second factor of your {product} account was removed"))
                    .line(format!("It was removed on {}.", date(*at)))
                    .line("If it was not you, choose a new password and add a second factor again.")
                    .action_if("Secure the account", link.as_ref())
            }
            Self::IdentityLinked { provider, at, link } => {
                let way = way(provider.as_ref());
                Page::new(format!("A way to sign in to your {product} account was added"))
                    .line(format!("Signing in through {way} was added on {}.", date(*at)))
                    .line("If it was not you, remove it and choose a new password.")
                    .action_if("Secure the account", link.as_ref())
            }
            Self::IdentityUnlinked { provider, at, link } => {
                let way = way(provider.as_ref());
                Page::new(format!("A way to sign in to your {product} account was removed"))
                    .line(format!("Signing in through {way} was removed on {}.", date(*at)))
                    .line("If it was not you, somebody else may be in your account.")
                    .action_if("Secure the account", link.as_ref())
            }
            Self::AccountErased { at } => Page::new(format!("Your {product} account was erased"))
                .line(format!("The account and your personal data were erased on {}.", date(*at)))
                .line("This is the last mail you get about it."),
        }
    }
}

fn way(provider: Option<&Name>) -> &str {
    provider.map_or("a provider", Name::as_str)
}

fn invitation(product: &str, organization: Option<&Name>, inviter: Option<&Name>) -> Page {
    let organization = organization.map_or("an organisation", Name::as_str);
    let inviter = inviter.map_or("Somebody", Name::as_str);
    Page::new(format!("Invitation to {organization} on {product}"))
        .line(format!("{inviter} invites you to join {organization} on {product}."))
}

impl Page {
    fn action(mut self, label: &'static str, link: &Link, expires_at: Option<Time>) -> Self {
        let until = expires_at.map(|at| format!("The link works until {}.", date(at)));
        let url = link.expose().to_owned();
        self.action = Some(Action { label, url, until });
        self
    }

    fn action_if(self, label: &'static str, link: Option<&Link>) -> Self {
        match link {
            Some(link) => self.action(label, link, None),
            None => self,
        }
    }
}

fn date(at: Time) -> String {
    at.format("%-d %B %Y at %H:%M UTC").to_string()
}
