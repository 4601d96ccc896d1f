use crate::{Decision, Pii, Timestamp, ids::UserId, reason::is_reason};

use super::{
    Import, Join, Linking, MAIL_PAUSE, NewIdentity, OpenLink, Profile, RESET_LIFE, SignUp, User,
    UserError, UserEvent, VERIFICATION_LIFE, identities,
};

/// Longest name shown to people.
pub(super) const MAX_NAME_CHARS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserCommand {
    SignUp(Box<SignUp>, Timestamp),
    /// Through a provider that has confirmed the address.
    Join(Box<Join>, Timestamp),
    /// By an operator.
    Import(Box<Import>, Timestamp),
    /// Somebody signs up with the address of this account. One that is not confirmed gets its link anew,
    /// any other a word of warning.
    RepeatSignUp {
        nonce: String,
        now: Timestamp,
    },
    /// By a link whose token was checked against this nonce.
    VerifyEmail {
        nonce: String,
        now: Timestamp,
    },
    AskPasswordReset {
        nonce: String,
        now: Timestamp,
    },
    /// By a link whose token was checked against this nonce.
    ResetPassword {
        nonce: String,
        password_hash: Pii<String>,
        now: Timestamp,
    },
    /// By whoever knew the former one.
    ChangePassword {
        password_hash: Pii<String>,
        now: Timestamp,
    },
    ChangeProfile {
        profile: Box<Profile>,
        now: Timestamp,
    },
    AskEmailChange {
        email: Pii<String>,
        email_index: String,
        nonce: String,
        now: Timestamp,
    },
    /// By a link whose token was checked against this nonce.
    ChangeEmail {
        nonce: String,
        now: Timestamp,
    },
    RehashPassword {
        password_hash: Pii<String>,
        now: Timestamp,
    },
    LinkIdentity {
        identity: Box<NewIdentity>,
        linking: Linking,
        now: Timestamp,
    },
    UnlinkIdentity {
        identity_index: String,
        now: Timestamp,
    },
    EndSessionsEverywhere {
        now: Timestamp,
    },
    /// By an operator.
    Suspend {
        reason: Pii<String>,
        now: Timestamp,
    },
    Unsuspend {
        now: Timestamp,
    },
    Erase {
        now: Timestamp,
    },
}

pub(super) type Decided = Result<Decision<UserEvent>, UserError>;

pub(super) fn decide(user: &User, command: UserCommand) -> Decided {
    let Some(id) = user.id else {
        return match command {
            UserCommand::SignUp(sign_up, now) => accept_sign_up(*sign_up, now),
            UserCommand::Join(join, now) => identities::join(*join, now),
            UserCommand::Import(import, now) => accept_import(*import, now),
            _ => Err(UserError::NotFound),
        };
    };
    if user.erased {
        return match command {
            UserCommand::Erase { .. } => Ok(Decision::AlreadyApplied),
            UserCommand::SignUp(..) | UserCommand::Join(..) | UserCommand::Import(..) => {
                Err(UserError::Exists)
            }
            _ => Err(UserError::NotFound),
        };
    }
    match command {
        UserCommand::SignUp(..) | UserCommand::Join(..) | UserCommand::Import(..) => {
            Err(UserError::Exists)
        }
        UserCommand::RepeatSignUp { nonce, now } => Ok(repeat_sign_up(user, nonce, now)),
        UserCommand::VerifyEmail { nonce, now } => verify_email(user, &nonce, now),
        UserCommand::AskPasswordReset { nonce, now } => Ok(ask_reset(user, nonce, now)),
        UserCommand::ResetPassword { nonce, password_hash, now } => {
            check_link(user.reset.as_ref(), &nonce, now)?;
            Ok(Decision::one(UserEvent::PasswordReset {
                user_id: id,
                password_hash,
                reset_at: now,
            }))
        }
        UserCommand::ChangePassword { password_hash, now } => {
            Ok(Decision::one(UserEvent::PasswordChanged {
                user_id: id,
                password_hash,
                changed_at: now,
            }))
        }
        UserCommand::ChangeProfile { profile, now } => change_profile(id, *profile, now),
        UserCommand::AskEmailChange { email, email_index, nonce, now } => {
            ask_email_change(user, id, (email, email_index), nonce, now)
        }
        UserCommand::ChangeEmail { nonce, now } => change_email(user, id, &nonce, now),
        UserCommand::RehashPassword { password_hash, now } => {
            Ok(Decision::one(UserEvent::PasswordRehashed {
                user_id: id,
                password_hash,
                renewed_at: now,
            }))
        }
        UserCommand::LinkIdentity { identity, linking, now } => {
            identities::link(user, id, *identity, &linking, now)
        }
        UserCommand::UnlinkIdentity { identity_index, now } => {
            identities::unlink(user, identity_index, now)
        }
        UserCommand::EndSessionsEverywhere { now } => {
            Ok(Decision::one(UserEvent::SessionsEndedEverywhere { ended_at: now }))
        }
        UserCommand::Suspend { reason, now } => suspend(user, id, reason, now),
        UserCommand::Unsuspend { now } => Ok(match user.suspended {
            true => Decision::one(UserEvent::Unsuspended { unsuspended_at: now }),
            false => Decision::AlreadyApplied,
        }),
        UserCommand::Erase { now } => Ok(Decision::one(UserEvent::Erased {
            email_index: user.email_index.clone(),
            identity_indexes: user.identities.keys().cloned().collect(),
            erased_at: now,
        })),
    }
}

