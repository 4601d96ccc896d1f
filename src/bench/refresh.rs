//! Refreshed sessions a second through the front end: the request that people's clients make most.

use std::sync::Arc;

use anyhow::Context as _;
use credentials::secret_token::{Kind, SecretToken};
use domain::{
    Pii,
    ids::{SessionId, UserId},
    sessions::{Proof, Session, SessionCommand, StartSession},
    users::{SignUp, User, UserCommand, own_organization},
};
use journal::{Actor, Context, Journal};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    IN_FLIGHT,
    append::Raw,
    figures::{Board, Figure, Sample},
    http::{FOLLOWED, address, own_thread},
    load::{self, Plan},
    site::Site,
    wire::{self, Wire},
    world::World,
};
use crate::cli::Role;

const PATH: &str = "/v1/auth/refresh";

/// A session of somebody of their own, and the token that it goes on with.
type Client = Arc<Mutex<String>>;

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let world = site.world().await?;
    let raw = Raw::open(&world).await?;
    let clients = clients(&world.installation.journal).await?;
    let mut board = Board::default();
    for counts in plan.rounds() {
        let samples = [
            ("refresh", refresh(&world, &[Role::Api], &clients, plan).await?),
            ("refresh_followed", refresh(&world, &FOLLOWED, &clients, plan).await?),
            ("raw", raw.insert(&world, plan).await?),
        ];
        for (name, sample) in samples {
            if counts {
                board.note(name, sample);
            }
        }
    }
    drop(raw);
    site.leave(world).await?;
    Ok(board.figures())
}

async fn clients(journal: &Journal) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(IN_FLIGHT);
    for number in 0..IN_FLIGHT {
        clients.push(Arc::new(Mutex::new(sign_in(journal, number).await?)));
    }
    Ok(clients)
}

/// Signs somebody up and in; gives their refresh token.
async fn sign_in(journal: &Journal, number: usize) -> anyhow::Result<String> {
    let clock = journal.clock();
    let user = UserId::from_uuid(clock.new_id());
    let session = SessionId::from_uuid(clock.new_id());
    let context = Context::new(own_organization(user), Actor::Operator, clock.new_id());
    let sign_up = SignUp {
        user_id: user,
        email: Pii::plain(format!("{number}@bench.example")),
        email_index: format!("bench {number}"),
        name: None,
        password_hash: Pii::plain("none".to_owned()),
        nonce: "none".to_owned(),
    };
    let command = UserCommand::SignUp(Box::new(sign_up), clock.now());
    journal.execute::<User>(&context, &user.to_string(), command).await?;
    let token = SecretToken::generate(Kind::RefreshToken, &mut rand::rng());
    let start = StartSession {
        user_id: user,
        epoch: 0,
        token_hash: token.hash().to_string(),
        proofs: vec![Proof::Password],
        provider: None,
        client: None,
        address: None,
    };
    let command = SessionCommand::Start(Box::new(start), clock.now());
    journal.execute::<Session>(&context, &session.to_string(), command).await?;
    Ok(format!("{user}.{session}.{}", token.expose()))
}

async fn refresh(
    world: &World,
    roles: &[Role],
    clients: &[Client],
    plan: &Plan,
) -> anyhow::Result<Sample> {
    let running = world.run(roles).await?;
    let (time, clients) = (plan.round, clients.to_vec());
    let sample = match address(&running) {
        Ok(address) => {
            own_thread(async move {
                let mut workers = Vec::new();
                for client in clients {
                    let wire = Arc::new(Mutex::new(Wire::connect(address).await?));
                    workers.push(move || go_on(Arc::clone(&wire), Arc::clone(&client)));
                }
                load::closed(workers, time).await
            })
            .await
        }
        Err(error) => Err(error),
    };
    running.stop().await;
    sample
}

async fn go_on(wire: Arc<Mutex<Wire>>, client: Client) -> anyhow::Result<()> {
    let (mut wire, mut token) = (wire.lock().await, client.lock().await);
    let body = json!({ "refresh_token": *token }).to_string();
    let answer = wire.exchange(&wire::request("POST", PATH, "", &body)).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let next = answer["refresh_token"].as_str().context("the answer has no refresh token")?;
    *token = next.to_owned();
    Ok(())
}
