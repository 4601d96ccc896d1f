use credentials::secret_token::{self, SecretToken};
use domain::{
    Pii, Timestamp,
    ids::{SessionId, UserId},
    sessions::{IDLE_LIFE, Proof, Session, SessionCommand, SessionError, StartSession},
    users::{User, own_organization},
};
use poem::Request;

use super::{Desk, caller::Client, challenge::Pending, desk::nonce, model::Tokens};
use crate::{
    cookies::{self, Kind},
    problem::{Code, Problem},
    state::App,
};

/// Longest name of a client that is kept.
const MAX_CLIENT_CHARS: usize = 200;

/// Signs a person in whose proofs were checked.
pub(super) async fn start(
    app: &App,
    desk: &Desk,
    client: &Client,
    user: UserId,
    pending: Pending,
) -> Result<Tokens, Problem> {
    let Pending { session, epoch, proofs, provider, .. } = pending;
    let token = SecretToken::generate(secret_token::Kind::RefreshToken, &mut rand::rng());
    let now = app.journal.clock().now();
    let start = StartSession {
        user_id: user,
        epoch,
        token_hash: token.hash().to_string(),
        proofs: proofs.clone(),
        provider: provider.clone(),
        client: client.name.as_ref().map(|name| {
            Pii::plain(name.chars().filter(|c| !c.is_control()).take(MAX_CLIENT_CHARS).collect())
        }),
        address: client.scope.address.map(|address| Pii::plain(address.to_string())),
    };
    let command = SessionCommand::Start(Box::new(start), now);
    app.execute::<Session>(client.context(app, user), session.to_string(), command).await?;
    Ok(tokens(app, desk, client, (user, session), (&proofs, provider), &token, now))
}

/// Uses up a refresh token for a new one.
pub(super) async fn refresh(
    app: &App,
    desk: &Desk,
    client: &Client,
    text: &str,
) -> Result<Tokens, Problem> {
    let (user, session, token) = parse(text)?;
    let next = SecretToken::generate(secret_token::Kind::RefreshToken, &mut rand::rng());
    let now = app.journal.clock().now();
    let account = state::<User>(app, user, &user.to_string()).await?.ok_or_else(over)?;
    let before = state::<Session>(app, user, &session.to_string()).await?.ok_or_else(over)?;
    if account.session_epoch != before.epoch {
        return Err(over());
    }
    let command = SessionCommand::Refresh {
        token_hash: token.hash().to_string(),
        next_hash: next.hash().to_string(),
        now,
    };
    app.execute::<Session>(client.context(app, user), session.to_string(), command).await?;
    // A token that was used before has ended the session, and is no refusal of the command.
    let after = state::<Session>(app, user, &session.to_string()).await?.ok_or_else(over)?;
    if after.ended.is_some() {
        desk.forget(session);
        return Err(over());
    }
    let started_at = after.started_at.unwrap_or(now);
    let came_by = (after.proofs.as_slice(), after.provider.clone());
    Ok(tokens(app, desk, client, (user, session), came_by, &next, started_at))
}

/// Ends a session of the person. Whether there is such a session is told by the answer.
pub(super) async fn end(
    app: &App,
    desk: &Desk,
    client: &Client,
    user: UserId,
    session: SessionId,
) -> Result<(), Problem> {
    let command = SessionCommand::End { now: app.journal.clock().now() };
    app.execute::<Session>(client.context(app, user), session.to_string(), command).await?;
    desk.forget(session);
    Ok(())
}

/// Whether the log says that the session can still be used.
pub(super) async fn is_alive(
    app: &App,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, Problem> {
    let Some(found) = state::<Session>(app, user, &session.to_string()).await? else {
        return Ok(false);
    };
    let open = found.ended.is_none() && found.expires_at.is_some_and(|until| now < until);
    let account = state::<User>(app, user, &user.to_string()).await?;
    Ok(open && account.is_some_and(|account| account.session_epoch == found.epoch))
}

/// An aggregate of the person's own organisation.
pub(super) async fn state<A: domain::Decide>(
    app: &App,
    user: UserId,
    id: &str,
) -> Result<Option<A>, Problem> {
    Ok(app.journal.state::<A>(own_organization(user), id).await?.map(|(state, _)| state))
}

fn tokens(
    app: &App,
    desk: &Desk,
    client: &Client,
    (user, session): (UserId, SessionId),
    (proofs, provider): (&[Proof], Option<String>),
    refresh: &SecretToken,
    signed_in_at: Timestamp,
) -> Tokens {
    let (access, expires_at) =
        desk.access_token(app, user, session, (proofs, provider), signed_in_at);
    let refresh = format!("{user}.{session}.{}", refresh.expose());
    let scope = &client.scope;
    let in_body = !scope.wants_cookies && !scope.by_cookie();
    let csrf_token = (!in_body).then(|| {
        let csrf = cookies::csrf_token(&desk.links, &session.to_string(), &nonce());
        let life = app.options.access_token_life.num_seconds();
        cookies::set(app, scope, Kind::Access, &access, life);
        cookies::set(app, scope, Kind::Refresh, &refresh, IDLE_LIFE.num_seconds());
        cookies::set(app, scope, Kind::Csrf, &csrf, IDLE_LIFE.num_seconds());
        csrf
    });
    Tokens {
        access_token: in_body.then_some(access),
        token_type: "Bearer".to_owned(),
        expires_at,
        refresh_token: in_body.then_some(refresh),
        session_id: session.to_string(),
        csrf_token,
    }
}

/// The refresh token of a request, in its body or in a cookie.
pub(super) fn given_refresh(
    app: &App,
    desk: &Desk,
    client: &Client,
    request: &Request,
    in_body: Option<String>,
) -> Result<String, Problem> {
    if let Some(text) = in_body {
        return Ok(text);
    }
    let Some(text) = cookies::read(app, request, Kind::Refresh) else {
        return Err(Problem::new(Code::Unauthenticated, "no refresh token was sent; sign in"));
    };
    let (_, session, _) = parse(text)?;
    cookies::check(app, &desk.links, request, &session.to_string())?;
    client.scope.note_cookie();
    Ok(text.to_owned())
}

/// `<user>.<session>.<secret>`.
fn parse(text: &str) -> Result<(UserId, SessionId, SecretToken), Problem> {
    let mut parts = text.splitn(3, '.');
    let mut part = || parts.next().unwrap_or_default();
    let (user, session, secret) = (part().parse(), part().parse(), part());
    let secret = SecretToken::parse(secret_token::Kind::RefreshToken, secret);
    match (user, session, secret) {
        (Ok(user), Ok(session), Ok(secret)) => Ok((user, session, secret)),
        _ => Err(Problem::new(Code::Unauthenticated, "what was sent is not a refresh token")),
    }
}

fn over() -> Problem {
    Problem::new(Code::Unauthenticated, SessionError::Over.to_string())
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotFound => Self::not_found(),
            // Its id comes from a challenge, which can be answered once.
            SessionError::Exists => {
                Self::new(Code::Unauthenticated, "the challenge was answered already; begin again")
            }
            SessionError::Reason => {
                let text = error.to_string();
                Self::new(Code::ValidationFailed, &text).at("reason", text)
            }
            SessionError::Life => {
                let text = error.to_string();
                Self::new(Code::ValidationFailed, &text).at("life_s", text)
            }
            SessionError::Over | SessionError::UnknownToken => {
                Self::new(Code::Unauthenticated, error.to_string())
            }
        }
    }
}
