//! Others who say who somebody is.

mod bearer;
mod browser;
mod enforced;
mod github;
mod issuer;
mod legacy;
mod linking;
mod login;

use api::{ClientOptions, LoginOptions, Options, ProviderKind, ProviderOptions};
use domain::{
    Pii,
    ids::UserId,
    users::{Linking, NewIdentity, User, UserCommand, own_organization},
};
use journal::{Actor, Context};
use outbound::AddressPolicy;

use super::Person;
use crate::support::Server;
use issuer::{AUDIENCE, Issuer};

/// Issuers of tests are on this machine.
fn loopback() -> AddressPolicy {
    AddressPolicy::new(&["127.0.0.0/8".to_owned()]).unwrap()
}

/// Whose tokens are taken.
fn takes_tokens(issuer: &Issuer) -> ProviderOptions {
    ProviderOptions {
        name: "id".to_owned(),
        kind: ProviderKind::OpenIdConnect,
        issuer: issuer.url.clone(),
        client: None,
        scopes: Vec::new(),
        audiences: vec![AUDIENCE.to_owned()],
        jwks_url: None,
        authoritative: false,
        trusts_addresses: false,
        trusts_second_factor: false,
    }
}

async fn server_with(provider: ProviderOptions) -> Server {
    server_of(login_with(provider)).await
}

fn login_with(provider: ProviderOptions) -> LoginOptions {
    LoginOptions { providers: vec![provider], addresses: loopback(), ..LoginOptions::default() }
}

/// Whom people can sign in through.
fn lets_in(issuer: &Issuer) -> ProviderOptions {
    let secret = Some("p&w d".to_owned().into());
    ProviderOptions {
        client: Some(ClientOptions { id: "mill".to_owned(), secret }),
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        audiences: Vec::new(),
        ..takes_tokens(issuer)
    }
}

async fn server_of(login: LoginOptions) -> Server {
    Server::with(options_of(login)).await
}

fn options_of(login: LoginOptions) -> Options {
    let public_url = Some("https://mill.example/".parse().unwrap());
    let cors_origins = vec!["https://app.mill.example".to_owned()];
    Options { login, public_url, cors_origins, ..super::options() }
}

impl Server {
    /// Whoever is this person at the issuer has the account.
    async fn link(&self, user: UserId, issuer: &str, subject: &str) {
        let index = self.journal.secret().unwrap().blind_index();
        let identity = NewIdentity {
            provider: "id".to_owned(),
            issuer: issuer.to_owned(),
            subject: Pii::plain(subject.to_owned()),
            identity_index: index.value("identity", &format!("{issuer}\n{subject}")).to_string(),
            email: None,
        };
        let (clock, org) = (self.journal.clock(), own_organization(user));
        let context = Context::new(org, Actor::User(user), clock.new_id());
        let command = UserCommand::LinkIdentity {
            identity: Box::new(identity),
            linking: Linking::ByOwner,
            now: clock.now(),
        };
        self.journal.execute::<User>(&context, &user.to_string(), command).await.unwrap();
    }

    async fn linked(&self, email: &str, issuer: &Issuer, subject: &str) -> Person {
        let person = self.person(email).await;
        self.link(person.id, &issuer.url, subject).await;
        person
    }
}
