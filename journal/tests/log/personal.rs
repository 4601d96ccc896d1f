use std::time::Duration;

use domain::{
    Pii,
    ids::UserId,
    users::{EMAIL, NAME, PASSWORD_HASH, SignUp, User, UserCommand, UserError, own_organization},
};
use journal::{Clock, Committed, Context, ExecuteError, Journal, Personal, PersonalError};
use journal::{Filter, SystemClock};
use uuid::Uuid;
use vault::{Key, KeyRing};

use crate::support::{Log, context, soon};

const ADDRESS: &str = "ada.lovelace@example.org";
const SECRET: &str = "$argon2id$v=19$m=8";

fn ring(bytes: &[u8]) -> KeyRing {
    KeyRing::new(bytes.iter().map(|byte| Key::from_slice(&[*byte; 32]).unwrap())).unwrap()
}

struct Person {
    id: UserId,
}

impl Person {
    fn new() -> Self {
        Self { id: UserId::from_uuid(SystemClock.new_id()) }
    }

    fn context(&self) -> Context {
        context(own_organization(self.id))
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }

    async fn tell(
        &self,
        journal: &Journal,
        command: UserCommand,
    ) -> Result<Committed, ExecuteError<UserError>> {
        journal.execute::<User>(&self.context(), &self.id.to_string(), command).await
    }

    async fn sign_up(&self, journal: &Journal) -> Result<Committed, ExecuteError<UserError>> {
        let sign_up = SignUp {
            user_id: self.id,
            email: Pii::plain(ADDRESS.to_owned()),
            email_index: format!("index of {}", self.id),
            name: Some(Pii::plain("Ada Lovelace".to_owned())),
            password_hash: Pii::plain(SECRET.to_owned()),
            nonce: "n".to_owned(),
        };
        self.tell(journal, UserCommand::SignUp(Box::new(sign_up), SystemClock.now())).await
    }

    async fn state(&self, journal: &Journal) -> User {
        let state = journal.state::<User>(own_organization(self.id), &self.id.to_string()).await;
        state.unwrap().unwrap().0
    }

    async fn email(&self, journal: &Journal) -> Result<Personal<String>, PersonalError> {
        let user = self.state(journal).await;
        journal.open_personal(self.subject(), EMAIL, &user.email.unwrap()).await
    }
}

/// Everything the database holds about the aggregate, as text.
async fn written(log: &Log, table: &str) -> String {
    let query = format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t");
    sqlx::query_scalar(&query).fetch_one(&log.pool).await.unwrap()
}

fn assert_tells_nothing(text: &str) {
    for personal in [ADDRESS, "lovelace", "Lovelace", SECRET, "argon2id"] {
        assert!(!text.contains(personal), "{personal} is in {text}");
    }
}

#[tokio::test]
async fn personal_data_is_sealed_in_the_log_and_opened_from_the_state() {
    let log = Log::with_keys(ring(&[1])).await;
    let ada = Person::new();
    ada.sign_up(&log.journal).await.unwrap();

    for table in ["events", "subject_keys", "claims", "streams"] {
        assert_tells_nothing(&written(&log, table).await);
    }
    let recorded = log.journal.read(0, &Filter::default(), 10).await.unwrap();
    assert!(recorded[0].payload.get().contains(&format!("{}.sealed1.", recorded[0].event_id)));

    // From the cache of this process and from the log alike.
    let other = log.second_process_with_keys(ring(&[1])).await;
    for journal in [&log.journal, &other] {
        assert_eq!(ada.email(journal).await.unwrap(), Personal::Known(ADDRESS.to_owned()));
    }
}

#[tokio::test]
async fn a_snapshot_holds_sealed_data_only() {
    let log = Log::with_keys(ring(&[1])).await;
    let ada = Person::new();
    ada.sign_up(&log.journal).await.unwrap();
    for _ in 0..100 {
        let command = UserCommand::EndSessionsEverywhere { now: SystemClock.now() };
        ada.tell(&log.journal, command).await.unwrap();
    }
    log.wait_for_snapshot(&ada.id.to_string(), 100).await;
    let snapshot = written(&log, "snapshots").await;
    assert!(snapshot.contains("sealed1."));
    assert_tells_nothing(&snapshot);
}

#[tokio::test]
async fn a_value_opens_only_as_that_field_of_that_person() {
    let log = Log::with_keys(ring(&[1])).await;
    let (ada, bob) = (Person::new(), Person::new());
    ada.sign_up(&log.journal).await.unwrap();
    bob.sign_up(&log.journal).await.unwrap();
    let email = ada.state(&log.journal).await.email.unwrap();

    let as_another = log.journal.open_personal(bob.subject(), EMAIL, &email).await;
    assert!(matches!(as_another, Err(PersonalError::Open(_))), "{as_another:?}");
    let as_password = log.journal.open_personal(ada.subject(), PASSWORD_HASH, &email).await;
    assert!(matches!(as_password, Err(PersonalError::Open(_))), "{as_password:?}");
    let mut moved = email.as_sealed().unwrap().clone();
    moved.event = Uuid::nil();
    let moved = Pii::<String>::sealed(moved);
    let as_other_event = log.journal.open_personal(ada.subject(), EMAIL, &moved).await;
    assert!(matches!(as_other_event, Err(PersonalError::Open(_))), "{as_other_event:?}");
    let plain = Pii::plain("x".to_owned());
    let never_sealed = log.journal.open_personal(ada.subject(), NAME, &plain).await;
    assert!(matches!(never_sealed, Err(PersonalError::NotSealed)), "{never_sealed:?}");
}

