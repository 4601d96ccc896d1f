use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    ADDRESS, CLIENT, EndReason, Proof, REASON, REMEMBERED_TOKENS, SessionCommand, SessionError,
    SessionEvent, command,
};
use crate::{Decide, Decision, PersonalField, Timestamp, ids::UserId};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// None before it has started.
    pub user: Option<UserId>,
    pub epoch: u32,
    /// Counts the refresh tokens, from 1.
    pub generation: u32,
    /// Of the refresh token that works.
    pub token_hash: String,
    /// Of the newest tokens that were used up.
    pub used_hashes: VecDeque<String>,
    #[serde(default)]
    pub proofs: Vec<Proof>,
    /// The provider that its owner came through.
    #[serde(default)]
    pub provider: Option<String>,
    pub started_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub ended: Option<EndReason>,
}

impl Decide for Session {
    const STATE_VERSION: u32 = 1;

    fn decide(&self, command: SessionCommand) -> Result<Decision<SessionEvent>, SessionError> {
        command::decide(self, command)
    }

    fn evolve(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Started {
                user_id,
                epoch,
                token_hash,
                proofs,
                provider,
                started_at,
                expires_at,
                ..
            } => {
                self.user = Some(*user_id);
                self.epoch = *epoch;
                self.generation = 1;
                self.token_hash = token_hash.clone();
                self.proofs = proofs.clone();
                self.provider = provider.clone();
                self.started_at = Some(*started_at);
                self.expires_at = Some(*expires_at);
            }
            SessionEvent::ImpersonationStarted {
                user_id, epoch, started_at, expires_at, ..
            } => {
                self.user = Some(*user_id);
                self.epoch = *epoch;
                self.started_at = Some(*started_at);
                self.expires_at = Some(*expires_at);
            }
            SessionEvent::Refreshed { generation, token_hash, expires_at, .. } => {
                let used = std::mem::replace(&mut self.token_hash, token_hash.clone());
                self.used_hashes.push_back(used);
                if self.used_hashes.len() > REMEMBERED_TOKENS {
                    self.used_hashes.pop_front();
                }
                self.generation = *generation;
                self.expires_at = Some(*expires_at);
            }
            SessionEvent::Ended { reason, .. } => {
                self.ended = Some(*reason);
                self.used_hashes.clear();
            }
        }
    }

    fn personal(event: &mut SessionEvent, visit: &mut dyn FnMut(PersonalField<'_>)) {
        match event {
            SessionEvent::Started { user_id, client, address, .. } => {
                let subject = user_id.uuid();
                if let Some(value) = client {
                    visit(PersonalField { subject, name: CLIENT, value });
                }
                if let Some(value) = address {
                    visit(PersonalField { subject, name: ADDRESS, value });
                }
            }
            SessionEvent::ImpersonationStarted { user_id, reason, .. } => {
                visit(PersonalField { subject: user_id.uuid(), name: REASON, value: reason });
            }
            SessionEvent::Refreshed { .. } | SessionEvent::Ended { .. } => {}
        }
    }
}
