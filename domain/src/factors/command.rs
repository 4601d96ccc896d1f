use super::{FactorError, FactorEvent, Factors, MAX_NAME_CHARS, MAX_PASSKEYS};
use crate::{
    Decision, Pii, Timestamp,
    ids::{PasskeyId, UserId},
};

/// What was checked of a new passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddPasskey {
    pub user_id: UserId,
    pub passkey_id: PasskeyId,
    /// SHA-256 of the credential's id, in hexadecimal.
    pub credential_hash: String,
    /// The credential record, as JSON.
    pub record: Pii<String>,
    /// What its owner calls it.
    pub name: Pii<String>,
    pub sign_count: u32,
    /// Hashes of recovery codes, for whoever has none yet.
    pub recovery_hashes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactorCommand {
    /// With the step of the code that proved it.
    AddTotp {
        user_id: UserId,
        secret: Pii<String>,
        step: i64,
        recovery_hashes: Vec<String>,
        now: Timestamp,
    },
    RemoveTotp {
        now: Timestamp,
    },
    AddPasskey(Box<AddPasskey>, Timestamp),
    RemovePasskey {
        passkey_id: PasskeyId,
        now: Timestamp,
    },
    /// Of somebody who lost what they have.
    RemoveAll {
        now: Timestamp,
    },
    RenewRecoveryCodes {
        hashes: Vec<String>,
        now: Timestamp,
    },
    /// A right code of that step.
    UseTotp {
        step: i64,
        now: Timestamp,
    },
    UseRecoveryCode {
        hash: String,
        now: Timestamp,
    },
    /// A right signature of that passkey.
    UsePasskey {
        passkey_id: PasskeyId,
        sign_count: u32,
        now: Timestamp,
    },
    /// A wrong answer.
    Refuse {
        now: Timestamp,
    },
}

type Decided = Result<Decision<FactorEvent>, FactorError>;

pub(super) fn decide(factors: &Factors, command: FactorCommand) -> Decided {
    use FactorCommand as C;
    match command {
        C::AddTotp { user_id, secret, step, recovery_hashes, now } => {
            if factors.totp.is_some() {
                return Err(FactorError::TotpExists);
            }
            let added = FactorEvent::TotpAdded { user_id, secret, step, added_at: now };
            Ok(with_codes(factors, added, recovery_hashes, now))
        }
        C::RemoveTotp { now } => match factors.totp {
            Some(_) => Ok(Decision::one(FactorEvent::TotpRemoved { removed_at: now })),
            None => Err(FactorError::NotFound),
        },
        C::AddPasskey(add, now) => add_passkey(factors, *add, now),
        C::RemovePasskey { passkey_id, now } => {
            let passkey = factors.passkeys.get(&passkey_id).ok_or(FactorError::NotFound)?;
            Ok(Decision::one(FactorEvent::PasskeyRemoved {
                passkey_id,
                credential_hash: passkey.credential_hash.clone(),
                removed_at: now,
            }))
        }
        C::RemoveAll { now } => Ok(remove_all(factors, now)),
        C::RenewRecoveryCodes { hashes, now } => match factors.any() {
            true => Ok(Decision::one(codes_issued(hashes, now))),
            false => Err(FactorError::None),
        },
        C::UseTotp { step, now } => {
            factors.check_pause(now)?;
            let totp = factors.totp.as_ref().ok_or(FactorError::NotFound)?;
            if step <= totp.last_step {
                return Err(FactorError::CodeUsed);
            }
            Ok(Decision::one(FactorEvent::TotpUsed { step, used_at: now }))
        }
        C::UseRecoveryCode { hash, now } => {
            factors.check_pause(now)?;
            let number = factors.recovery_hashes.iter().position(|left| *left == hash);
            let number = number.ok_or(FactorError::UnknownCode)? as u32;
            Ok(Decision::one(FactorEvent::RecoveryCodeUsed { number, used_at: now }))
        }
        C::UsePasskey { passkey_id, sign_count, now } => {
            let passkey = factors.passkeys.get(&passkey_id).ok_or(FactorError::NotFound)?;
            // Two who use one passkey at the same time: only one of them has it.
            if sign_count != 0 && sign_count <= passkey.sign_count {
                return Err(FactorError::CodeUsed);
            }
            Ok(Decision::one(FactorEvent::PasskeyUsed { passkey_id, sign_count, used_at: now }))
        }
        C::Refuse { now } => {
            factors.check_pause(now)?;
            Ok(Decision::one(FactorEvent::Refused { refused_at: now }))
        }
    }
}

fn add_passkey(factors: &Factors, add: AddPasskey, now: Timestamp) -> Decided {
    let AddPasskey { user_id, passkey_id, credential_hash, record, name, sign_count, .. } = add;
    if factors.passkeys.len() >= MAX_PASSKEYS {
        return Err(FactorError::TooManyPasskeys);
    }
    if name.as_plain().is_some_and(|name| !is_name(name)) {
        return Err(FactorError::Name);
    }
    let added = FactorEvent::PasskeyAdded {
        user_id,
        passkey_id,
        credential_hash,
        record,
        name,
        sign_count,
        added_at: now,
    };
    Ok(with_codes(factors, added, add.recovery_hashes, now))
}

fn remove_all(factors: &Factors, now: Timestamp) -> Decision<FactorEvent> {
    let totp = factors.totp.as_ref().map(|_| FactorEvent::TotpRemoved { removed_at: now });
    let passkeys = factors.passkeys.iter().map(|(id, passkey)| FactorEvent::PasskeyRemoved {
        passkey_id: *id,
        credential_hash: passkey.credential_hash.clone(),
        removed_at: now,
    });
    let removed: Vec<_> = totp.into_iter().chain(passkeys).collect();
    if removed.is_empty() { Decision::AlreadyApplied } else { Decision::Accept(removed) }
}

fn with_codes(
    factors: &Factors,
    added: FactorEvent,
    hashes: Vec<String>,
    now: Timestamp,
) -> Decision<FactorEvent> {
    if factors.any() {
        return Decision::one(added);
    }
    Decision::Accept(vec![added, codes_issued(hashes, now)])
}

fn codes_issued(code_hashes: Vec<String>, now: Timestamp) -> FactorEvent {
    FactorEvent::RecoveryCodesIssued { code_hashes, issued_at: now }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty()
}