#[tokio::test]
async fn an_erased_person_is_unreadable_everywhere_within_a_second_and_folds_all_the_same() {
    let log = Log::with_keys(ring(&[1])).await;
    let other = log.second_process_with_keys(ring(&[1])).await;
    let (ada, bob) = (Person::new(), Person::new());
    ada.sign_up(&log.journal).await.unwrap();
    bob.sign_up(&log.journal).await.unwrap();
    // The other process has the key in memory.
    assert!(ada.email(&other).await.unwrap().known().is_some());

    assert!(log.journal.erase_person(ada.subject()).await.unwrap());
    assert!(!log.journal.erase_person(ada.subject()).await.unwrap());
    assert_eq!(ada.email(&log.journal).await.unwrap(), Personal::Erased);
    let forgotten = async {
        while ada.email(&other).await.unwrap() != Personal::Erased {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), forgotten).await.expect("it takes too long");

    let key: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT wrapped_key FROM subject_keys WHERE subject = $1")
            .bind(ada.subject())
            .fetch_one(&log.pool)
            .await
            .unwrap();
    assert_eq!(key, None);
    let user = log.journal.replay::<User>(&ada.id.to_string(), u64::MAX).await.unwrap();
    assert_eq!(user.id, Some(ada.id));
    // Nobody else is touched.
    assert!(bob.email(&other).await.unwrap().known().is_some());
}

#[tokio::test]
async fn nothing_personal_is_written_about_an_erased_person() {
    let log = Log::with_keys(ring(&[1])).await;
    let ada = Person::new();
    log.journal.erase_person(ada.subject()).await.unwrap();
    let refused = ada.sign_up(&log.journal).await;
    assert!(matches!(refused, Err(ExecuteError::Personal(PersonalError::Erased))), "{refused:?}");
    assert!(log.journal.is_erased(ada.subject()).await.unwrap());
    assert_eq!(log.journal.head().await.unwrap(), 0);
}

#[tokio::test]
async fn a_log_without_keys_takes_no_personal_data() {
    let log = Log::open().await;
    let refused = Person::new().sign_up(&log.journal).await;
    assert!(matches!(refused, Err(ExecuteError::Personal(PersonalError::NoKeys))), "{refused:?}");
    assert_eq!(log.journal.head().await.unwrap(), 0);
}

#[tokio::test]
async fn processes_that_seal_for_one_person_at_once_use_one_key() {
    let log = Log::with_keys(ring(&[1])).await;
    let other = log.second_process_with_keys(ring(&[1])).await;
    let people: Vec<_> = (0..20).map(|_| Person::new()).collect();
    for ada in &people {
        // One of them loses, by the expected version; whichever key it used is the winner's too.
        let (one, two) = tokio::join!(ada.sign_up(&log.journal), ada.sign_up(&other));
        assert_ne!(one.is_ok(), two.is_ok());
        for journal in [&log.journal, &other] {
            assert_eq!(ada.email(journal).await.unwrap(), Personal::Known(ADDRESS.to_owned()));
        }
    }
}

#[tokio::test]
async fn another_master_key_takes_over_in_batches_while_people_sign_up() {
    let log = Log::with_keys(ring(&[1])).await;
    let index = |journal: &Journal| journal.secret().unwrap().blind_index().value("x", "y");
    let before = index(&log.journal);
    let people: Vec<_> = (0..5).map(|_| Person::new()).collect();
    for ada in &people {
        ada.sign_up(&log.journal).await.unwrap();
    }
    log.journal.erase_person(people[4].subject()).await.unwrap();

    let rotating = log.second_process_with_keys(ring(&[2, 1])).await;
    people[0].email(&rotating).await.unwrap();
    let mut done = Vec::new();
    let all = async {
        loop {
            match rotating.rewrap_keys(2).await.unwrap() {
                0 => break,
                some => done.push(some),
            }
        }
    };
    soon(all).await;
    // Four people in batches of two, and the secret of the installation with the first.
    assert_eq!(done, [3, 2]);

    let rotated = log.second_process_with_keys(ring(&[2])).await;
    assert_eq!(index(&rotated), before);
    for ada in &people[..4] {
        assert_eq!(ada.email(&rotated).await.unwrap(), Personal::Known(ADDRESS.to_owned()));
    }
    assert_eq!(people[4].email(&rotated).await.unwrap(), Personal::Erased);
    assert!(log.try_second_process(ring(&[1])).await.is_err());
}
