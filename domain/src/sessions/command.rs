use super::{EndReason, IDLE_LIFE, LONGEST_IMPERSONATION, Proof, Session, SessionEvent};
use crate::{
    Decision, Pii, Timestamp,
    ids::UserId,
    reason::{MAX_REASON_CHARS, is_reason},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartSession {
    pub user_id: UserId,
    pub epoch: u32,
    /// SHA-256 of the first refresh token, in hexadecimal.
    pub token_hash: String,
    pub proofs: Vec<Proof>,
    pub provider: Option<String>,
    pub client: Option<Pii<String>>,
    pub address: Option<Pii<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonate {
    pub user_id: UserId,
    pub epoch: u32,
    /// The operator, as the events that come of it name them.
    pub operator: String,
    pub reason: Pii<String>,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCommand {
    Start(Box<StartSession>, Timestamp),
    /// An operator acts as the person for a while.
    Impersonate(Box<Impersonate>, Timestamp),
    /// Uses up the token with the first hash. When it was used up before, the session ends, which is a
    /// success too: whoever asks looks at the state.
    Refresh {
        token_hash: String,
        next_hash: String,
        now: Timestamp,
    },
    End {
        now: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("there is no such session")]
    NotFound,
    #[error("a session with this id exists already")]
    Exists,
    #[error("the session is over; sign in again")]
    Over,
    #[error("the refresh token is not one of this session")]
    UnknownToken,
    #[error("a reason has 1 to {MAX_REASON_CHARS} characters, none of them a control character")]
    Reason,
    #[error("it lasts at most {} minutes", LONGEST_IMPERSONATION.num_minutes())]
    Life,
}

pub(super) fn decide(
    session: &Session,
    command: SessionCommand,
) -> Result<Decision<SessionEvent>, SessionError> {
    match command {
        SessionCommand::Start(start, now) => {
            if session.user.is_some() {
                return Err(SessionError::Exists);
            }
            let StartSession { user_id, epoch, token_hash, proofs, provider, client, address } =
                *start;
            Ok(Decision::one(SessionEvent::Started {
                user_id,
                epoch,
                token_hash,
                proofs,
                provider,
                client,
                address,
                started_at: now,
                expires_at: now + IDLE_LIFE,
            }))
        }
        SessionCommand::Impersonate(impersonate, now) => {
            begin_impersonation(session, *impersonate, now)
        }
        SessionCommand::Refresh { token_hash, next_hash, now } => {
            refresh(session, &token_hash, next_hash, now)
        }
        SessionCommand::End { now } => match (session.user, session.ended) {
            (None, _) => Err(SessionError::NotFound),
            (Some(_), Some(_)) => Ok(Decision::AlreadyApplied),
            (Some(_), None) => Ok(ended(EndReason::LoggedOut, now)),
        },
    }
}

fn begin_impersonation(
    session: &Session,
    impersonate: Impersonate,
    now: Timestamp,
) -> Result<Decision<SessionEvent>, SessionError> {
    let Impersonate { user_id, epoch, operator, reason, expires_at } = impersonate;
    if session.user.is_some() {
        return Err(SessionError::Exists);
    }
    if !reason.as_plain().is_none_or(|reason| is_reason(reason)) {
        return Err(SessionError::Reason);
    }
    if expires_at <= now || expires_at > now + LONGEST_IMPERSONATION {
        return Err(SessionError::Life);
    }
    Ok(Decision::one(SessionEvent::ImpersonationStarted {
        user_id,
        epoch,
        operator,
        reason,
        started_at: now,
        expires_at,
    }))
}

fn refresh(
    session: &Session,
    token_hash: &str,
    next_hash: String,
    now: Timestamp,
) -> Result<Decision<SessionEvent>, SessionError> {
    let expires_at = session.expires_at.ok_or(SessionError::NotFound)?;
    if session.ended.is_some() || now >= expires_at {
        return Err(SessionError::Over);
    }
    if session.used_hashes.iter().any(|used| used == token_hash) {
        return Ok(ended(EndReason::TokenReused, now));
    }
    // An operator who acts as somebody has none.
    if session.token_hash.is_empty() || session.token_hash != token_hash {
        return Err(SessionError::UnknownToken);
    }
    Ok(Decision::one(SessionEvent::Refreshed {
        generation: session.generation + 1,
        token_hash: next_hash,
        refreshed_at: now,
        expires_at: now + IDLE_LIFE,
    }))
}

fn ended(reason: EndReason, now: Timestamp) -> Decision<SessionEvent> {
    Decision::one(SessionEvent::Ended { reason, ended_at: now })
}
