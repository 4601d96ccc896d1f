use std::time::Duration;

use chrono::TimeDelta;
use domain::{
    Pii, Timestamp,
    ids::{InvitationId, OrganizationId, UserId},
    organizations::{
        INVITATION_LINK, INVITED_EMAIL, Invite, Organization, OrganizationCommand as Command, Role,
        Settings,
    },
};
use journal::{Actor, Clock, Context, SystemClock};
use projections::{RunOptions, Views};
use tokio_util::sync::CancellationToken;
use workers::outbox;

use crate::world::{World, joined, soon};

struct Acme<'a> {
    world: &'a World,
    org: OrganizationId,
    owner: UserId,
}

impl<'a> Acme<'a> {
    async fn of(world: &'a World, owner: UserId) -> Self {
        let acme = Self { world, org: OrganizationId::from_uuid(SystemClock.new_id()), owner };
        let settings = Settings { name: "Acme & Co".into(), slug: "acme".into(), logo_url: None };
        acme.tell(Command::Found { settings, founder: owner, now: SystemClock.now() }).await;
        acme
    }

    async fn tell(&self, command: Command) {
        let context = Context::new(self.org, Actor::User(self.owner), SystemClock.new_id());
        let journal = &self.world.journal;
        journal.execute::<Organization>(&context, &self.org.to_string(), command).await.unwrap();
    }

    async fn state(&self) -> Organization {
        let journal = &self.world.journal;
        journal.state(self.org, &self.org.to_string()).await.unwrap().unwrap().0
    }

    async fn invite(&self, email: &str, nonce: &str, now: Timestamp) -> InvitationId {
        let invitation_id = InvitationId::from_uuid(SystemClock.new_id());
        let invite = Invite {
            invitation_id,
            email: Pii::plain(email.to_owned()),
            email_index: email.to_owned(),
            account: None,
            role: Role::Viewer,
            permissions: vec![],
            nonce: nonce.to_owned(),
            expires_at: now + TimeDelta::days(7),
            by: Some(self.owner),
        };
        self.tell(Command::Invite(Box::new(invite), now)).await;
        invitation_id
    }

    fn link(&self, id: InvitationId, nonce: &str) -> String {
        let links = self.world.journal.secret().unwrap().link_key();
        let token = links.token(INVITATION_LINK, &id.to_string(), nonce);
        let (org, token) = (self.org, token.expose());
        format!("https://mill.example/app/invitation#token=3D{org}.{id}.{token}")
    }

    /// Until the address of the invitation cannot be read any more.
    async fn until_forgotten(&self, id: InvitationId, sealed: &Pii<String>) {
        let journal = &self.world.journal;
        soon(async {
            while journal
                .open_personal(id.uuid(), INVITED_EMAIL, sealed)
                .await
                .unwrap()
                .known()
                .is_some()
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_is_invited_gets_a_link_and_once_it_is_over_their_address_is_forgotten() {
    let mut world = World::start().await;
    let (ada, nonce) = world.sign_up("ada@example.org").await;
    let now = SystemClock.now();
    let verify = domain::users::UserCommand::VerifyEmail { nonce, now };
    world.tell(ada, verify).await;
    let acme = Acme::of(&world, ada).await;
    let id = acme.invite("bob@example.org", "n1", now).await;
    let sealed = acme.state().await.invitations[&id].email.clone();
    // Nobody gets a mail about an invitation that was taken back, or with a link that was replaced.
    let gone = acme.invite("kim@example.org", "n2", now).await;
    acme.tell(Command::RevokeInvitation { invitation_id: gone, by: None, now }).await;
    let (nonce, later) = ("n3".to_owned(), now + domain::users::MAIL_PAUSE);
    let expires_at = later + TimeDelta::days(7);
    let again = Command::ResendInvitation {
        invitation_id: id,
        nonce,
        expires_at,
        by: Some(ada),
        now: later,
    };
    acme.tell(again).await;
    let link = acme.link(id, "n3");
    let org = acme.org;
    let running = world.outbox();
    let mail = soon(world.sink.next()).await;
    assert_eq!(mail.to, ["bob@example.org"]);
    let content = joined(&mail.content);
    assert!(content.contains(&link), "{content}");
    assert!(content.contains("Ada Lovelace invites you to join Acme & Co"), "{content}");
    world.until_done().await;
    let opened = world.journal.open_personal(id.uuid(), INVITED_EMAIL, &sealed).await.unwrap();
    assert!(opened.known().is_some());

    let acme = Acme { world: &world, org, owner: ada };
    let accept = Command::AcceptInvitation {
        invitation_id: id,
        nonce: "n3".to_owned(),
        user_id: UserId::from_uuid(SystemClock.new_id()),
        email_index: "bob@example.org".to_owned(),
        now: later,
    };
    acme.tell(accept).await;
    acme.until_forgotten(id, &sealed).await;
    world.until_done().await;
    running.end().await;
}

#[tokio::test]
async fn an_invitation_that_nobody_answers_ends_by_itself() {
    let world = World::start().await;
    projections::prepare(world.journal.pool()).await.unwrap();
    let owner = UserId::from_uuid(SystemClock.new_id());
    let acme = Acme::of(&world, owner).await;
    let now = SystemClock.now();
    let fresh = acme.invite("kim@example.org", "n2", now).await;
    let old = acme.invite("bob@example.org", "n1", now - TimeDelta::days(8)).await;
    let sealed = acme.state().await.invitations[&old].email.clone();
    let (views, stop) = (Views::new(world.journal.pool().clone()), CancellationToken::new());
    let running = tokio::spawn(projections::run(
        world.journal.clone(),
        views.clone(),
        RunOptions::default(),
        stop.clone(),
    ));
    let head = world.journal.head().await.unwrap();
    let known = views.open(projections::organizations::NAME, Some(head), Duration::from_secs(30));
    known.await.unwrap();
    let mails = world.outbox();
    let expire = outbox::expire_invitations(world.journal.clone(), views, stop.clone());
    let expire = tokio::spawn(expire);
    acme.until_forgotten(old, &sealed).await;
    assert_eq!(acme.state().await.invitations.into_keys().collect::<Vec<_>>(), [fresh]);
    stop.cancel();
    soon(expire).await.unwrap();
    soon(running).await.unwrap().unwrap();
    mails.end().await;
}
