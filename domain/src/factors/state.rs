use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    FIRST_PAUSE, FREE_TRIES, FactorCommand, FactorError, FactorEvent, LONGEST_PAUSE, PASSKEY_CLAIM,
    PASSKEY_NAME, PASSKEY_RECORD, TOTP_SECRET, command,
};
use crate::{ClaimChange, Decide, Decision, PersonalField, Pii, Timestamp, ids::PasskeyId};

/// The second factors of one person; none before the first event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    pub totp: Option<Totp>,
    pub passkeys: BTreeMap<PasskeyId, Passkey>,
    /// Of the codes that are left.
    pub recovery_hashes: Vec<String>,
    /// Wrong answers since the last right one.
    pub refused: u32,
    pub refused_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    pub secret: Pii<String>,
    /// Codes of this step and of earlier ones work no more.
    pub last_step: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    pub credential_hash: String,
    pub record: Pii<String>,
    pub name: Pii<String>,
    /// Of its last use; the record has that of its making.
    pub sign_count: u32,
    pub added_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

impl Factors {
    /// Whether signing in by a password takes more than that.
    pub fn any(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }

    /// After many wrong answers none is listened to for a while, not even a right one.
    pub fn check_pause(&self, now: Timestamp) -> Result<(), FactorError> {
        let (Some(over), Some(at)) = (self.refused.checked_sub(FREE_TRIES + 1), self.refused_at)
        else {
            return Ok(());
        };
        let pause = (FIRST_PAUSE * 2_i32.pow(over.min(16))).min(LONGEST_PAUSE);
        let left = (at + pause - now).num_milliseconds();
        let seconds = u64::try_from(left).unwrap_or_default().div_ceil(1000);
        if seconds == 0 { Ok(()) } else { Err(FactorError::TryLater { seconds }) }
    }

    fn accepted(&mut self) {
        self.refused = 0;
        self.refused_at = None;
    }

    fn removed(&mut self) {
        if !self.any() {
            self.recovery_hashes.clear();
        }
    }
}

impl Decide for Factors {
    const STATE_VERSION: u32 = 1;

    fn decide(&self, command: FactorCommand) -> Result<Decision<FactorEvent>, FactorError> {
        command::decide(self, command)
    }

    fn evolve(&mut self, event: &FactorEvent) {
        match event {
            FactorEvent::TotpAdded { secret, step, .. } => {
                self.totp = Some(Totp { secret: secret.clone(), last_step: *step });
            }
            FactorEvent::TotpRemoved { .. } => {
                self.totp = None;
                self.removed();
            }
            FactorEvent::TotpUsed { step, .. } => {
                if let Some(totp) = &mut self.totp {
                    totp.last_step = *step;
                }
                self.accepted();
            }
            FactorEvent::PasskeyAdded {
                passkey_id,
                credential_hash,
                record,
                name,
                sign_count,
                added_at,
                ..
            } => {
                let passkey = Passkey {
                    credential_hash: credential_hash.clone(),
                    record: record.clone(),
                    name: name.clone(),
                    sign_count: *sign_count,
                    added_at: *added_at,
                    used_at: None,
                };
                self.passkeys.insert(*passkey_id, passkey);
            }
            FactorEvent::PasskeyRemoved { passkey_id, .. } => {
                self.passkeys.remove(passkey_id);
                self.removed();
            }
            FactorEvent::PasskeyUsed { passkey_id, sign_count, used_at } => {
                if let Some(passkey) = self.passkeys.get_mut(passkey_id) {
                    passkey.sign_count = *sign_count;
                    passkey.used_at = Some(*used_at);
                }
                self.accepted();
            }
            FactorEvent::RecoveryCodesIssued { code_hashes, .. } => {
                self.recovery_hashes = code_hashes.clone();
            }
            FactorEvent::RecoveryCodeUsed { number, .. } => {
                let number = *number as usize;
                if number < self.recovery_hashes.len() {
                    self.recovery_hashes.remove(number);
                }
                self.accepted();
            }
            FactorEvent::Refused { refused_at } => {
                self.refused = self.refused.saturating_add(1);
                self.refused_at = Some(*refused_at);
            }
        }
    }

    fn claims(event: &FactorEvent) -> Vec<ClaimChange> {
        let kind = PASSKEY_CLAIM;
        match event {
            FactorEvent::PasskeyAdded { credential_hash, .. } => {
                vec![ClaimChange::Take { kind, key: credential_hash.clone() }]
            }
            FactorEvent::PasskeyRemoved { credential_hash, .. } => {
                vec![ClaimChange::Release { kind, key: credential_hash.clone() }]
            }
            FactorEvent::TotpAdded { .. }
            | FactorEvent::TotpRemoved { .. }
            | FactorEvent::TotpUsed { .. }
            | FactorEvent::PasskeyUsed { .. }
            | FactorEvent::RecoveryCodesIssued { .. }
            | FactorEvent::RecoveryCodeUsed { .. }
            | FactorEvent::Refused { .. } => Vec::new(),
        }
    }

    fn personal(event: &mut FactorEvent, visit: &mut dyn FnMut(PersonalField<'_>)) {
        match event {
            FactorEvent::TotpAdded { user_id, secret, .. } => {
                visit(PersonalField { subject: user_id.uuid(), name: TOTP_SECRET, value: secret });
            }
            FactorEvent::PasskeyAdded { user_id, record, name, .. } => {
                let subject = user_id.uuid();
                visit(PersonalField { subject, name: PASSKEY_RECORD, value: record });
                visit(PersonalField { subject, name: PASSKEY_NAME, value: name });
            }
            FactorEvent::TotpRemoved { .. }
            | FactorEvent::TotpUsed { .. }
            | FactorEvent::PasskeyRemoved { .. }
            | FactorEvent::PasskeyUsed { .. }
            | FactorEvent::RecoveryCodesIssued { .. }
            | FactorEvent::RecoveryCodeUsed { .. }
            | FactorEvent::Refused { .. } => {}
        }
    }
}
