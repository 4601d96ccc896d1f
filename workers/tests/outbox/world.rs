use std::{sync::Arc, time::Duration};

use domain::{
    Pii,
    ids::UserId,
    users::{SignUp, User, UserCommand, own_organization},
};
use journal::{Actor, Clock, Context, Journal, SystemClock};
use mail::{Mailer, Name, Sender, SmtpOptions, StartTls};
use testkit::{MailSink, TestDatabase};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::{
    outbox::{self, Options, Waiting},
    runtime::Backoff,
};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A log with a place for its mails.
pub struct World {
    pub journal: Journal,
    pub sink: MailSink,
    _stop: tokio_util::sync::DropGuard,
    _database: TestDatabase,
}

/// An outbox at work.
pub struct Running {
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Running {
    pub async fn end(self) {
        self.stop.cancel();
        soon(self.task).await.unwrap();
    }
}

impl World {
    pub async fn start() -> Self {
        let database = testkit::database().await;
        journal::migrate(&database.pool()).await.unwrap();
        let stop = CancellationToken::new();
        let ring = vault::KeyRing::new([vault::Key::from_slice(&[1; 32]).unwrap()]).unwrap();
        let clock = Arc::new(SystemClock);
        let (journal, _appender) =
            Journal::open_with_keys(database.pool(), clock, ring, stop.clone()).await.unwrap();
        let sink = MailSink::plain().await;
        Self { journal, sink, _stop: stop.drop_guard(), _database: database }
    }

    /// One that tries three times, quickly.
    pub fn outbox(&self) -> Running {
        self.outbox_at(self.sink.port)
    }

    pub fn outbox_at(&self, port: u16) -> Running {
        let smtp = SmtpOptions {
            starttls: StartTls::Optional,
            ..SmtpOptions::new(format!("smtp://127.0.0.1:{port}").parse().unwrap())
        };
        let sender = Sender {
            name: Name::new("Millrace").unwrap(),
            address: "post@mill.example".parse().unwrap(),
        };
        let mailer = Mailer::smtp(smtp, sender).unwrap();
        let (first, longest) = (Duration::from_millis(20), Duration::from_millis(50));
        let options = Options {
            max_tries: 3,
            backoff: Backoff { first, longest },
            idle: Duration::from_millis(20),
            ..Options::new(mailer, "https://mill.example/app/".parse().unwrap())
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(outbox::run(self.journal.clone(), options, stop.clone()));
        Running { stop, task }
    }

    /// Somebody who is to get a mail; gives the nonce of its link too.
    pub async fn sign_up(&self, email: &str) -> (UserId, String) {
        let user_id = UserId::from_uuid(SystemClock.new_id());
        let nonce = format!("nonce of {user_id}");
        let sign_up = SignUp {
            user_id,
            email: Pii::plain(email.to_owned()),
            email_index: email.to_owned(),
            name: Some(Pii::plain("Ada Lovelace".to_owned())),
            password_hash: Pii::plain("hash".to_owned()),
            nonce: nonce.clone(),
        };
        self.tell(user_id, UserCommand::SignUp(Box::new(sign_up), SystemClock.now())).await;
        (user_id, nonce)
    }

    pub async fn tell(&self, user: UserId, command: UserCommand) {
        let context = Context::new(own_organization(user), Actor::Anonymous, SystemClock.new_id());
        self.journal.execute::<User>(&context, &user.to_string(), command).await.unwrap();
    }

    pub fn link(&self, page: &str, purpose: &str, user: UserId, nonce: &str) -> String {
        let id = user.to_string();
        let token = self.journal.secret().unwrap().link_key().token(purpose, &id, nonce);
        format!("https://mill.example/app/{page}#token=3D{id}.{}", token.expose())
    }

    /// What waits, once that is as it should be.
    pub async fn waiting(&self, mut as_it_should: impl FnMut(&[Waiting]) -> bool) -> Vec<Waiting> {
        soon(async {
            loop {
                let waiting = outbox::list(self.journal.pool(), false, 100).await.unwrap();
                if as_it_should(&waiting) {
                    return waiting;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }

    /// Everything that the log asks for is done.
    pub async fn until_done(&self) {
        let head = self.journal.head().await.unwrap() as i64;
        soon(async {
            let looked = "SELECT position >= $1 AND NOT EXISTS (SELECT FROM outbox)
                          FROM outbox_checkpoint";
            loop {
                let query = sqlx::query_scalar(looked).bind(head);
                if query.fetch_one(self.journal.pool()).await.unwrap() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(PATIENCE, future).await;
    output.unwrap_or_else(|_| panic!("it did not happen within {PATIENCE:?}"))
}

/// The text of a mail with its soft line breaks joined.
pub fn joined(content: &str) -> String {
    content.replace("=\r\n", "")
}