fn accept_sign_up(sign_up: SignUp, now: Timestamp) -> Decided {
    let SignUp { user_id, email, email_index, name, password_hash, nonce } = sign_up;
    if let Some(name) = name.as_ref().and_then(Pii::as_plain) {
        check_name(name)?;
    }
    Ok(Decision::Accept(vec![
        UserEvent::SignedUp {
            user_id,
            email,
            email_index,
            name,
            password_hash: Some(password_hash),
            signed_up_at: now,
        },
        verification_asked(nonce, now),
    ]))
}

fn accept_import(import: Import, now: Timestamp) -> Decided {
    let Import { user_id, email, email_index, name, password_hash, email_verified, nonce } = import;
    if let Some(name) = name.as_ref().and_then(Pii::as_plain) {
        check_name(name)?;
    }
    let next = match email_verified {
        true => UserEvent::EmailVerified { verified_at: now },
        false => verification_asked(nonce, now),
    };
    Ok(Decision::Accept(vec![
        UserEvent::SignedUp { user_id, email, email_index, name, password_hash, signed_up_at: now },
        next,
    ]))
}

fn repeat_sign_up(user: &User, nonce: String, now: Timestamp) -> Decision<UserEvent> {
    if is_recent(user.mailed_at, now) {
        return Decision::AlreadyApplied;
    }
    Decision::one(if user.email_verified {
        UserEvent::SignUpRepeated { repeated_at: now }
    } else {
        verification_asked(nonce, now)
    })
}

fn verify_email(user: &User, nonce: &str, now: Timestamp) -> Decided {
    check_link(user.verification.as_ref(), nonce, now)?;
    Ok(Decision::one(UserEvent::EmailVerified { verified_at: now }))
}

fn change_profile(user_id: UserId, profile: Profile, now: Timestamp) -> Decided {
    let Profile { name, language, time_zone } = profile;
    if let Some(name) = name.as_ref().and_then(Pii::as_plain) {
        check_name(name)?;
    }
    Ok(Decision::one(UserEvent::ProfileChanged {
        user_id,
        name,
        language,
        time_zone,
        changed_at: now,
    }))
}

fn ask_email_change(
    user: &User,
    user_id: UserId,
    (email, email_index): (Pii<String>, String),
    nonce: String,
    now: Timestamp,
) -> Decided {
    if email_index == user.email_index {
        return Err(UserError::SameEmail);
    }
    if is_recent(user.change_mailed_at, now) {
        return Err(UserError::TooSoon);
    }
    Ok(Decision::one(UserEvent::EmailChangeAsked {
        user_id,
        email,
        email_index,
        nonce,
        expires_at: now + VERIFICATION_LIFE,
        asked_at: now,
    }))
}

fn change_email(user: &User, user_id: UserId, nonce: &str, now: Timestamp) -> Decided {
    let change = user.email_change.as_ref();
    check_link(change.map(|change| &change.link), nonce, now)?;
    let change = change.ok_or(UserError::Link)?;
    Ok(Decision::one(UserEvent::EmailChanged {
        user_id,
        email: change.email.clone(),
        email_index: change.email_index.clone(),
        former_index: user.email_index.clone(),
        changed_at: now,
    }))
}

fn suspend(user: &User, user_id: UserId, reason: Pii<String>, now: Timestamp) -> Decided {
    if !reason.as_plain().is_none_or(|reason| is_reason(reason)) {
        return Err(UserError::Reason);
    }
    Ok(match user.suspended {
        true => Decision::AlreadyApplied,
        false => Decision::one(UserEvent::Suspended { user_id, reason, suspended_at: now }),
    })
}

fn ask_reset(user: &User, nonce: String, now: Timestamp) -> Decision<UserEvent> {
    if is_recent(user.reset_mailed_at, now) {
        return Decision::AlreadyApplied;
    }
    let expires_at = now + RESET_LIFE;
    Decision::one(UserEvent::PasswordResetAsked { nonce, expires_at, asked_at: now })
}

fn verification_asked(nonce: String, now: Timestamp) -> UserEvent {
    let expires_at = now + VERIFICATION_LIFE;
    UserEvent::EmailVerificationAsked { nonce, expires_at, asked_at: now }
}

fn check_link(open: Option<&OpenLink>, nonce: &str, now: Timestamp) -> Result<(), UserError> {
    let open = open.filter(|open| open.nonce == nonce).ok_or(UserError::Link)?;
    if now < open.expires_at { Ok(()) } else { Err(UserError::LinkExpired) }
}

fn is_recent(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_some_and(|last| now < last + MAIL_PAUSE)
}

fn check_name(name: &str) -> Result<(), UserError> {
    let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty();
    if fits { Ok(()) } else { Err(UserError::Name) }
}
